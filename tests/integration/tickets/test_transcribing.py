"""Voice messages written down by whatever recogniser there is; without one, or with a bad one, nothing else changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ivr.errors import Unavailable
from ivr.store.engine import open_store
from ivr.tickets import store as statements
from ivr.transcribing.transcriber import MOST, Transcriber, program_of
from tests.integration.tickets.conftest import Desk, local
from tests.integration.tickets.test_paging import Night

NOW = "2026-11-25T22:05"


def recogniser(folder: Path, code: str) -> tuple[str, ...]:
    """One of the tests' own: what it prints is what was said."""
    program = folder / "recogniser.py"
    program.write_text(f"import sys\nfile, language = sys.argv[1:3]\n{code}\n")
    return (sys.executable, str(program))


def transcriber(desk: Desk, folder: Path, code: str) -> Transcriber:
    return Transcriber(recogniser(folder, code), desk.store, desk.bus, lambda: local(NOW), messages=folder)


async def texts(desk: Desk) -> list[str | None]:
    async with desk.store.reading() as unit:
        return [row["transcript"] for row in await statements.messages(unit)]


async def test_each_is_written_down_once_in_its_language(desk: Desk, tmp_path: Path) -> None:
    night = Night(desk)
    await night.message("2026-11-25T22:00", key="m1")
    await night.message("2026-11-25T22:01", key="m2", urgent=False)
    code = "import os; print('Bonjour\\x07,\\n', os.path.basename(file), language)"
    writer = transcriber(desk, tmp_path, code)
    assert [await writer.once() for _ in range(3)] == [True, True, False]
    assert await texts(desk) == ["Bonjour , m1.wav fr", "Bonjour , m2.wav fr"]


async def test_one_that_fails_is_tried_twice_and_holds_nobody_up(desk: Desk, tmp_path: Path) -> None:
    night = Night(desk)
    await night.message("2026-11-25T22:00", key="m1")
    await night.message("2026-11-25T22:01", key="m2")
    writer = transcriber(desk, tmp_path, "sys.exit('no words') if 'm1' in file else print('x' * 9000)")
    assert [await writer.once() for _ in range(4)] == [True, True, True, False]
    assert await texts(desk) == [None, "x" * MOST]


async def test_old_ones_are_left_alone(desk: Desk, tmp_path: Path) -> None:
    await Night(desk).message("2026-11-24T22:00")
    assert await transcriber(desk, tmp_path, "print('x')").once() is False


async def test_without_faster_whisper_it_says_how_to_have_it(desk: Desk, tmp_path: Path) -> None:
    """It is in no lock of ours: whoever wants it installs it."""
    await Night(desk).message("2026-11-25T22:00")
    writer = Transcriber(program_of(tmp_path), desk.store, desk.bus, lambda: local(NOW), messages=tmp_path)
    assert [await writer.once() for _ in range(3)] == [True, True, False]
    assert await texts(desk) == [None]


async def test_the_database_away(desk: Desk, tmp_path: Path) -> None:
    away = open_store("sqlite+aiosqlite:////nonexistent/x.sqlite3")
    writer = Transcriber(("false",), away, desk.bus, lambda: local(NOW), messages=tmp_path)
    with pytest.raises(Unavailable):
        await writer.once()
    await away.close()
