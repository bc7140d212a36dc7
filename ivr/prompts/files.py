"""The files of sounds: written whole or not at all, checked by content, shared between lines by a cache."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ivr.errors import BadInput
from ivr.prompts.audio import FORMATS, Pcm, encoded


class SoundFiles:
    """Sounds by name, each in every format, in `folder`; made once for all lines that share `cache`.

    Beside the files of a sound stands a hidden one with their checksums. It is written last: without it, or
    when a checksum differs (a disk that was full, power that went), the sound is not there.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        self._cache = cache

    def path(self, name: str) -> str:
        """As Asterisk is told it: absolute, without extension."""
        return str(self._folder / name)

    def have(self, name: str) -> bool:
        """Return whether the sound is in the folder, taken over from the cache if need be.

        Raises BadInput for the disk.
        """
        if _whole(self._folder / name):
            return True
        if not _whole(self._cache / name):
            return False
        for source, target in zip(_files(self._cache / name), _files(self._folder / name), strict=True):
            _share(source, target)
        return True

    def building(self) -> AbstractContextManager[None]:
        """Until it ends, no other line with this cache builds: it finds made what this one makes. Raises BadInput
        for the disk."""
        return _locked(self._cache)

    def keep(self, name: str, pcm: Pcm) -> None:
        """Put a sound into the cache and the folder. Raises BadInput that names the path for the disk."""
        # A voice does not say a text twice alike: the files of two lines, mixed, would have the checksums of neither.
        with _locked((self._cache / name).parent):
            # What is kept for good is in the cache, whatever the folder has already.
            if not _whole(self._cache / name):
                self._write(name, pcm)
            self.have(name)

    def _write(self, name: str, pcm: Pcm) -> None:
        stem = self._cache / name
        contents = encoded(pcm)
        checksums = {extension: zlib.crc32(content) for extension, content in contents.items()}
        *sounds, checks = _files(stem)
        for file, content in zip(sounds, contents.values(), strict=True):
            write(file, content)
        write(checks, json.dumps(checksums).encode())

    def join(self, name: str, parts: Sequence[str]) -> None:
        """Make one sound of several that are there, format by format. Raises BadInput, and OSError for a part."""
        stem = self._folder / name
        *sounds, checks = _files(stem)
        checksums: dict[str, int] = {}
        for extension, file in zip(FORMATS, sounds, strict=True):
            content = b"".join(self._folder.joinpath(f"{part}.{extension}").read_bytes() for part in parts)
            write(file, content)
            checksums[extension] = zlib.crc32(content)
        write(checks, json.dumps(checksums).encode())

    def forget(self, name: str) -> None:
        """Remove a sound from the folder and the cache; a call that plays it hears it to its end."""
        for file in (*_files(self._folder / name), *_files(self._cache / name)):
            file.unlink(missing_ok=True)

    def like(self, beginning: str) -> set[str]:
        """The names of sounds in the folder and the cache that begin so."""
        found = [file for root in (self._folder, self._cache) for file in root.glob(f"{beginning}*.*")]
        return {str(Path(beginning).parent / file.name.partition(".")[0]) for file in found}

    def clear(self, kind: str) -> None:
        """Remove all of `kind` from the folder; a call that plays one hears it to its end."""
        shutil.rmtree(self._folder / kind, ignore_errors=True)

    def only(self, kind: str, name: str) -> None:
        """Remove from the folder all of `kind` but `name`: Asterisk plays whatever is there."""
        keep = set(_files(self._folder / name))
        for file in (self._folder / kind).iterdir():
            if file not in keep:
                file.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among all threads and processes that lock this folder; one that dies lets go of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            os.close(lock)
            raise
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        os.close(lock)


def write(file: Path, content: bytes) -> None:
    """Replace a file as a whole. Raises BadInput that names it when the disk is full or read-only."""
    partial = _partial(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(file)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(file, error) from error


def _share(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return
        partial = _partial(target)
        try:
            os.link(source, partial)
        except OSError:
            # The cache is on another disk, or this one knows no links.
            write(target, source.read_bytes())
        else:
            partial.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(path: Path, error: OSError) -> BadInput:
    """Return what to tell the operator who chose the folder."""
    mend = "free some space, or name a folder on a writable disk"
    return BadInput(field="--state", problem=f"{path} cannot be written: {error.strerror or error}", mend=mend)


def _files(stem: Path) -> list[Path]:
    """The files of a sound, its checksums last."""
    sounds = [stem.with_name(f"{stem.name}.{extension}") for extension in FORMATS]
    return [*sounds, stem.with_name(f".{stem.name}.crc32")]


def _whole(stem: Path) -> bool:
    *sounds, checks = _files(stem)
    try:
        checksums = json.loads(checks.read_bytes())
        return all(
            zlib.crc32(file.read_bytes()) == checksums.get(extension)
            for extension, file in zip(FORMATS, sounds, strict=True)
        )
    except (OSError, ValueError, AttributeError):
        return False


def _partial(file: Path) -> Path:
    # Lines that share a cache, and calls of one line, may make the same sound at the same time.
    return file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.partial")
