"""Calls recovered from Asterisk's own lines."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.calls import store as statements
from ivr.calls.cdr_import import Recovery, parse
from ivr.calls.log import CallLog
from ivr.directory.model import NOBODY, Identity
from ivr.events import EventBus
from ivr.migrations.run import migrate
from ivr.store.engine import open_store
from tests.beginning import begin_call

LINE = (
    '"ov-1.1","{uniqueid}","PJSIP/trunk-00000001","5145550001","{userfield}",'
    '"2026-11-25 10:00:00","2026-11-25 10:00:09","ANSWERED","{answered}","{last}"\n'
)


def row(
    *, uniqueid: str = "ov-1.1", userfield: str = "omnivigil/support/", answered: str = "", last: str = "Queue"
) -> str:
    """One line as Asterisk appends it."""
    return LINE.format(uniqueid=uniqueid, userfield=userfield, answered=answered, last=last)


def test_a_line_tells_desk_department_and_outcome() -> None:
    """What the dialplan put into the line comes out of it."""
    (line,) = parse(row(), timedelta())
    assert (line.desk, line.department, line.outcome[0]) == ("omnivigil", "support", "abandoned")
    assert parse(row(answered="PJSIP/7001-2"), timedelta())[0].outcome[0] == "answered"
    assert parse(row(last="Record"), timedelta())[0].outcome[0] == "message"
    assert parse(row(userfield="omnivigil"), timedelta())[0].outcome == ("hung-up-in-menu", "caller hung up")


def test_other_legs_and_damaged_lines_are_passed_over() -> None:
    """Only the caller's own leg is a call; a half-written line is none."""
    assert parse(row(uniqueid="ov-1.2"), timedelta()) == []
    assert parse('"ov-1.1","ov-1.1"\n"x', timedelta()) == []


def test_times_follow_the_services_clock() -> None:
    """A line whose service lives in another time is entered in that time."""
    plain, shifted = parse(row(), timedelta())[0], parse(row(), timedelta(days=3))[0]
    assert shifted.start - plain.start == timedelta(days=3)


async def test_each_call_is_recovered_once(tmp_path: Path) -> None:
    """What the service knows stands; what it does not is entered once, with a timeline; lost ends are mended."""
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}")
    await migrate(store)
    calls = CallLog(store, EventBus())
    file = tmp_path / "calls.csv"
    recovery = Recovery(
        file, store, calls, shift=timedelta(), identify=lambda number, *_: ("15145550001", NOBODY), desks=["omnivigil"]
    )
    assert await recovery.once() == 0
    file.write_text(row())
    assert await recovery.once() == 1
    assert await recovery.once() == 0
    async with store.reading() as unit:
        (found,) = await statements.page(unit, filters={"ani": "15145550001"}, before=None, limit=10)
        whole = await statements.read(unit, found["id"])
    assert found["result"] == "abandoned"
    assert whole is not None
    assert [event.kind for event in whole.events] == ["started", "ended"]
    (leg,) = whole.legs.values()
    assert (leg.role, leg.uniqueid, leg.started_at, leg.ended_at) == (
        "caller",
        "ov-1.1",
        whole.started_at,
        whole.ended_at,
    )
    # A service that comes back without its note of where it had read to enters nothing twice.
    (tmp_path / "calls.reached").unlink()
    assert await recovery.once() == 0
    await store.close()


@pytest.mark.parametrize("closed", [True, False])
async def test_a_call_the_service_lost_sight_of_gets_its_true_end(tmp_path: Path, closed: bool) -> None:
    """Closed by a restart, or not even that since the database was away; corrected by what Asterisk says."""
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}")
    await migrate(store)
    at = datetime(2026, 11, 25, 15, tzinfo=UTC)
    before = CallLog(store, EventBus())
    begin_call(before, "c1", linkedid="ov-1.1", at=at)
    await before.flush()
    if closed:
        async with store.unit() as unit:
            await statements.close_left_open(unit, at=at)
    (tmp_path / "calls.csv").write_text(row(answered="PJSIP/7001-2"))
    after = CallLog(store, EventBus())
    recovery = Recovery(
        tmp_path / "calls.csv", store, after, shift=timedelta(), identify=lambda n, *_: (n, NOBODY), desks=["omnivigil"]
    )
    assert await recovery.once() == 1
    async with store.reading() as unit:
        (found,) = await statements.page(unit, filters={}, before=None, limit=10)
        whole = await statements.read(unit, "c1")
    assert (found["id"], found["result"]) == ("c1", "answered")
    assert whole is not None
    assert whole.legs["ov-1.1"].ended_at == whole.ended_at
    await store.close()


def another(linkedid: str) -> str:
    """The line of another call."""
    return row(uniqueid=linkedid).replace('"ov-1.1"', f'"{linkedid}"')


async def test_the_file_begins_anew_once_it_is_read(tmp_path: Path) -> None:
    """It has callers' numbers: after a day what was read is set aside, after another gone. No line is lost."""
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}")
    await migrate(store)
    file, reached = tmp_path / "calls.csv", tmp_path / "calls.reached"
    recovery = Recovery(
        file,
        store,
        CallLog(store, EventBus()),
        shift=timedelta(),
        identify=lambda n, *_: (n, NOBODY),
        desks=["omnivigil"],
    )
    # As an earlier version left it, which wrote the place alone.
    file.write_text(row())
    reached.write_text("0")
    assert await recovery.once() == 1
    assert await recovery.once() == 0

    def a_day_later() -> None:
        reached.write_text(json.dumps(json.loads(reached.read_text()) | {"began": time.time() - 86_401}))

    a_day_later()
    with file.open("a") as asterisk:
        assert await recovery.once() == 0
        assert not file.exists()
        # Asterisk had it open, and ends what it writes there; others go to the new one.
        asterisk.write(another("ov-2.1"))
    file.write_text(another("ov-3.1"))
    assert await recovery.once() == 2
    assert await recovery.once() == 0
    # What is not read yet stays.
    a_day_later()
    half = another("ov-4.1")
    with file.open("a") as asterisk:
        asterisk.write(half[:20])
        asterisk.flush()
        assert await recovery.once() == 0
        assert file.exists()
        asterisk.write(half[20:])
    assert await recovery.once() == 1
    assert not file.exists()
    before = tmp_path / "calls.csv.before"
    os.utime(before, (time.time() - 86_401,) * 2)
    assert await recovery.once() == 0
    assert not before.exists()
    file.write_text(another("ov-5.1"))
    assert await recovery.once() == 1
    await store.close()


async def test_one_call_that_cannot_be_entered_is_in_nobody_s_way(tmp_path: Path) -> None:
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}")
    await migrate(store)
    calls = CallLog(store, EventBus())
    file = tmp_path / "calls.csv"
    counted: list[tuple[str, str]] = []

    def identify(number: str, endpoint: str | None, _: str) -> tuple[str | None, Identity]:
        if number == "5145550666":
            raise KeyError("a row that nobody foresaw")
        return number, NOBODY

    recovery = Recovery(
        file,
        store,
        calls,
        shift=timedelta(),
        identify=identify,
        desks=["omnivigil"],
        counted=lambda desk, result: counted.append((desk, result)),
    )
    poison = row().replace("ov-1.1", "ov-1.2").replace("5145550001", "5145550666")
    file.write_text(row() + poison + row().replace("ov-1.1", "ov-1.3"))
    assert await recovery.once() == 2
    assert await recovery.once() == 0
    assert counted == [("omnivigil", "abandoned")] * 2
    await store.close()
