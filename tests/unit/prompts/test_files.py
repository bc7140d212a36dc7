from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.prompts.audio import FORMATS
from ivr.prompts.files import SoundFiles, write
from tests.unit.prompts.voice import files_below, sound_files, tone

NAME = "ov/fr/welcome-0123456789"


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: write() fails in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def files(tmp_path: Path) -> SoundFiles:
    return SoundFiles(tmp_path / "sounds", tmp_path / "cache")


def test_a_sound_is_there_in_every_format_and_readable(files: SoundFiles, tmp_path: Path) -> None:
    assert not files.have(NAME)
    files.keep(NAME, tone(0.3))
    assert files.have(NAME)
    for file in sound_files(files.path(NAME)):
        assert file.stat().st_size > 0
        # Asterisk may run as another user.
        assert file.stat().st_mode & 0o044 == 0o044 & ~_umask()
    assert files.path(NAME) == str(tmp_path / "sounds" / NAME)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_another_line_takes_it_over_from_the_cache(files: SoundFiles, tmp_path: Path) -> None:
    files.keep(NAME, tone(0.3))
    other = SoundFiles(tmp_path / "other", tmp_path / "cache")
    assert other.have(NAME)
    assert files_below(tmp_path / "other") == files_below(tmp_path / "cache")


def test_a_cache_on_another_disk_is_copied(files: SoundFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    files.keep(NAME, tone(0.3))
    assert files.have(NAME)
    assert files_below(tmp_path / "sounds") == files_below(tmp_path / "cache")


def _truncate(file: Path) -> None:
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1])


def _zero(file: Path) -> None:
    # As after a power cut: the length is right, the content never came.
    size = file.stat().st_size
    file.unlink()
    file.write_bytes(bytes(size))


def test_what_the_folder_has_already_is_kept_in_the_cache_too(files: SoundFiles, tmp_path: Path) -> None:
    files.keep(NAME, tone(0.3))
    other = SoundFiles(tmp_path / "sounds", tmp_path / "kept")
    other.keep(NAME, tone(0.3))
    assert files_below(tmp_path / "kept") == files_below(tmp_path / "sounds")


class TestTwoLines:
    def test_that_make_a_sound_at_once_both_have_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a voice says differs from one time to the next: a sound is all of the one or all of the other."""
        one = SoundFiles(tmp_path / "one", tmp_path / "cache")
        other = SoundFiles(tmp_path / "other", tmp_path / "cache")
        second = threading.Thread(target=other.keep, args=(NAME, tone(0.4)))
        begun = iter([True])

        def slow(file: Path, content: bytes) -> None:
            write(file, content)
            if next(begun, False):
                second.start()
                second.join(0.5)

        monkeypatch.setattr("ivr.prompts.files.write", slow)
        one.keep(NAME, tone(0.3))
        second.join(10)
        assert one.have(NAME)
        assert other.have(NAME)
        assert files_below(tmp_path / "one") == files_below(tmp_path / "other") == files_below(tmp_path / "cache")

    def test_the_second_to_build_waits_for_the_first(self, files: SoundFiles, tmp_path: Path) -> None:
        built: list[str] = []

        def build() -> None:
            with SoundFiles(tmp_path / "other", tmp_path / "cache").building():
                built.append("other")

        second = threading.Thread(target=build)
        with files.building():
            second.start()
            # A call's sound is kept meanwhile.
            files.keep(NAME, tone(0.3))
            second.join(0.2)
            built.append("one")
        second.join(10)
        assert built == ["one", "other"]


@pytest.mark.parametrize("damage", [_truncate, _zero, Path.unlink])
@pytest.mark.parametrize("extension", [*FORMATS, "crc32"])
class TestDamage:
    def file(self, folder: Path, extension: str) -> Path:
        name = f".{Path(NAME).name}.crc32" if extension == "crc32" else f"{Path(NAME).name}.{extension}"
        return (folder / NAME).with_name(name)

    def test_in_the_cache_the_sound_is_not_there(
        self, tmp_path: Path, files: SoundFiles, damage: Callable[[Path], None], extension: str
    ) -> None:
        files.keep(NAME, tone(0.3))
        damage(self.file(tmp_path / "cache", extension))
        assert not SoundFiles(tmp_path / "other", tmp_path / "cache").have(NAME)
        assert files_below(tmp_path / "other") == {}

    def test_in_the_folder_it_is_mended_from_the_cache(
        self, tmp_path: Path, files: SoundFiles, damage: Callable[[Path], None], extension: str
    ) -> None:
        files.keep(NAME, tone(0.3))
        damage(self.file(tmp_path / "sounds", extension))
        assert files.have(NAME)
        assert files_below(tmp_path / "sounds") == files_below(tmp_path / "cache")


class TestDisk:
    def test_full_names_the_path_and_leaves_nothing_half(self, files: SoundFiles, tmp_path: Path) -> None:
        with disk_full_after(1000), pytest.raises(BadInput, match=rf"{tmp_path}/cache/{NAME}\.ulaw cannot be written"):
            files.keep(NAME, tone(2.0))
        assert files_below(tmp_path) == {}
        assert not files.have(NAME)

    def test_full_at_a_later_format(self, files: SoundFiles, tmp_path: Path) -> None:
        with disk_full_after(20_000), pytest.raises(BadInput, match=r"\.sln16 cannot be written") as caught:
            files.keep(NAME, tone(2.0))
        assert caught.value.field == "--state"
        assert not files.have(NAME)
        files.keep(NAME, tone(2.0))
        assert files.have(NAME)

    @pytest.mark.parametrize("where", ["cache", "sounds"])
    def test_a_folder_that_cannot_be_made_is_named(self, files: SoundFiles, tmp_path: Path, where: str) -> None:
        (tmp_path / where).write_text("in the way")
        with pytest.raises(BadInput, match=rf"{tmp_path}/{where}/.* cannot be written: .*irectory"):
            files.keep(NAME, tone(0.3))

    def test_read_only_disk(self, tmp_path: Path) -> None:
        # No one, not even root, makes files there.
        with pytest.raises(BadInput, match=r"/proc/self/welcome\.ulaw cannot be written"):
            write(Path("/proc/self/welcome.ulaw"), b"sound")


def test_only_one_of_a_kind_is_left(files: SoundFiles, tmp_path: Path) -> None:
    for name in ("moh/old-1", "moh/new-2"):
        files.keep(name, tone(0.3))
    files.only("moh", "moh/new-2")
    assert {file.split("/")[-1].strip(".").split(".")[0] for file in files_below(tmp_path / "sounds")} == {"new-2"}
    assert files.have("moh/new-2")
