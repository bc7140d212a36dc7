"""What staff and other programs do to tickets. Every change is an event with who, when, what and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.desk.ticketing import Ticketing
from ivr.directory.store import customer_with_account
from ivr.errors import BadInput, Conflict, NotFound
from ivr.events import EventBus
from ivr.notify.outbox import put_email
from ivr.store.engine import Unit
from ivr.tickets import knowledge_base, sla_store, store
from ivr.tickets.automation import follow
from ivr.tickets.checks import check_details, check_people, check_right, check_words
from ivr.tickets.emails import answer_email, step_email
from ivr.tickets.kinds import missing
from ivr.tickets.model import DONE, Ticket
from ivr.tickets.routing import FIRST_LEVEL, LAST_LEVEL
from ivr.tickets.service_requests import Quote, quoted
from ivr.tickets.sla import Name, Span
from ivr.tickets.views import ClockState, NearBreach, Promises, TicketDetail, clock_state
from ivr.tickets.workflow import ANSWERS, allowed, check_step

_CLOCKS: tuple[Name, ...] = get_args(Name)
#: Tickets of a month that are looked at, some at a time.
_AT_ONCE = 500


class TicketNotFound(NotFound):
    """There is no such ticket."""


class TicketChanged(Conflict):
    """The ticket was changed in the meantime."""


async def get(unit: Unit, number: int) -> Ticket:
    """Return a ticket. Raises TicketNotFound."""
    found = await store.get(unit, number)
    if found is None:
        raise TicketNotFound(ticket=number)
    return found


@dataclass(frozen=True, kw_only=True)
class Tickets:
    """What may be done to the tickets of some desks. Each change is one version and one entry of the history."""

    desks: Mapping[str, Desk]
    bus: EventBus
    clock: Clock
    #: By desk, then by department. With these, requesters of a service read what it costs.
    calendars: Mapping[str, Mapping[str, Calendar]] = field(default_factory=dict)

    def policy(self, desk: str) -> Ticketing:
        """Return a desk's promises, routing and rights; none for a desk that is gone."""
        if desk in self.desks:
            return self.desks[desk].tickets
        return Ticketing()

    def quote(self, ticket: Ticket) -> Quote | None:
        """Return what a service request costs, as of when it was asked for; None while not enough is known."""
        calendar = self._calendar(ticket.desk)
        if calendar is None:
            return None
        offered = self.policy(ticket.desk).services
        return quoted(ticket.kind, ticket.details, asked_at=ticket.created_at, calendar=calendar, offered=offered)

    def clock_of(self, ticket: Ticket, name: Name, spans: Sequence[Span]) -> ClockState:
        """Return how a ticket's TMR or TR stands now."""
        calendar = self.calendars.get(ticket.desk, {}).get(ticket.department)
        return clock_state(ticket, name, spans, policy=self.policy(ticket.desk), calendar=calendar, now=self.clock())

    async def read(self, unit: Unit, number: int) -> TicketDetail:
        """Return a ticket with all that belongs to it. Raises TicketNotFound."""
        ticket = await get(unit, number)
        spans = (await sla_store.spans(unit, [number])).get(number, {})
        return TicketDetail(
            ticket=ticket,
            missing=missing(vars(ticket)),
            next=allowed(ticket.status),
            clocks={name: self.clock_of(ticket, name, found) for name, found in spans.items()},
            history=await store.events(unit, number),
            messages=await store.messages(unit, number=number),
            quote=self.quote(ticket),
        )

    async def near_breach(self, unit: Unit, limit: int) -> list[NearBreach]:
        """Return open tickets with a running clock, by when it is beyond its limit, the earliest first."""
        numbers = await store.first_due(unit, 4 * limit)
        tickets = {one.number: one for one in await store.several(unit, numbers)}
        found = []
        for number, clocks in (await sla_store.spans(unit, numbers)).items():
            for name, spans in clocks.items():
                clock, ticket = self.clock_of(tickets[number], name, spans), tickets[number]
                if clock.running and clock.limit_at is not None:
                    found.append(
                        NearBreach(ticket=ticket, clock=name, limit_at=clock.limit_at, breached=clock.breached)
                    )
        return sorted(found, key=lambda one: one.limit_at)[:limit]

    async def promises(self, unit: Unit, start: datetime, end: datetime) -> dict[tuple[int, Name], Promises]:
        """Return by level and clock what was promised of the tickets opened from `start` to before `end` (OV-15)."""
        levels = range(FIRST_LEVEL, LAST_LEVEL + 1)
        found = {(level, name): Promises() for level in levels for name in _CLOCKS}
        numbers = await store.opened_between(unit, start, end)
        for place in range(0, len(numbers), _AT_ONCE):
            some = numbers[place : place + _AT_ONCE]
            spans = await sla_store.spans(unit, some)
            for ticket in await store.several(unit, some):
                for name, ran in spans.get(ticket.number, {}).items():
                    found[ticket.level or FIRST_LEVEL, name].count(self.clock_of(ticket, name, ran))
        return found

    async def open(
        self, unit: Unit, fields: Mapping[str, Any], *, by: str, repeat_key: str | None = None
    ) -> tuple[Ticket, bool]:
        """Open a ticket as `create` does, for a program that may repeat itself under a key of its own.

        Without a desk it is the main one's; without a department the one that its desk routes the kind to, else its
        operator. Raises BadInput as `create`, and for a desk or department that is not there.
        """
        desk = fields.get("desk") or main_of(self.desks).id
        department = fields.get("department")
        self._check_desk(desk, department)
        if department is None:
            department = self.policy(desk).routing.departments.get(fields["kind"]) or self.desks[desk].menu.operator
        key = f"api:{by}:{repeat_key}" if repeat_key else None
        return await self.create(unit, {**fields, "desk": desk, "department": department}, by=by, key=key)

    async def create(
        self, unit: Unit, fields: Mapping[str, Any], *, by: str, key: str | None = None, tell: bool = True
    ) -> tuple[Ticket, bool]:
        """Write a new ticket; return it, and whether it is new: under a `key` used before it is the one made then.

        `fields` are a ticket's, checked already but for its details. Unless we `tell`, the requester gets no e-mail
        that confirms it. Raises BadInput when the call has a ticket already, when the details are not its kind's, or
        when contact, partner or incident do not fit.
        """
        at = self.clock()
        values = dict(fields) | {"status": "new", "version": 1, "created_at": at, "updated_at": at, "intake_key": key}
        check_details(fields.get("kind", ""), fields.get("details"))
        # Made only where somebody needs it: making it costs more than running it.
        account = None
        if fields.get("contact_id") is not None:
            account = fields.get("account_number")
        await check_people(unit, customer_with_account(account) if account else None, fields)
        ticket = await store.add(unit, values)
        if ticket is None:
            known = await store.find(unit, intake_key=key)
            if known is not None:
                return known, False
            mend = "change that one: GET /v1/tickets?call_id="
            raise BadInput(field="call_id", problem="this call has a ticket already", mend=mend)
        changes = {name: value for name, value in fields.items() if value is not None}
        await store.add_event(unit, ticket.number, at=at, who=by, kind="created", changes=changes, version=1)
        ticket = await follow(unit, None, ticket, at=at, policy=self.policy(ticket.desk))
        if tell:
            await self._tell_requester(unit, ticket, at=at)
        unit.afterwards(lambda: self.bus.publish("ticket.created", at, ticket.brief()))
        return ticket, True

    async def change(
        self,
        unit: Unit,
        number: int,
        fields: Mapping[str, Any],
        *,
        by: str,
        seen: int | None = None,
        reason: str | None = None,
        solution: str | None = None,
        rights: bool = True,
    ) -> Ticket:
        """Set fields of a ticket; return it as it is afterwards. What is the same already is no change.

        With the version `seen`, raises TicketChanged unless the ticket is still that. Raises TicketNotFound, and
        BadInput for a desk or department that is not there, and for a step that its life does not allow or that its
        requester may not ask for. Without `rights` the latter is left to whoever works on it next (OV-20): an answer
        that came in, or an emergency that is taken, is none the less one.
        """
        at, before = self.clock(), await _locked(unit, number, seen)
        if "desk" in fields or "department" in fields:
            self._check_desk(fields.get("desk", before.desk), fields.get("department", before.department))
        changes = {name: value for name, value in fields.items() if getattr(before, name) != value}
        check_words(fields, changes, reason=reason, solution=solution)
        if not changes:
            return before
        if "details" in changes or "kind" in changes:
            check_details(fields.get("kind", before.kind), fields.get("details", before.details))
        values: dict[str, Any] = dict(changes)
        if "account_number" in changes:
            values["customer_id"] = customer_with_account(changes["account_number"])
        await check_people(unit, values.get("customer_id", before.customer_id), changes)
        version = before.version + 1
        await store.change(unit, number, values | {"version": version, "updated_at": at})
        after = await get(unit, number)
        policy = self.policy(after.desk)
        if after.status != before.status:
            lacking = missing(vars(after))
            check_step(before.status, after.status, missing=lacking, reason=reason, solution=solution)
            if rights:
                await check_right(unit, after, policy)
            if after.answered_at is None and after.status in ANSWERS:
                after = await _answered(unit, after, at=at)
        told: dict[str, Any] = {name: {"from": getattr(before, name), "to": value} for name, value in changes.items()}
        if reason:
            told["reason"] = reason
        if solution and "status" in changes and after.status == "resolved":
            told["solution"] = await knowledge_base.keep(unit, after, solution, who=by, at=at)
        await store.add_event(unit, number, at=at, who=by, kind="changed", changes=told, version=version)
        ticket = await follow(unit, before, after, at=at, policy=policy)
        if ticket.status != before.status:
            await self._tell_requester(unit, ticket, at=at, reason=reason, solution=solution)
        self._publish(unit, ticket, changed=sorted(changes), at=at)
        return ticket

    async def answer(self, unit: Unit, number: int, text: str, *, by: str, seen: int | None = None) -> Ticket:
        """Answer the requester by e-mail; the first answer ends the TMR (OV-14). Return the ticket afterwards.

        Raises TicketNotFound, TicketChanged, and BadInput when no address is known or the ticket is done.
        """
        at, before = self.clock(), await _locked(unit, number, seen)
        if before.status in DONE:
            mend = "open it again first: status reopened, with a reason"
            raise BadInput(field="text", problem=f"the ticket is {before.status}", mend=mend)
        email = answer_email(before, text)
        if email is None:
            mend = "give requester_email first; an answer by telephone is status in-progress"
            raise BadInput(field="requester_email", problem="no e-mail address is known", mend=mend)
        await put_email(unit, email, at=at)
        await store.note(unit, before, at=at, who=by, kind="answered", changes={"text": text})
        after = await get(unit, number)
        if after.answered_at is None:
            after = await _answered(unit, after, at=at)
        ticket = await follow(unit, before, after, at=at, policy=self.policy(before.desk))
        self._publish(unit, ticket, changed=["answered"], at=at)
        return ticket

    def _calendar(self, desk: str) -> Calendar | None:
        """Return the one in which a desk's service requests are counted: its operator's."""
        if desk not in self.desks:
            return None
        return self.calendars.get(desk, {}).get(self.desks[desk].menu.operator)

    def _check_desk(self, desk: str, department: str | None) -> None:
        if desk not in self.desks:
            mend = f"give one of {', '.join(self.desks)}"
            raise BadInput(field="desk", problem=f"there is no desk {desk}", mend=mend)
        known = self.desks[desk].departments
        if department is not None and department not in known:
            problem = f"desk {desk} has no department {department}"
            raise BadInput(field="department", problem=problem, mend=f"give one of {', '.join(known)}")

    def _publish(self, unit: Unit, ticket: Ticket, *, changed: list[str], at: datetime) -> None:
        unit.afterwards(lambda: self.bus.publish("ticket.updated", at, ticket.brief() | {"changed": changed}))

    async def _tell_requester(
        self, unit: Unit, ticket: Ticket, *, at: datetime, reason: str | None = None, solution: str | None = None
    ) -> None:
        lacking, quote = missing(vars(ticket)), self.quote(ticket)
        email = step_email(ticket, missing=lacking, reason=reason, solution=solution, quote=quote)
        if email is not None:
            await put_email(unit, email, at=at)


async def _locked(unit: Unit, number: int, seen: int | None) -> Ticket:
    found = await store.lock(unit, number)
    if found is None:
        raise TicketNotFound(ticket=number)
    if seen is not None and seen != found.version:
        raise TicketChanged(ticket=number, seen=seen, current=found.version)
    return found


async def _answered(unit: Unit, ticket: Ticket, *, at: datetime) -> Ticket:
    await store.change(unit, ticket.number, {"answered_at": at})
    return await get(unit, ticket.number)
