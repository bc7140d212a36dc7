"""The guard is built wherever there is a C compiler; without one that is said, and Asterisk starts all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.asterisk import guard


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


def test_a_process_without_it_is_told_with_the_mend() -> None:
    with capture_logs() as said:
        assert not guard.look_at(os.getpid())
    assert said[0]["log_level"] == "error"
    assert "compiler" in said[0]["mend"]
