"""The statements of recovery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update

from ivr.calls.tables import call_events, call_legs, calls
from ivr.store.engine import Unit

#: What a call is given that the service lost sight of when it was restarted.
LOST = "service-restarted"


async def known(unit: Unit, linkedids: Iterable[str]) -> dict[str, bool]:
    """Those of the calls that are on record, and whether their end was lost."""
    query = select(calls.c.linkedid, calls.c.reason).where(calls.c.linkedid.in_(list(linkedids)))
    return {row.linkedid: row.reason == LOST for row in await unit.execute(query)}


async def add(
    unit: Unit, row: Mapping[str, object], timeline: Sequence[Mapping[str, object]], leg: Mapping[str, object]
) -> None:
    """A call that nothing was known of, with its caller's leg."""
    await unit.execute(unit.insert(calls).values(row))
    await unit.execute(unit.insert(call_legs).values(call_id=row["id"], **leg))
    await unit.execute(unit.insert(call_events), [{"call_id": row["id"], **event} for event in timeline])


async def correct(unit: Unit, linkedid: str, ended_at: datetime, result: str, reason: str) -> None:
    """The true end of a call, and of its caller's leg."""
    table = calls
    mine = select(table.c.id).where(table.c.linkedid == linkedid, table.c.reason == LOST)
    leg = update(call_legs).where(call_legs.c.call_id.in_(mine), call_legs.c.uniqueid == linkedid)
    await unit.execute(leg.values(ended_at=ended_at))
    values = {"ended_at": ended_at, "result": result, "reason": reason}
    await unit.execute(update(table).where(table.c.linkedid == linkedid, table.c.reason == LOST).values(values))
