"""The statements of recovery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update

from ivr.calls.tables import call_events, calls
from ivr.store.engine import Unit

#: What a call is given that the service lost sight of when it was restarted.
LOST = "service-restarted"


async def known(unit: Unit, linkedids: Iterable[str]) -> dict[str, bool]:
    """Those of the calls that are on record, and whether their end was lost."""
    query = select(calls.c.linkedid, calls.c.reason).where(calls.c.linkedid.in_(list(linkedids)))
    return {row.linkedid: row.reason == LOST for row in await unit.execute(query)}


async def add(unit: Unit, row: Mapping[str, object], timeline: Sequence[Mapping[str, object]]) -> None:
    """A call that nothing was known of."""
    await unit.execute(unit.insert(calls).values(row))
    await unit.execute(unit.insert(call_events), [{"call_id": row["id"], **event} for event in timeline])


async def correct(unit: Unit, linkedid: str, ended_at: datetime, result: str, reason: str) -> None:
    """The true end of a call."""
    table = calls
    values = {"ended_at": ended_at, "result": result, "reason": reason}
    await unit.execute(update(table).where(table.c.linkedid == linkedid, table.c.reason == LOST).values(values))
