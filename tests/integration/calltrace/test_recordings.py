"""Recordings of calls are erased in time, and never while it is not known whether they are needed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.calltrace.recordings import Recordings
from ivr.desk.schema import CallAudio, CallTrace
from ivr.errors import Unavailable
from ivr.evidence.legs import Device
from ivr.store.engine import open_store
from tests.integration.calltrace.conftest import World

RULES = CallTrace(department="support", audio=CallAudio(keep_days=2))


def recording(folder: Path, linkedid: str, ended: datetime) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{linkedid}.wav"
    path.write_bytes(b"RIFF")
    os.utime(path, (ended.timestamp(), ended.timestamp()))
    return path


async def test_reported_ones_stay_and_go_later(world: World, tmp_path: Path) -> None:
    kept = Recordings(tmp_path / "r", world.store, RULES, lambda: world.now[0], timedelta(0))
    began = world.now[0]
    call = world.call(lost=60)
    reported = recording(tmp_path / "r", call.linkedid, began)
    others = [recording(tmp_path / "r", f"ov-1795384710.{n}", began) for n in range(600)]
    await world.traces.take_in(world.traces.intake(call, Device(phone="6001"), report_id="r1"))
    assert await kept.erase() == 0
    world.now[0] = began + timedelta(minutes=41)
    assert await kept.erase() == 600
    assert [path.exists() for path in (reported, *others[:2])] == [True, False, False]
    world.now[0] = began + timedelta(days=2, minutes=1)
    assert await kept.erase() == 1
    assert not reported.exists()


async def test_nothing_is_erased_while_reports_are_unknown(world: World, tmp_path: Path) -> None:
    nowhere = open_store("sqlite+aiosqlite:////nonexistent/x.sqlite3")
    kept = Recordings(tmp_path / "r", nowhere, RULES, lambda: world.now[0], timedelta(0))
    path = recording(tmp_path / "r", "ov-1795384710.1", world.now[0] - timedelta(days=9))
    with pytest.raises(Unavailable):
        await kept.erase()
    assert path.exists()
    await nowhere.close()


async def test_the_lines_clock_may_be_set_elsewhere(world: World, tmp_path: Path) -> None:
    shift = world.now[0] - datetime.now(UTC)
    kept = Recordings(tmp_path / "r", world.store, RULES, lambda: world.now[0], shift)
    path = recording(tmp_path / "r", "ov-1795384710.1", datetime.now(UTC))
    assert await kept.erase() == 0
    assert path.exists()
