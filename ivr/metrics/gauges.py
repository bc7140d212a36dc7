"""How things stand in the database, counted by it: what a scrape asks for, and no more often than a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from ivr.callbacks.tables import callbacks
from ivr.calltrace.tables import call_traces
from ivr.incidents import store as incidents
from ivr.notify.delivery import FINAL
from ivr.notify.tables import outbox
from ivr.store.engine import Unit
from ivr.tickets.tables import ticket_alarms, tickets

#: Callbacks asked for since then, and reports by *57: the database finds either by an index, however old it is.
CALLBACKS_OF = timedelta(days=1)
TRACES_OF = timedelta(days=30)
_DONE = ("resolved", "closed")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Counts at one moment; ages in seconds."""

    tickets: Mapping[str, int]
    overdue: int
    callbacks: Mapping[str, int]
    traces: Mapping[str, int]
    outbox: Mapping[str, int]
    oldest_s: Mapping[str, float]
    #: By desk and stage.
    incidents: Mapping[tuple[str, str], int]


async def read(unit: Unit, now: datetime) -> Standing:
    """Ask the database. Raises StoreUnavailable."""
    late = (
        select(func.count(ticket_alarms.c.ticket_number.distinct()))
        .join(tickets, tickets.c.number == ticket_alarms.c.ticket_number)
        .where(ticket_alarms.c.kind == "breach", tickets.c.status.not_in(_DONE))
    )
    waiting = (
        select(outbox.c.kind, func.count().label("pending"), func.min(outbox.c.created_at).label("oldest"))
        .where(outbox.c.state.not_in(sorted(FINAL)))
        .group_by(outbox.c.kind)
    )
    channels = (await unit.execute(waiting)).mappings().all()
    in_force: dict[tuple[str, str], int] = {}
    for one in await incidents.open_or_since(unit, now):
        in_force[one.desk, one.stage] = in_force.get((one.desk, one.stage), 0) + 1
    return Standing(
        tickets=await _counts(unit, tickets.c.status),
        overdue=(await unit.execute(late)).scalar_one(),
        callbacks=await _counts(unit, callbacks.c.state, callbacks.c.requested_at >= now - CALLBACKS_OF),
        traces=await _counts(unit, call_traces.c.cause, call_traces.c.reported_at >= now - TRACES_OF),
        outbox={row["kind"]: row["pending"] for row in channels},
        oldest_s={row["kind"]: max(0.0, (now - row["oldest"]).total_seconds()) for row in channels},
        incidents=in_force,
    )


async def _counts(unit: Unit, column: ColumnElement[str], *where: ColumnElement[bool]) -> dict[str, int]:
    query = select(column.label("name"), func.count().label("rows")).where(*where).group_by(column)
    return {row["name"]: row["rows"] for row in (await unit.execute(query)).mappings()}
