"""The call traces' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, delete, func, or_, select, update

from ivr.calltrace import tables as t
from ivr.calltrace.rules import TOGETHER, TOGETHER_WITHIN, Reported, Shared
from ivr.directory.store import customers_of_partner
from ivr.store.engine import Unit

#: More reports than this at once make no clearer incident.
_MOST_TOGETHER = 200
#: Ids in one question.
_AT_ONCE = 500


async def by_key(unit: Unit, key: str) -> dict[str, Any] | None:
    """The trace of this call and phone."""
    return await _one(unit, t.call_traces.c.key == key)


async def get(unit: Unit, trace_id: str) -> dict[str, Any] | None:
    """A trace."""
    return await _one(unit, t.call_traces.c.id == trace_id)


async def last_reports(unit: Unit, linkedids: Sequence[str]) -> dict[str, datetime]:
    """Return when each of these calls was last reported, of those that were."""
    table = t.call_traces
    found: dict[str, datetime] = {}
    for place in range(0, len(linkedids), _AT_ONCE):
        asked = table.c.linkedid.in_(linkedids[place : place + _AT_ONCE])
        query = (
            select(table.c.linkedid, func.max(table.c.reported_at).label("at")).where(asked).group_by(table.c.linkedid)
        )
        found |= {row["linkedid"]: row["at"] for row in (await unit.execute(query)).mappings()}
    return found


async def of_report(unit: Unit, trace_id: str) -> bytes:
    """The trace's packets; empty when there are none."""
    table = t.call_trace_evidence
    found: bytes | None = (
        await unit.execute(select(table.c.packets).where(table.c.trace_id == trace_id))
    ).scalar_one_or_none()
    return found or b""


async def add(unit: Unit, values: Mapping[str, Any], packets: bytes) -> None:
    """A new trace with its evidence."""
    await unit.execute(unit.insert(t.call_traces).values(values))
    await unit.execute(unit.insert(t.call_trace_evidence).values(trace_id=values["id"], packets=packets))


async def change(unit: Unit, trace_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a trace."""
    await unit.execute(update(t.call_traces).where(t.call_traces.c.id == trace_id).values(values))


async def put_packets(unit: Unit, trace_id: str, packets: bytes) -> None:
    """Better evidence than before."""
    table = t.call_trace_evidence
    await unit.execute(update(table).where(table.c.trace_id == trace_id).values(packets=packets))


async def page(
    unit: Unit, *, filters: Mapping[str, Any], before: tuple[datetime, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Traces that match every filter, the newest first."""
    table = t.call_traces
    query = select(table).order_by(table.c.reported_at.desc(), table.c.id.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    if before is not None:
        at, trace_id = before
        query = query.where(or_(table.c.reported_at < at, and_(table.c.reported_at == at, table.c.id < trace_id)))
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def recent(unit: Unit, now: datetime) -> list[Reported]:
    """Reports that may still be one of several."""
    table = t.call_traces
    columns = (table.c.id, table.c.reported_at, table.c.trunk, table.c.site, table.c.codec)
    query = select(*columns).where(table.c.reported_at > now - TOGETHER_WITHIN).order_by(table.c.reported_at.desc())
    rows = list(await unit.execute(query.limit(_MOST_TOGETHER)))
    found = [Reported(id=row.id, at=row.reported_at, trunk=row.trunk, site=row.site, codec=row.codec) for row in rows]
    return found[::-1]


async def unanswered(unit: Unit, customer_id: int) -> bool:
    """Return whether the customer has recommendations that were not answered (OV-25)."""
    table = t.recommendations
    query = select(table.c.id).where(table.c.customer_id == customer_id, table.c.answered_at.is_(None)).limit(1)
    return (await unit.execute(query)).first() is not None


async def recommend(unit: Unit, *, customer_id: int, trace_id: str, text: str, at: datetime) -> None:
    """Note what the customer was advised."""
    values = {"customer_id": customer_id, "trace_id": trace_id, "text": text, "given_at": at}
    await unit.execute(unit.insert(t.recommendations).values(values))


async def withdraw(unit: Unit, trace_id: str) -> None:
    """What the customer was advised because of this trace is not advised any more, unless they answered it."""
    table = t.recommendations
    await unit.execute(delete(table).where(table.c.trace_id == trace_id, table.c.answered_at.is_(None)))


async def recommendations(unit: Unit, customer_id: int) -> list[dict[str, Any]]:
    """Everything a customer was advised, the oldest first."""
    table = t.recommendations
    query = select(table).where(table.c.customer_id == customer_id).order_by(table.c.id)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def answer(unit: Unit, *, customer_id: int, text: str, by: str, at: datetime) -> int:
    """The customer answered what was recommended; how many recommendations were open."""
    table = t.recommendations
    statement = update(table).where(table.c.customer_id == customer_id, table.c.answered_at.is_(None))
    return (await unit.execute(statement.values(answered_at=at, answer=text, answered_by=by))).rowcount


async def undismissed(unit: Unit, shared: Shared, at: datetime) -> Shared:
    """The same without reports of which staff found that together they are no incident."""
    query = _same(shared, at).where(t.incident_proposals.c.state == "dismissed")
    known = {one for row in (await unit.execute(query)).mappings() for one in row["traces"]}
    return replace(shared, traces=tuple(one for one in shared.traces if one not in known))


async def propose(unit: Unit, shared: Shared, at: datetime) -> tuple[int, Literal["proposed", "proposal-grew"]] | None:
    """The proposal of an incident for what is shared, and what became of it; one that is still fresh grows.

    None when there is nothing new, or too little for a proposal.
    """
    table = t.incident_proposals
    query = _same(shared, at).where(table.c.state == "proposed").limit(1)
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is None:
        if len(shared.traces) < TOGETHER:
            return None
        values = {"shared": shared.by, "value": shared.value, "traces": list(shared.traces), "state": "proposed"}
        insert = unit.insert(table).values(values | {"created_at": at, "updated_at": at}).returning(table.c.id)
        return (await unit.execute(insert)).scalar_one(), "proposed"
    traces = list(dict.fromkeys([*row["traces"], *shared.traces]))
    if len(traces) == len(row["traces"]):
        return None
    await unit.execute(update(table).where(table.c.id == row["id"]).values(traces=traces, updated_at=at))
    return row["id"], "proposal-grew"


def _same(shared: Shared, at: datetime) -> Select[Any]:
    """Return what was proposed for the same and is still fresh, the newest first."""
    table = t.incident_proposals
    same = and_(table.c.shared == shared.by, table.c.value == shared.value)
    return select(table).where(same, table.c.updated_at > at - TOGETHER_WITHIN).order_by(table.c.id.desc())


async def proposal(unit: Unit, proposal_id: int) -> dict[str, Any] | None:
    """A proposed incident."""
    table = t.incident_proposals
    row = (await unit.execute(select(table).where(table.c.id == proposal_id))).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None


async def change_proposal(unit: Unit, proposal_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a proposed incident."""
    await unit.execute(update(t.incident_proposals).where(t.incident_proposals.c.id == proposal_id).values(values))


async def proposals(unit: Unit, limit: int = 100, *, since: datetime | None = None) -> list[dict[str, Any]]:
    """Proposed incidents, the newest first; with `since` those that grew after it."""
    query = select(t.incident_proposals).order_by(t.incident_proposals.c.id.desc()).limit(limit)
    if since is not None:
        query = query.where(t.incident_proposals.c.updated_at > since)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def counted_by_cause(unit: Unit, start: datetime, end: datetime) -> list[tuple[str, int, float | None]]:
    """Of the calls reported from `start` to before `end`: each cause, how many, and their mean MOS; the most first."""
    table = t.call_traces.c
    query = select(table.cause, func.count().label("reports"), func.avg(table.mos).label("mos"))
    query = query.where(table.reported_at >= start, table.reported_at < end)
    rows = await unit.execute(query.group_by(table.cause).order_by(func.count().desc()))
    return [(row.cause, row.reports, row.mos) for row in rows]


async def of_partner(
    unit: Unit, partner_id: int, *, trace_id: str | None = None, limit: int = 1
) -> list[dict[str, Any]]:
    """Reports of a partner's customers, the newest first; or the one with this id."""
    table = t.call_traces
    query = select(table).where(table.c.customer_id.in_(customers_of_partner(partner_id)))
    if trace_id is not None:
        query = query.where(table.c.id == trace_id)
    rows = await unit.execute(query.order_by(table.c.reported_at.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


async def _one(unit: Unit, condition: Any) -> dict[str, Any] | None:
    row = (await unit.execute(select(t.call_traces).where(condition))).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None
