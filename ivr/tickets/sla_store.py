"""The clocks' ledger: which clocks a ticket's state has running, and the rows of their spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select, update

from ivr.store.engine import Unit
from ivr.tickets import store
from ivr.tickets import tables as t
from ivr.tickets.model import DONE, WAITING, Ticket
from ivr.tickets.routing import FIRST_LEVEL
from ivr.tickets.sla import Alarm, Name, Pace, Span

Running = Mapping[Name, tuple[int, Pace]]


def running(ticket: Ticket | None) -> Running:
    """The clocks that run, each with its level and pace.

    TMR runs from the documented ticket to the first answer (OV-14); TR from then on, but not while somebody else
    has to do something. Neither is owed outside the demarcation point (OV-18). What is urgent counts at night too.
    """
    if ticket is None or ticket.outside or ticket.status in DONE:
        return {}
    how: tuple[int, Pace] = (ticket.level or FIRST_LEVEL, "always" if ticket.priority == "urgente" else "working")
    if ticket.answered_at is not None:
        if ticket.status in WAITING:
            return {}
        return {"tr": how}
    if ticket.documented_at is not None:
        return {"tmr": how}
    return {}


async def settle(unit: Unit, before: Ticket | None, after: Ticket, *, at: datetime) -> None:
    """Write what a change does to the clocks: spans end and begin, and the monitor looks at the ticket at once."""
    was, now = running(before), running(after)
    if was == now:
        if now and before is not None and (before.desk, before.department) != (after.desk, after.department):
            # Other hours and other limits hold from now on.
            await store.change(unit, after.number, {"due_at": at})
        return
    table = t.ticket_spans
    for clock, how in was.items():
        if now.get(clock) != how:
            still = (table.c.ticket_number == after.number, table.c.clock == clock, table.c.ended_at.is_(None))
            await unit.execute(update(table).where(*still).values(ended_at=at))
    for clock, (level, pace) in now.items():
        if was.get(clock) != (level, pace):
            values = {
                "ticket_number": after.number,
                "clock": clock,
                "level": level,
                "pace": pace,
                "started_at": at,
                "ended_at": None,
            }
            await unit.execute(unit.insert(table).values(values))
    await store.change(unit, after.number, {"due_at": at if now else None})


async def spans(unit: Unit, numbers: Iterable[int]) -> dict[int, dict[Name, list[Span]]]:
    """The ledgers of these tickets, the oldest span first."""
    table = t.ticket_spans
    query = select(table).where(table.c.ticket_number.in_(list(numbers))).order_by(table.c.id)
    found: dict[int, dict[Name, list[Span]]] = {}
    for row in await unit.execute(query):
        span = Span(start=row.started_at, end=row.ended_at, pace=row.pace, level=row.level)
        found.setdefault(row.ticket_number, {}).setdefault(row.clock, []).append(span)
    return found


async def raised(unit: Unit, numbers: Iterable[int]) -> dict[int, set[tuple[str, int, str]]]:
    """The keys of the alarms that were raised for these tickets."""
    table = t.ticket_alarms
    query = select(table.c.ticket_number, table.c.clock, table.c.level, table.c.kind)
    found: dict[int, set[tuple[str, int, str]]] = {}
    for row in await unit.execute(query.where(table.c.ticket_number.in_(list(numbers)))):
        found.setdefault(row.ticket_number, set()).add((row.clock, row.level, row.kind))
    return found


async def keep_alarm(unit: Unit, number: int, alarm: Alarm, *, at: datetime) -> bool:
    """Note that an alarm is raised; False when it was already."""
    clock = {"clock": alarm.clock, "level": alarm.level, "kind": alarm.kind, "due_at": alarm.at}
    return await _keep_once(unit, number, clock, at=at)


async def keep_promise_alarm(unit: Unit, ticket: Ticket, *, at: datetime) -> bool:
    """Note that staff are told of a promise that was not kept, whatever the ticket's level; False when they were."""
    clock = {"clock": "due", "level": FIRST_LEVEL, "kind": "breach", "due_at": ticket.promised_at}
    return await _keep_once(unit, ticket.number, clock, at=at)


async def _keep_once(unit: Unit, number: int, clock: Mapping[str, object], *, at: datetime) -> bool:
    values = {"ticket_number": number, "raised_at": at, **clock}
    done = await unit.execute(unit.insert(t.ticket_alarms).values(values).on_conflict_do_nothing())
    return done.rowcount == 1
