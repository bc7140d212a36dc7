"""The guard is built wherever there is a C compiler; without one that is said, and Asterisk starts all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.asterisk import guard
from ivr.asterisk import runtime as runtimes
from ivr.asterisk.runtime import Runtime


def test_it_is_a_library(tmp_path: Path) -> None:
    """Whichever compiler there is."""
    library = guard.build(tmp_path)
    assert library is not None
    assert library.read_bytes()[:4] == b"\x7fELF"
    assert [path.name for path in tmp_path.iterdir()] == ["guard.so"]


def test_every_compiler_of_this_machine_builds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for compiler in guard._compilers():
        monkeypatch.setattr(guard, "_compilers", lambda only=compiler: [only])
        (tmp_path / "guard.so").unlink(missing_ok=True)
        assert guard.build(tmp_path) is not None, compiler


def test_a_compiler_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compilers = guard._compilers()
    monkeypatch.setattr(guard, "_compilers", lambda: ["/nowhere/cc", "/bin/false", *compilers])
    with capture_logs() as said:
        assert guard.build(tmp_path) is not None
    assert [one["compiler"] for one in said] == ["/nowhere/cc", "/bin/false"]


def test_without_any_the_last_one_built_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk."""
    monkeypatch.setattr(guard, "_compilers", lambda: ["/bin/false"])
    assert guard.build(tmp_path) is None
    (tmp_path / "guard.so").touch()
    assert guard.build(tmp_path) == tmp_path / "guard.so"


def test_it_is_built_once_for_many_renderings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that changes has the configuration written anew, and not the guard."""
    assert guard.is_available(tmp_path)
    monkeypatch.setattr(guard, "_compilers", list)
    assert guard.is_available(tmp_path)
    (tmp_path / "guard.so").unlink()
    assert not guard.is_available(tmp_path)


def test_a_process_without_it_is_told_with_the_mend() -> None:
    with capture_logs() as said:
        assert not guard.look_at(os.getpid())
    assert said[0]["log_level"] == "error"
    assert "compiler" in said[0]["mend"]


def runtime(*loader: str) -> Runtime:
    """One that is nowhere."""
    at = Path("/nowhere")
    return Runtime(
        root=at,
        loader=loader,
        asterisk=at,
        version=(22, 10, 1),
        modules=at,
        data=at,
        sipp=at,
        pico_library=at,
        pico_languages=at,
        core_sounds=at,
    )


def test_it_is_loaded_by_the_loader_and_not_by_what_asterisk_starts() -> None:
    """By the embedded set's own, with its libraries, or the machine's; never by a variable that children inherit."""
    library, program = Path("/g.so"), Path("/asterisk")
    embedded = runtime("/ld.so", "--library-path", "/lib").command_with(library, program, "-f")
    assert embedded == ["/ld.so", "--preload", "/g.so", "--library-path", "/lib", "/asterisk", "-f"]
    own = runtime().command_with(library, program, "-f")
    assert own[1:] == ["--preload", "/g.so", "/asterisk", "-f"]
    assert Path(own[0]).exists()


def test_where_no_loader_is_found_asterisk_starts_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And `look_at` tells."""
    monkeypatch.setattr(runtimes, "_own_loader", lambda: ())
    assert runtime().command_with(Path("/g.so"), Path("/asterisk"), "-f") == ["/asterisk", "-f"]
