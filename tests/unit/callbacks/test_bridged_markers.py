"""The files by which the dialplan notes that customer and technician were put through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.callbacks.bridged_markers import PutThrough

ID = "0123456789abcdef"
#: 2026-11-25 15:00:00 UTC, as Asterisk's EPOCH says it.
EPOCH, MOMENT = "1795618800", datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", [EPOCH, f"{EPOCH}\n", f"  {EPOCH}\r\n"])
def test_what_the_dialplan_wrote(tmp_path: Path, text: str) -> None:
    (tmp_path / ID).write_text(text)
    assert PutThrough(tmp_path, timedelta()).at(ID) == MOMENT


def test_on_the_clock_of_the_service(tmp_path: Path) -> None:
    """The dialplan goes by the machine's clock, which may be another than the service's."""
    (tmp_path / ID).write_text(EPOCH)
    assert PutThrough(tmp_path, timedelta(days=-3, seconds=5)).at(ID) == MOMENT + timedelta(days=-3, seconds=5)


def test_not_put_through(tmp_path: Path) -> None:
    """Also where the folder is not there, or the name is a folder's."""
    assert PutThrough(tmp_path, timedelta()).at(ID) is None
    assert PutThrough(tmp_path / "missing", timedelta()).at(ID) is None
    (tmp_path / ID).mkdir()
    assert PutThrough(tmp_path, timedelta()).at(ID) is None
    PutThrough(tmp_path, timedelta()).forget(ID)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"soon", b"12.5", b"\xff\xfe1", b"\x00" * 16, b"9" * 19, b"9" * 5000, b"-" + b"9" * 18],
    ids=["empty", "newline", "word", "fraction", "not ASCII", "zeroes", "too late", "too long", "too early"],
)
def test_a_file_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Half written when the power went, or not the dialplan's: as if it were not there, and no error."""
    (tmp_path / ID).write_bytes(content)
    assert PutThrough(tmp_path, timedelta()).at(ID) is None


@pytest.mark.parametrize("shift", [timedelta.max, timedelta.min])
def test_a_moment_that_no_calendar_has(tmp_path: Path, shift: timedelta) -> None:
    """Out of Python's range after the shift."""
    (tmp_path / ID).write_text(EPOCH)
    assert PutThrough(tmp_path, shift).at(ID) is None


def test_forgotten(tmp_path: Path) -> None:
    """Once; and again does no harm. Another callback's stays."""
    (tmp_path / ID).write_text(EPOCH)
    (tmp_path / ID[::-1]).write_text(EPOCH)
    noted = PutThrough(tmp_path, timedelta())
    for _ in range(2):
        noted.forget(ID)
        assert noted.at(ID) is None
    assert noted.at(ID[::-1]) == MOMENT
    PutThrough(tmp_path / "missing", timedelta()).forget(ID)
