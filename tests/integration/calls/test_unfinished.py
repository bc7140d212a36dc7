"""Every call has a record, even if Asterisk is killed in its first second."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.calls import store as statements
from ivr.calls.cdr_store import LOST
from ivr.calls.log import CallLog
from ivr.calls.tables import calls
from ivr.calls.unfinished import FILE, Begun, parse
from ivr.directory.model import NOBODY
from ivr.events import EventBus
from ivr.store.engine import Store
from tests.beginning import begin_call

BEGAN = 1_764_090_000
NOW = datetime.fromtimestamp(BEGAN, UTC)


@dataclass(kw_only=True)
class World:
    """The notes, Asterisk's channels and time."""

    store: Store
    folder: Path
    now: float = BEGAN
    channels: set[str] = field(default_factory=set)
    counted: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A service that knows only the files and the database."""
        self.calls = CallLog(self.store, EventBus())
        self.begun = Begun(
            self.folder,
            self.store,
            self.calls,
            self._live,
            shift=timedelta(),
            identify=lambda number, *_: (number or None, NOBODY),
            desks=["omnivigil"],
            counted=lambda desk, result: self.counted.append((desk, result)),
            wall=lambda: self.now,
            monotonic=lambda: self.now,
        )

    async def _live(self) -> set[str]:
        return self.channels

    def note(self, uniqueid: str, number: str = "14185550101") -> None:
        """As the dialplan does it."""
        with (self.folder / FILE).open("a", encoding="utf-8") as handle:
            handle.write(f"{uniqueid}|PJSIP/trunk-0000000a|{int(self.now)}|omnivigil|{number}\n")

    async def looks(self, for_s: int) -> int:
        """Look every five seconds."""
        entered = 0
        for _ in range(0, for_s, 5):
            self.now += 5
            entered += await self.begun.once()
        return entered

    async def record(self, linkedid: str) -> tuple[str | None, str | None] | None:
        async with self.store.reading() as unit:
            query = select(calls.c.result, calls.c.reason).where(calls.c.linkedid == linkedid)
            found = (await unit.execute(query)).one_or_none()
        return (found.result, found.reason) if found is not None else None


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(store=store, folder=tmp_path)


async def test_a_call_that_asterisk_was_killed_with_is_on_record_once_and_counted(world: World) -> None:
    world.note("170.1")
    assert await world.looks(30) == 1
    assert await world.record("170.1") == ("failed", "asterisk-killed")
    assert world.counted == [("omnivigil", "failed")]
    world.start()
    assert await world.looks(300) == 0
    # The caller's number stays nowhere but in the record.
    assert list(world.folder.iterdir()) == []


async def test_a_call_that_goes_on_is_none_of_them_however_long(world: World) -> None:
    world.note("170.1")
    world.channels = {"170.1"}
    assert await world.looks(600) == 0
    assert [path.name for path in world.folder.iterdir() if path.name != FILE] != []
    world.channels = set()
    assert await world.looks(30) == 1


async def test_what_the_service_has_seen_to_its_end_stands(world: World) -> None:
    world.note("170.1")
    begin_call(world.calls, "c1", linkedid="170.1", at=NOW)
    assert await world.looks(60) == 0
    world.calls.end("c1", NOW, result="hung-up-in-menu", reason="caller hung up")
    await world.calls.close()
    world.start()
    assert await world.looks(120) == 0
    assert await world.record("170.1") == ("hung-up-in-menu", "caller hung up")
    assert list(world.folder.iterdir()) == []


async def test_a_call_that_the_service_was_killed_with_too_gets_its_reason(world: World) -> None:
    world.note("170.1")
    begin_call(world.calls, "c1", linkedid="170.1", at=NOW)
    await world.calls.flush()
    world.start()
    async with world.store.unit() as unit:
        assert await statements.close_left_open(unit, at=NOW, but=[]) == 1
    assert await world.record("170.1") == ("failed", LOST)
    assert await world.looks(30) == 1
    assert await world.record("170.1") == ("failed", "asterisk-killed")


def test_what_is_no_line_of_the_dialplan_s_is_passed_over() -> None:
    good = "170.1|PJSIP/trunk-0000000a|1764090000|omnivigil|"
    assert [one.linkedid for one in parse(f"{good}\n170.2|PJSIP\n\x00|||\n{good}' or 1=1\n", timedelta())] == ["170.1"]
