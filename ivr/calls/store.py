"""The calls' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Executable, Row, Select, Table, and_, func, or_, select, update

from ivr.calls import tables as t
from ivr.calls.model import VANISHED_IN_QUEUE, Call, Happening, Leg
from ivr.store.engine import Unit, insert_into

#: What a call, and a leg, cannot change once it has begun.
_FIXED = frozenset(
    {"id", "linkedid", "channel", "desk", "dialled", "ani", "endpoint", "customer_id", "identity", "started_at"}
)
_FIXED_OF_LEG = frozenset({"call_id", "uniqueid", "started_at"})


async def write(
    unit: Unit,
    *,
    calls: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    legs: Sequence[Mapping[str, Any]],
) -> None:
    """Write rows; those written before are brought up to date, so that repeating does no harm."""
    if calls:
        await unit.execute(_upsert(unit.dialect, t.calls, _FIXED), calls)
    if events:
        await unit.execute(_upsert(unit.dialect, t.call_events, None), events)
    if legs:
        await unit.execute(_upsert(unit.dialect, t.call_legs, _FIXED_OF_LEG), legs)


@cache
def _upsert(dialect: str, table: Table, fixed: frozenset[str] | None) -> Executable:
    """A statement for whole rows, made once: it is needed on every call, and making it costs as much as running it."""
    insert = insert_into(table, dialect)
    key = [column.name for column in table.primary_key.columns]
    if fixed is None:
        return insert.on_conflict_do_nothing(index_elements=key)
    changing = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in fixed}
    return insert.on_conflict_do_update(index_elements=key, set_=changing)


async def left_open(unit: Unit) -> list[Call]:
    """The calls that no end is known of, whole."""
    return await _whole(unit, t.calls.c.ended_at.is_(None))


async def close_left_open(unit: Unit, *, at: datetime, but: Sequence[str] = ()) -> int:
    """End the calls that a crash of the service left open, but for these; how many there were."""
    table = t.calls
    values = {"ended_at": at, "result": "failed", "reason": "service-restarted"}
    open_ones = update(table).where(table.c.ended_at.is_(None), table.c.id.not_in(but))
    return (await unit.execute(open_ones.values(values))).rowcount


async def read(unit: Unit, call_id: str) -> Call | None:
    """A call, whole."""
    found = await _whole(unit, t.calls.c.id == call_id)
    if found:
        return found[0]
    return None


async def _whole(unit: Unit, which: ColumnElement[bool]) -> list[Call]:
    """Calls with their timelines and legs, the oldest first."""
    rows = await _dicts(unit, select(t.calls).where(which).order_by(t.calls.c.started_at))
    found = {row["id"]: Call(**row) for row in rows}
    ids = select(t.calls.c.id).where(which)
    events = select(t.call_events).where(t.call_events.c.call_id.in_(ids)).order_by(t.call_events.c.seq)
    for row in await _dicts(unit, events):
        call = found[row.pop("call_id")]
        call.events.append(Happening(**row))
    legs = select(t.call_legs).where(t.call_legs.c.call_id.in_(ids)).order_by(t.call_legs.c.started_at)
    for row in await _dicts(unit, legs):
        call = found[row.pop("call_id")]
        call.legs[row["uniqueid"]] = Leg(**row)
    return list(found.values())


async def last_score(unit: Unit, customer_id: int) -> tuple[datetime, float] | None:
    """Return when a customer's last call that was scored began, and how its worst leg sounded."""
    mine = (t.calls.c.customer_id == customer_id) & t.call_legs.c.mos.is_not(None)
    query = select(t.calls.c.started_at, func.min(t.call_legs.c.mos).label("mos"))
    query = query.join(t.call_legs, t.call_legs.c.call_id == t.calls.c.id).where(mine)
    latest = query.group_by(t.calls.c.id, t.calls.c.started_at).order_by(t.calls.c.started_at.desc()).limit(1)
    row = (await unit.execute(latest)).one_or_none()
    if row is not None:
        return (row.started_at, row.mos)
    return None


async def times_of(unit: Unit, call_id: str) -> tuple[datetime, datetime | None] | None:
    """Return when a call began and when it was answered; None for a call that is not on record."""
    query = select(t.calls.c.started_at, t.calls.c.answered_at).where(t.calls.c.id == call_id)
    row = (await unit.execute(query)).one_or_none()
    if row is not None:
        return (row.started_at, row.answered_at)
    return None


async def count_between(unit: Unit, desk: str, start: datetime, end: datetime) -> int:
    """Count the calls to a desk that began from `start` to `end`."""
    mine = (t.calls.c.desk == desk) & t.calls.c.started_at.between(start, end)
    return int((await unit.execute(select(func.count()).select_from(t.calls).where(mine))).scalar_one())


async def vanished_since(unit: Unit, since: datetime) -> list[dict[str, Any]]:
    """Return the calls that vanished in their queue after `since`: id, desk, queue, caller, their moments."""
    call = t.calls.c
    vanished = (call.result == "abandoned") & (call.reason == VANISHED_IN_QUEUE) & (call.ended_at > since)
    columns = (call.id, call.desk, call.queue, call.ani, call.endpoint, call.queued_at, call.ended_at)
    return await _dicts(unit, select(*columns).where(vanished, call.queued_at.is_not(None)))


async def note_return(unit: Unit, call_id: str) -> None:
    """Write down that the caller of a call that vanished in its queue came back."""
    mine = (t.calls.c.id == call_id) & (t.calls.c.reason == VANISHED_IN_QUEUE)
    await unit.execute(update(t.calls).where(mine).values(reason=f"{VANISHED_IN_QUEUE}, and came back"))


async def page(
    unit: Unit, *, filters: Mapping[str, Any], before: tuple[datetime, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Calls that match every filter, the newest first, from after `before`."""
    table = t.calls
    query = select(table).order_by(table.c.started_at.desc(), table.c.id.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    if before is not None:
        started_at, call_id = before
        same = and_(table.c.started_at == started_at, table.c.id < call_id)
        query = query.where(or_(table.c.started_at < started_at, same))
    return await _dicts(unit, query)


async def counted_since(unit: Unit, since: datetime) -> tuple[int, int]:
    """Return how many calls that began since then were answered, and how many were lost."""
    taken = func.count().filter(t.calls.c.answered_at.is_not(None)).label("taken")
    lost = func.count().filter(t.calls.c.result == "abandoned").label("lost")
    row = (await unit.execute(select(taken, lost).where(t.calls.c.started_at >= since))).one()
    return row.taken, row.lost


async def waits_since(unit: Unit, since: datetime, limit: int) -> list[float]:
    """Return how long callers waited until they were answered, in seconds, of calls begun since then.

    The newest first.
    """
    call = t.calls.c
    waited = (call.started_at >= since) & call.queued_at.is_not(None) & call.answered_at.is_not(None)
    query = select(call.queued_at, call.answered_at).where(waited).order_by(call.started_at.desc()).limit(limit)
    return [(row.answered_at - row.queued_at).total_seconds() for row in await unit.execute(query)]


async def moments_since(unit: Unit, since: datetime) -> Sequence[Row[Any]]:
    """`started_at`, `queued_at`, `answered_at` and `result` of the calls that began since then."""
    call = t.calls.c
    query = select(call.started_at, call.queued_at, call.answered_at, call.result).where(call.started_at >= since)
    return (await unit.execute(query)).all()


async def scores_since(unit: Unit, since: datetime) -> list[tuple[datetime, float]]:
    """Return when each call that was scored began, since then, and its worst leg's MOS (1 to 4.5); the oldest first."""
    call = t.calls.c
    worst = select(call.started_at, func.min(t.call_legs.c.mos).label("mos"))
    query = worst.join(t.call_legs, t.call_legs.c.call_id == call.id)
    query = query.where(call.started_at >= since, t.call_legs.c.mos.is_not(None))
    rows = await unit.execute(query.group_by(call.id, call.started_at).order_by(call.started_at))
    return [(row.started_at, row.mos) for row in rows]


async def _dicts(unit: Unit, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await unit.execute(query)).mappings()]
