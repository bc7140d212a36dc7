"""Enters a report: ticket, trace, evidence and e-mails in one transaction; and what follows from several reports."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json

from ivr.calltrace import emails, store
from ivr.calltrace.intake import TraceIntake
from ivr.calltrace.rules import LEVELS, Route, route_of, together
from ivr.directory import store as directory
from ivr.events import EventBus
from ivr.notify.outbox import put_email
from ivr.quality import words
from ivr.store.engine import Unit
from ivr.tickets import sla_store
from ivr.tickets import store as ticket_store
from ivr.tickets.automation import judge
from ivr.tickets.intake import Notice
from ivr.tickets.intake_commit import values_of

LINE = "line"
#: What is locked while proposals of incidents change.
PROPOSALS = "incident proposals"
_MORE_URGENT = ("normale", "moyenne", "haute", "urgente")


@dataclass(frozen=True, kw_only=True)
class Entered:
    """The report's ticket and trace; `again` when the call had been reported before."""

    ticket_number: int
    trace_id: str
    again: bool


async def enter(unit: Unit, intake: TraceIntake, *, bus: EventBus | None = None, public_url: str = "") -> Entered:
    """The ticket of the report's call: a new one, or the one that it has already (OV-23).

    `public_url` is where readers of e-mails find us.
    """
    await unit.alone("call trace", intake.key)
    known = await store.by_key(unit, intake.key)
    if known is not None:
        return await _again(unit, intake, known)
    requester = intake.requester
    customer_id = requester.customer_id
    unanswered = customer_id is not None and await store.unanswered(unit, customer_id)
    route = route_of(intake.verdict, partner=intake.partner is not None)
    ticket = await ticket_store.add(unit, _ticket_values(intake) | await _led(unit, intake, route))
    if ticket is None:
        raise RuntimeError(f"ticket {intake.key} is there without its trace")
    number = ticket.number
    trace_id = uuid.uuid4().hex
    state = "unanswered" if unanswered else "new"
    await store.add(unit, _trace_values(intake, trace_id, number, route, state), intake.packets)
    changes = {
        "trace": trace_id,
        "verdict": intake.cause,
        "route": route,
        "partner": intake.partner.name if intake.partner else None,
        "state": state,
    }
    await ticket_store.add_event(unit, number, at=intake.at, who=LINE, kind="created", changes=changes, version=1)
    for email in emails.emails(intake, trace_id=trace_id, number=number, unanswered=unanswered, public_url=public_url):
        await put_email(unit, email, at=intake.at)
    if not unanswered:
        # One that may be ignored (OV-25) waits, new, for staff to decide.
        ticket = await judge(unit, ticket, at=intake.at)
    advised = words.advice(intake.verdict, intake.language)
    if advised is not None and customer_id is not None and not unanswered:
        await store.recommend(unit, customer_id=customer_id, trace_id=trace_id, text=advised, at=intake.at)
    if bus is not None:
        told: dict[str, Any] = {"id": trace_id, "ticket": str(number), "device": intake.device, "verdict": intake.cause}
        told |= {"mos": intake.mos, "route": route, "state": state}
        unit.afterwards(lambda: bus.publish("ticket.created", intake.at, ticket.brief()))
        unit.afterwards(lambda: bus.publish("call-trace.reported", intake.at, told))
    return Entered(ticket_number=number, trace_id=trace_id, again=False)


async def _again(unit: Unit, intake: TraceIntake, known: dict[str, Any]) -> Entered:
    number = known["ticket_number"]
    if intake.report_id not in known["report_ids"]:
        report_ids = [*known["report_ids"], intake.report_id]
        await store.change(unit, known["id"], {"report_ids": report_ids})
        ticket = await ticket_store.lock(unit, number)
        if ticket is not None:
            told = {"reports": len(report_ids)}
            await ticket_store.note(unit, ticket, at=intake.at, who=LINE, kind="reported-again", changes=told)
    again = known["report_ids"] != [intake.report_id]
    return Entered(ticket_number=number, trace_id=known["id"], again=again)


async def known_as(unit: Unit, intake: TraceIntake) -> bool:
    """Return whether the trace has these figures and packets already."""
    known = await store.by_key(unit, intake.key)
    if known is None or known["legs"] != from_json(to_json(intake.legs())):
        return False
    return await store.of_report(unit, known["id"]) == intake.packets


async def refresh(unit: Unit, intake: TraceIntake, *, public_url: str = "") -> bool:
    """Take up what arrived since the report was entered; whether the finding is another one now."""
    await unit.alone("call trace", intake.key)
    known = await store.by_key(unit, intake.key)
    if known is None:
        return False
    route = route_of(intake.verdict, partner=intake.partner is not None)
    values = _trace_values(intake, known["id"], known["ticket_number"], route, known["state"])
    fixed = ("id", "key", "report_ids", "reported_at", "source", "state")
    await store.change(unit, known["id"], {name: value for name, value in values.items() if name not in fixed})
    await store.put_packets(unit, known["id"], intake.packets)
    if (known["cause"], known["mos"]) == (intake.cause, intake.mos):
        return False
    if known["cause"] != intake.cause:
        await _tell_anew(unit, intake, known, public_url)
    ticket = await ticket_store.lock(unit, known["ticket_number"])
    if ticket is None or ticket.status not in ("new", "documented") or ticket.answered_at is not None:
        return False
    changes: dict[str, Any] = {
        "observed": emails.summary(intake, intake.notice.language),
        **await _led(unit, intake, route),
    }
    if _MORE_URGENT.index(intake.priority) > _MORE_URGENT.index(ticket.priority or "normale"):
        changes["priority"] = intake.priority
    told = {"verdict": {"from": known["cause"], "to": intake.cause}, "route": route}
    await ticket_store.note(unit, ticket, at=intake.at, who=LINE, kind="evidence", changes=told, values=changes)
    after = await ticket_store.get(unit, ticket.number)
    if after is not None:
        await sla_store.settle(unit, ticket, after, at=intake.at)
    return True


async def _tell_anew(unit: Unit, intake: TraceIntake, known: dict[str, Any], public_url: str) -> None:
    """Tell the new finding to those who were told the old one; the customer is held to the new advice only."""
    unanswered = known["state"] == "unanswered"
    customer_id, before = known["customer_id"], replace(intake.verdict, cause=known["cause"])
    advised, was = (words.advice(one, intake.language) for one in (intake.verdict, before))
    if customer_id is not None and not unanswered:
        await store.withdraw(unit, known["id"])
        if advised is not None:
            await store.recommend(unit, customer_id=customer_id, trace_id=known["id"], text=advised, at=intake.at)
    number = known["ticket_number"]
    for email in emails.emails(
        intake, trace_id=known["id"], number=number, unanswered=unanswered, anew=True, public_url=public_url
    ):
        if email.to != intake.requester.email or advised != was:
            await put_email(unit, email, at=intake.at)


async def _led(unit: Unit, intake: TraceIntake, route: Route) -> dict[str, Any]:
    """Return who gets the ticket by the verdict: a partner, or our own level.

    Also returns whether any promise is owed (OV-18).
    """
    partner = None
    if route == "partner":
        partner = await directory.partner_of(unit, intake.requester.customer_id)
    return {
        "level": LEVELS.get(route),
        "partner_id": partner.id if partner is not None else None,
        "outside": intake.verdict.outside,
    }


def _ticket_values(intake: TraceIntake) -> dict[str, Any]:
    local = (intake.started or intake.at).astimezone(ZoneInfo(intake.notice.timezone))
    example = {
        "date": local.date().isoformat(),
        "time": f"{local:%H:%M}",
        "extension": intake.device,
        "number": intake.other,
    }
    return {
        "kind": "call-trace",
        "status": "new",
        "priority": intake.priority,
        "desk": intake.desk,
        "department": intake.department,
        "language": intake.language,
        "reference": intake.reference,
        "intake_key": intake.key,
        "incident_id": intake.incident_id,
        **values_of(intake.requester),
        "observed": emails.summary(intake, intake.notice.language),
        "examples": [example],
        "version": 1,
        "created_at": intake.at,
        "updated_at": intake.at,
    }


def _trace_values(intake: TraceIntake, trace_id: str, number: int, route: Route, state: str) -> dict[str, Any]:
    return {
        "id": trace_id,
        "key": intake.key,
        "ticket_number": number,
        "source": intake.source,
        "linkedid": intake.linkedid,
        "device": intake.device,
        "other": intake.other,
        "direction": intake.direction,
        "customer_id": intake.requester.customer_id,
        "account_number": intake.requester.account_number,
        "language": intake.language,
        "started_at": intake.started,
        "reported_at": intake.at,
        "report_ids": [intake.report_id],
        "mos": intake.mos,
        "cause": intake.cause,
        "confidence": intake.confidence,
        "reasons": [{"key": reason.key, "values": dict(reason.values)} for reason in intake.reasons],
        "route": route,
        "state": state,
        "trunk": intake.trunk,
        "site": intake.site,
        "codec": intake.codec,
        "legs": intake.legs(),
    }


async def propose_incidents(
    unit: Unit, notice_: Notice, now: datetime, *, bus: EventBus | None = None, public_url: str = ""
) -> int:
    """Several recent reports that share something are proposed to operations as an incident, once; how many are new."""
    await unit.alone(PROPOSALS)
    new = 0
    for found in together(await store.recent(unit, now), now):
        shared = await store.undismissed(unit, found, now)
        proposed = await store.propose(unit, shared, now)
        if proposed is None:
            continue
        proposal, change = proposed
        if change == "proposed":
            new += 1
            lines = [emails.page_of(one, public_url) for one in shared.traces]
            email = emails.together_email(shared, notice_.recipient, notice_.language, lines)
            await put_email(unit, email, at=now)
        told = {"id": proposal, "shared": shared.by, "value": shared.value, "traces": list(shared.traces)}
        if bus is not None:
            kind = f"incident.{change}"
            unit.afterwards(partial(bus.publish, kind, now, told))
    return new
