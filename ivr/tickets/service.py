"""What staff and other programs do to tickets. Every change is an event with who, when, what and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ivr.desk.hours import Calendar
from ivr.desk.ticketing import Role, Ticketing
from ivr.errors import BadInput, Conflict, NotFound
from ivr.events import EventBus
from ivr.notify.outbox import put_email
from ivr.store.engine import Unit
from ivr.tickets import knowledge_base, store
from ivr.tickets.automation import follow
from ivr.tickets.emails import answer_email, step_email
from ivr.tickets.kinds import missing
from ivr.tickets.model import DONE, Ticket
from ivr.tickets.routing import may_ask
from ivr.tickets.service_requests import Quote, details_of, quoted
from ivr.tickets.workflow import ANSWERS, check_step

#: A desk without promises, routing or rights.
_NO_POLICY = Ticketing()


class TicketNotFound(NotFound):
    """There is no such ticket."""


class TicketChanged(Conflict):
    """The ticket was changed in the meantime."""


async def create(
    unit: Unit,
    fields: Mapping[str, Any],
    *,
    who: str,
    at: datetime,
    key: str | None,
    bus: EventBus,
    policy: Ticketing = _NO_POLICY,
    calendar: Calendar | None = None,
    tell: bool = True,
) -> tuple[Ticket, bool]:
    """A new ticket, and whether it is new: under a `key` that was used before it is the one made then.

    `fields` are a ticket's, checked already but for its details. `policy` is its desk's; with the desk's `calendar` the
    requester of a service reads what it costs. Unless we `tell`, the requester gets no e-mail that confirms it. Raises
    BadInput when the call has a ticket already, when the details are not its kind's, or when contact or partner are not
    the account's.
    """
    values = dict(fields) | {"status": "new", "version": 1, "created_at": at, "updated_at": at, "intake_key": key}
    _check_details(fields.get("kind", ""), fields.get("details"))
    # Made only where somebody needs it: making it costs more than running it.
    account = fields.get("account_number") if fields.get("contact_id") is not None else None
    await _check_people(unit, store.customer_with_account(account) if account else None, fields)
    ticket = await store.add(unit, values)
    if ticket is None:
        known = await store.find(unit, intake_key=key)
        if known is not None:
            return known, False
        raise BadInput(
            field="call_id", problem="this call has a ticket already", mend="change that one: GET /v1/tickets?call_id="
        )
    changes = {name: value for name, value in fields.items() if value is not None}
    await store.add_event(unit, ticket.number, at=at, who=who, kind="created", changes=changes, version=1)
    ticket = await follow(unit, None, ticket, at=at, policy=policy)
    if tell:
        await _tell_requester(unit, ticket, at=at, quote=_quote(ticket, policy, calendar))
    unit.afterwards(lambda: bus.publish("ticket.created", at, ticket.brief()))
    return ticket, True


async def get(unit: Unit, number: int) -> Ticket:
    """A ticket. Raises TicketNotFound."""
    found = await store.get(unit, number)
    if found is None:
        raise TicketNotFound(ticket=number)
    return found


async def change(
    unit: Unit,
    number: int,
    fields: Mapping[str, Any],
    *,
    who: str,
    at: datetime,
    seen_version: int | None,
    bus: EventBus,
    policy: Ticketing = _NO_POLICY,
    reason: str | None = None,
    solution: str | None = None,
    rights: bool = True,
    calendar: Calendar | None = None,
) -> Ticket:
    """Set fields of a ticket; as it is afterwards. What is the same already is no change.

    `policy` is the desk's that it then belongs to, `calendar` as in `create`. With `seen_version`, raises TicketChanged
    unless the ticket is still that version. Raises TicketNotFound, and BadInput for a step that its life does not allow
    or that its requester may not ask for. Without `rights` the latter is left to whoever works on it next (OV-20): an
    answer that came in, or an emergency that is taken, is none the less one.
    """
    before = await _locked(unit, number, seen_version)
    changes = {name: value for name, value in fields.items() if getattr(before, name) != value}
    _check_words(fields, changes, reason=reason, solution=solution)
    if not changes:
        return before
    if "details" in changes or "kind" in changes:
        _check_details(fields.get("kind", before.kind), fields.get("details", before.details))
    values: dict[str, Any] = dict(changes)
    if "account_number" in changes:
        values["customer_id"] = store.customer_with_account(changes["account_number"])
    await _check_people(unit, values.get("customer_id", before.customer_id), changes)
    version = before.version + 1
    await store.change(unit, number, values | {"version": version, "updated_at": at})
    after = await get(unit, number)
    if after.status != before.status:
        lacking = missing(vars(after))
        check_step(before.status, after.status, missing=lacking, reason=reason, solution=solution)
        if rights:
            await _check_right(unit, after, policy)
        if after.answered_at is None and after.status in ANSWERS:
            after = await _answered(unit, after, at=at)
    told: dict[str, Any] = {name: {"from": getattr(before, name), "to": value} for name, value in changes.items()}
    if reason:
        told["reason"] = reason
    if solution and "status" in changes and after.status == "resolved":
        told["solution"] = await knowledge_base.keep(unit, after, solution, who=who, at=at)
    await store.add_event(unit, number, at=at, who=who, kind="changed", changes=told, version=version)
    ticket = await follow(unit, before, after, at=at, policy=policy)
    if ticket.status != before.status:
        quote = _quote(ticket, policy, calendar)
        await _tell_requester(unit, ticket, at=at, reason=reason, solution=solution, quote=quote)
    unit.afterwards(lambda: bus.publish("ticket.updated", at, ticket.brief() | {"changed": sorted(changes)}))
    return ticket


async def answer(
    unit: Unit,
    number: int,
    text: str,
    *,
    who: str,
    at: datetime,
    seen_version: int | None,
    bus: EventBus,
    policy: Ticketing = _NO_POLICY,
) -> Ticket:
    """A technician's answer to the requester, by e-mail; the first one ends the TMR (OV-14).

    Raises TicketNotFound, TicketChanged, and BadInput when no address is known or the ticket is done.
    """
    before = await _locked(unit, number, seen_version)
    if before.status in DONE:
        mend = "open it again first: status reopened, with a reason"
        raise BadInput(field="text", problem=f"the ticket is {before.status}", mend=mend)
    email = answer_email(before, text)
    if email is None:
        mend = "give requester_email first; an answer by telephone is status in-progress"
        raise BadInput(field="requester_email", problem="no e-mail address is known", mend=mend)
    await put_email(unit, email, at=at)
    version = before.version + 1
    await store.change(unit, number, {"version": version, "updated_at": at})
    after = await get(unit, number)
    if after.answered_at is None:
        after = await _answered(unit, after, at=at)
    await store.add_event(unit, number, at=at, who=who, kind="answered", changes={"text": text}, version=version)
    ticket = await follow(unit, before, after, at=at, policy=policy)
    unit.afterwards(lambda: bus.publish("ticket.updated", at, ticket.brief() | {"changed": ["answered"]}))
    return ticket


async def _locked(unit: Unit, number: int, seen_version: int | None) -> Ticket:
    found = await store.lock(unit, number)
    if found is None:
        raise TicketNotFound(ticket=number)
    if seen_version is not None and seen_version != found.version:
        raise TicketChanged(ticket=number, seen=seen_version, current=found.version)
    return found


async def _answered(unit: Unit, ticket: Ticket, *, at: datetime) -> Ticket:
    await store.change(unit, ticket.number, {"answered_at": at})
    return await get(unit, ticket.number)


def _quote(ticket: Ticket, policy: Ticketing, calendar: Calendar | None) -> Quote | None:
    if calendar is None:
        return None
    return quoted(ticket.kind, ticket.details, asked_at=ticket.created_at, calendar=calendar, offered=policy.services)


async def _tell_requester(
    unit: Unit,
    ticket: Ticket,
    *,
    at: datetime,
    reason: str | None = None,
    solution: str | None = None,
    quote: Quote | None = None,
) -> None:
    email = step_email(ticket, missing=missing(vars(ticket)), reason=reason, solution=solution, quote=quote)
    if email is not None:
        await put_email(unit, email, at=at)


def _check_details(kind: str, details: Mapping[str, Any] | None) -> None:
    if details is not None:
        details_of(kind, details)


def _check_words(
    fields: Mapping[str, Any], changes: Mapping[str, Any], *, reason: str | None, solution: str | None
) -> None:
    """Refuse words that nobody would ever read; a change that was made already may be asked for again."""
    if solution is not None and fields.get("status") != "resolved":
        mend = "give status resolved with it"
        raise BadInput(field="solution", problem="a solution is kept when a ticket is resolved", mend=mend)
    if reason is not None and not changes and "status" not in fields:
        mend = "give what is to be different, or answer the ticket"
        raise BadInput(field="reason", problem="nothing changes, so there is nothing to give a reason for", mend=mend)


async def _check_people(unit: Unit, customer: Any, given: Mapping[str, Any]) -> None:
    """Refuse a contact of another account than `customer` (an id, or what selects it), and an unknown partner."""
    contact_id = given.get("contact_id")
    if contact_id is not None:
        known = await store.contacts_of(unit, customer)
        if contact_id not in {contact.id for contact in known}:
            names = ", ".join(f"{contact.id} ({contact.name})" for contact in known)
            mend = f"give one of {names}" if names else "give account_number first"
            raise BadInput(field="contact_id", problem="this is no contact of the account", mend=mend)
    partner_id = given.get("partner_id")
    if partner_id is not None and await store.partner(unit, partner_id) is None:
        mend = "give the id of a partner of the directory, or null"
        raise BadInput(field="partner_id", problem="there is no such partner", mend=mend)
    incident_id = given.get("incident_id")
    if incident_id is not None and not await store.is_incident(unit, incident_id):
        mend = "give the id of an incident, or null"
        raise BadInput(field="incident_id", problem="there is no such incident", mend=mend)


async def _check_right(unit: Unit, ticket: Ticket, policy: Ticketing) -> None:
    """Refuse to work on what the requester may not ask for (OV-20)."""
    if ticket.status not in ANSWERS or ticket.status == "waiting-requester" or ticket.kind not in policy.asking:
        return
    known = await store.contacts_of(unit, ticket.customer_id)
    partner = await store.partner_of(unit, ticket.customer_id)
    asks = next((contact for contact in known if contact.id == ticket.contact_id), None)
    role: Role | None = asks.kind if asks is not None else None
    if asks is not None and asks.kind == "utilisateur" and ticket.kind in asks.rights:
        return
    if partner is not None and partner.email is not None and partner.email == ticket.requester_email:
        role = "partenaire"
    if may_ask(policy, ticket.kind, role):
        return
    roles = policy.asking[ticket.kind]
    names = ", ".join(f"{one.id} ({one.name})" for one in known if one.kind in roles)
    mend = f"have it confirmed and give contact_id {names}" if names else "have the account's administrator ask for it"
    problem = f"{ticket.kind} is asked for by {' or '.join(roles)}, not by {role or 'someone unknown'}"
    raise BadInput(field="contact_id", problem=problem, mend=mend)
