"""Retention of who called and what they did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select, update

from ivr.calls.tables import call_events, call_legs, calls
from ivr.directory.tables import caller_languages
from ivr.retention.declarations import Belongs, DeskSweep, PersonalData, Retention, Row, RowFile, Sweep
from ivr.store.engine import BATCH, Unit, batches


async def erase(unit: Unit, desk: str, before: datetime) -> int:
    """Erase who called and what they did; that there was a call, when, and how it ended stays. How many."""
    told = exists().where(call_events.c.call_id == calls.c.id) | calls.c.ani.is_not(None)
    old = (calls.c.desk == desk) & (calls.c.started_at < before) & calls.c.ended_at.is_not(None) & told
    ids = list((await unit.execute(select(calls.c.id).where(old).limit(BATCH))).scalars())
    await forget_calls(unit, ids)
    return len(ids)


async def forget_calls(unit: Unit, ids: Sequence[Any]) -> None:
    """Erase who made calls and what they did."""
    for some in batches(ids):
        for table in (call_events, call_legs):
            await unit.execute(delete(table).where(table.c.call_id.in_(some)))
        await unit.execute(update(calls).where(calls.c.id.in_(some)).values(ani=None, identity={}, reason=None))


async def erase_languages(unit: Unit, now: datetime) -> int:
    """Erase which language numbers chose whose calls are all erased. How many."""
    heard_of = exists().where(calls.c.ani == caller_languages.c.number)
    return (await unit.execute(delete(caller_languages).where(~heard_of))).rowcount


def _goes_on(row: Row) -> bool:
    return row["ended_at"] is None


def _recording(row: Row) -> str:
    return f"{row['linkedid']}.wav"


_OF_A_CALL = (Belongs(column="call_id", table="calls", key="id"),)

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=calls,
            keep="calls_days",
            whose=("ani", "identity"),
            forget=forget_calls,
            waits=(_goes_on, "still go on; repeat this later"),
            file=RowFile(folder="recordings", name=_recording),
        ),
        Retention(table=call_events, keep="calls_days", belongs=_OF_A_CALL),
        Retention(table=call_legs, keep="calls_days", belongs=_OF_A_CALL),
        # As soon as no call of the number is known any more, which the directory cannot tell.
        Retention(table=caller_languages, keep="calls_days", whose=("number",), deleted=True),
    ),
    desk_sweeps=(DeskSweep(name="calls", erase=erase, keep="calls_days"),),
    sweeps=(Sweep(name="languages", erase=erase_languages),),
)
