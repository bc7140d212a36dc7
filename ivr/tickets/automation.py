"""Carries out what follows from a change: documenting (OV-12), routing (OV-16, OV-17), SLA clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivr.callbacks import store as callback_store
from ivr.calls import store as call_store
from ivr.desk.ticketing import Ticketing
from ivr.directory.store import partner_of
from ivr.notify.outbox import put_email
from ivr.store.engine import Unit
from ivr.tickets import sla_store, store
from ivr.tickets.emails import partner_email
from ivr.tickets.kinds import missing
from ivr.tickets.model import DONE, Ticket
from ivr.tickets.routing import route

#: Who did it, in a ticket's history, when a rule of the desk did.
RULES = "rules"

#: What a route is made of; when it changes, the route is looked for again.
_ROUTED_BY = ("kind", "customer_id", "programming_min", "on_site", "installation")


async def follow(unit: Unit, before: Ticket | None, after: Ticket, *, at: datetime, policy: Ticketing) -> Ticket:
    """Draw the consequences of a change that is written already; the ticket as it is then.

    `before` is None for a new ticket. Nothing is undone: what was documented stays so, and a partner or a higher
    level is kept.
    """
    ticket = await _document(unit, after, at=at)
    newly = ticket.documented_at is not None and after.documented_at is None
    differs = before is not None and any(getattr(before, name) != getattr(ticket, name) for name in _ROUTED_BY)
    if not _is_judged(ticket) and (newly or (ticket.documented_at is not None and differs)):
        ticket = await _route(unit, ticket, at=at, policy=policy)
    await sla_store.settle(unit, before, ticket, at=at)
    return ticket


async def judge(unit: Unit, ticket: Ticket, *, at: datetime) -> Ticket:
    """A report of a bad call, whose evidence has said already who gets it (OV-24), enters the ordinary process (OV-23).

    It is documented at once, and its clocks begin, unless its cause is outside the demarcation point.
    """
    documented = await _document(unit, ticket, at=at)
    await sla_store.settle(unit, None, documented, at=at)
    return documented


def _is_judged(ticket: Ticket) -> bool:
    return ticket.kind == "call-trace" and ticket.outside is not None


async def _document(unit: Unit, ticket: Ticket, *, at: datetime) -> Ticket:
    if ticket.documented_at is not None or ticket.status in DONE or missing(vars(ticket)):
        return ticket
    values: dict[str, Any] = {"documented_at": at}
    if ticket.status == "new":
        values["status"] = "documented"
    if ticket.answered_at is None and (answered := await _call_answered_at(unit, ticket.call_id)) is not None:
        # The technician who answered the call has answered the ticket: nothing is owed any more.
        values["answered_at"] = answered
    return await _write(unit, ticket, "documented", values, at=at)


async def _call_answered_at(unit: Unit, call_id: str | None) -> datetime | None:
    """Return when one of ours spoke with a caller: in the call itself, or by calling back (OV-9)."""
    times = await call_store.times_of(unit, call_id) if call_id is not None else None
    if times is None or call_id is None:
        return None
    started_at, answered_at = times
    return answered_at or await callback_store.first_spoken(unit, call_id, since=started_at)


async def _route(unit: Unit, ticket: Ticket, *, at: datetime, policy: Ticketing) -> Ticket:
    partner = await partner_of(unit, ticket.customer_id)
    found = route(policy, vars(ticket), partner)
    values: dict[str, Any] = {}
    if found.level != ticket.level:
        values["level"] = found.level
    if found.partner is not None and ticket.partner_id is None:
        values["partner_id"] = found.partner.id
    if not values:
        return ticket
    ticket = await _write(unit, ticket, "routed", values, at=at, why=found.why)
    if "partner_id" in values and found.partner is not None:
        email = partner_email(ticket, found.partner, found.cause)
        if email is not None:
            await put_email(unit, email, at=at)
    return ticket


async def _write(
    unit: Unit, ticket: Ticket, kind: str, values: dict[str, Any], *, at: datetime, **facts: Any
) -> Ticket:
    """Part of the change that it follows from, so of the same version."""
    await store.change(unit, ticket.number, values)
    told = {name: {"from": getattr(ticket, name), "to": value} for name, value in values.items()}
    await store.add_event(
        unit, ticket.number, at=at, who=RULES, kind=kind, changes=told | facts, version=ticket.version
    )
    written = await store.get(unit, ticket.number)
    if written is None:
        raise RuntimeError(f"ticket {ticket.number} is gone within its transaction")
    return written
