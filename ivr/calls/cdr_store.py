"""The statements of recovery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import case, func, or_, select, update

from ivr.calls.tables import call_events, call_legs, calls
from ivr.store.engine import Unit

#: What a call is given that the service lost sight of when it was restarted.
LOST = "service-restarted"

#: A call's end is lost too when it is over and has none on record: with the database away it was not followed.
_END_LOST = or_(calls.c.reason == LOST, calls.c.ended_at.is_(None))


async def known(unit: Unit, linkedids: Iterable[str]) -> dict[str, bool]:
    """Those of the calls, all over, that are on record, and whether their end was lost."""
    lost = func.max(case((_END_LOST, 1), else_=0)).label("lost")
    query = select(calls.c.linkedid, lost).where(calls.c.linkedid.in_(list(linkedids))).group_by(calls.c.linkedid)
    return {row.linkedid: bool(row.lost) for row in await unit.execute(query)}


async def add(
    unit: Unit, row: Mapping[str, object], timeline: Sequence[Mapping[str, object]], leg: Mapping[str, object]
) -> None:
    """A call that nothing was known of, with its caller's leg."""
    await unit.execute(unit.insert(calls).values(row))
    await unit.execute(unit.insert(call_legs).values(call_id=row["id"], **leg))
    await unit.execute(unit.insert(call_events), [{"call_id": row["id"], **event} for event in timeline])


async def correct(unit: Unit, linkedid: str, ended_at: datetime, result: str, reason: str) -> None:
    """The true end of a call, and of its caller's leg."""
    mine = select(calls.c.id).where(calls.c.linkedid == linkedid, _END_LOST)
    leg = update(call_legs).where(call_legs.c.call_id.in_(mine), call_legs.c.uniqueid == linkedid)
    await unit.execute(leg.values(ended_at=ended_at))
    values = {"ended_at": ended_at, "result": result, "reason": reason}
    await unit.execute(update(calls).where(calls.c.linkedid == linkedid, _END_LOST).values(values))


async def lost_with_asterisk(unit: Unit, linkedid: str, ended_at: datetime, result: str, reason: str) -> None:
    """Nothing else will be known of a call's end; when somebody saw that it was over, that moment stands."""
    values = {"ended_at": func.coalesce(calls.c.ended_at, ended_at), "result": result, "reason": reason}
    await unit.execute(update(calls).where(calls.c.linkedid == linkedid, _END_LOST).values(values))
