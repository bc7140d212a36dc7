"""Tickets: open, read, change."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, field_validator

from api.common import Given, Has, Line, Page, PageQuery, Short, Text, Who, bad_cursor, make_cursor, read_cursor
from api.deps import Services
from api.quotes import QuoteView, quote_view
from ivr.desk.hours import Calendar
from ivr.desk.ticketing import Ticketing
from ivr.errors import BadInput
from ivr.tickets import service as ticket_service
from ivr.tickets import sla_store, store
from ivr.tickets.kinds import missing
from ivr.tickets.model import Impact, Priority, Status, Ticket
from ivr.tickets.routing import FIRST_LEVEL
from ivr.tickets.service_requests import quoted
from ivr.tickets.sla import Name, Span, alarms, counted_for, elapsed, limits_of
from ivr.tickets.workflow import allowed

router = APIRouter(tags=["tickets"])

_MAC = re.compile(r"([0-9a-f]{2})[:.-]?" * 5 + r"([0-9a-f]{2})")
#: Larger than any ticket's number, and what the databases' integers still hold.
_HIGHEST = 2**31 - 1


def _mac(text: str) -> str:
    found = _MAC.fullmatch(text.lower())
    if found is None:
        raise ValueError("this is not a MAC address; write it as 00:15:65:a1:b2:c3")
    return ":".join(found.groups())


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+\.[^@\s<>,;:\"]+", text):
        raise ValueError("this is not an e-mail address; write it as name@example.com")
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Address = Annotated[Text, Field(max_length=500)]
Number = Annotated[str, Path(pattern=r"^[0-9]{1,10}$", description="The ticket's number.", examples=["100001"])]


Id = Annotated[int, Field(ge=1, le=_HIGHEST)]


class Example(Given):
    """One time that it happened (OV-12)."""

    date: dt.date | None = None
    time: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    extension: Short | None = None
    number: Short | None = None


class Fields(Given):
    """What OV-12 asks for. Null means unknown."""

    requester_name: Line | None = None
    requester_contact: Line | None = Field(default=None, description="How to reach the requester best.")
    requester_address: Address | None = None
    requester_phone: Short | None = None
    requester_email: Email | None = None
    account_number: Short | None = None
    account_name: Line | None = None
    account_address: Address | None = None
    account_phone: Short | None = None
    service: Line | None = Field(default=None, description="The service or feature.")
    observed: Text | None = Field(default=None, description="What is observed.")
    examples: Annotated[list[Example], Field(max_length=20)] | None = Field(
        default=None, description="Two or three specific examples."
    )
    expected: Text | None = Field(default=None, description="What is expected instead.")
    impact: Impact | None = Field(default=None, description="One employee or several.")
    mac: Annotated[str, AfterValidator(_mac)] | None = Field(
        default=None, description="Of the device.", examples=["00:15:65:a1:b2:c3"]
    )
    attempted: Text | None = Field(default=None, description="Solutions attempted.")
    priority: Priority | None = None
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = None
    contact_id: Id | None = Field(default=None, description="Of the account's contact who asks.")
    partner_id: Id | None = Field(default=None, description="Of the partner who has the ticket.")
    incident_id: Id | None = Field(default=None, description="Of the incident that it is about.")
    details: dict[str, Any] | None = Field(
        default=None, description="What its kind asks for beyond this; GET /v1/kinds describes it."
    )
    programming_min: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None, description="Minutes of programming that it takes."
    )
    on_site: bool | None = Field(default=None, description="It takes a visit.")
    installation: bool | None = Field(default=None, description="It takes knowledge of the installation.")
    outside: bool | None = Field(default=None, description="Its cause is outside the demarcation point: no clock runs.")


class NewTicket(Fields):
    """A ticket to open."""

    kind: Slug = "request"
    desk: Slug | None = Field(default=None, description="Without it, the main desk.")
    department: Slug | None = Field(default=None, description="Without it, the desk's operator.")
    call_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z-]{1,40}$")] | None = None


class TicketChange(Fields):
    """What is to be different. A field that is not given stays; null makes it unknown."""

    version: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Refuse when the ticket is not this version any more; or send If-Match."
    )
    status: Status | None = None
    kind: Slug | None = None
    desk: Slug | None = None
    department: Slug | None = None
    reason: Text | None = Field(
        default=None, description="Why; asked for when a ticket is closed unresolved or opened again."
    )
    solution: Text | None = Field(
        default=None, description="What solved it; asked for by status resolved, and kept for all to find."
    )

    @field_validator("status", "kind", "desk", "department")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None:
            raise ValueError("this cannot be unknown; leave it out to keep it")
        return value


class Answer(Given):
    """What a technician answers."""

    text: Text
    version: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Refuse when the ticket is not this version any more; or send If-Match."
    )


class TicketView(BaseModel):
    """A ticket. What is null is not known."""

    number: str
    kind: str
    status: Status
    priority: Priority | None
    level: int | None
    desk: str
    department: str
    language: str | None
    reference: str | None
    call_id: str | None
    customer_id: int | None
    contact_id: int | None
    partner_id: int | None
    incident_id: int | None = Field(description="The incident that it is about.")
    requester_name: str | None
    requester_contact: str | None
    requester_address: str | None
    requester_phone: str | None
    requester_email: str | None
    account_number: str | None
    account_name: str | None
    account_address: str | None
    account_phone: str | None
    service: str | None
    observed: str | None
    examples: list[dict[str, Any]] | None
    expected: str | None
    impact: Impact | None
    mac: str | None
    attempted: str | None
    details: dict[str, Any] | None
    programming_min: int | None
    on_site: bool | None
    installation: bool | None
    outside: bool | None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    documented_at: AwareDatetime | None = Field(description="When all that its kind asks for was there.")
    answered_at: AwareDatetime | None = Field(description="When a technician first answered it or worked on it.")
    promised_at: AwareDatetime | None = Field(
        description="Until when whoever left a message out of hours was promised an answer."
    )


class MissingView(BaseModel):
    """What a ticket still lacks to be documented."""

    field: str
    instead: list[str] = Field(description="Fields that would do as well.")
    mend: str


class ClockView(BaseModel):
    """TMR or TR, in seconds of the desk's working time; of urgent tickets around the clock."""

    running: bool
    level: int
    elapsed_s: int
    warning_at: AwareDatetime | None = Field(description="When staff are warned, as things stand.")
    limit_at: AwareDatetime | None = Field(description="When the promise is broken, as things stand.")
    breached: bool


class TicketEvent(BaseModel):
    """One entry of a ticket's history."""

    at: AwareDatetime
    who: str
    kind: str
    changes: dict[str, Any]
    version: int


class VoiceMessageView(BaseModel):
    """A recording that belongs to a ticket."""

    id: int
    ticket: str
    call_id: str | None
    desk: str
    department: str
    language: str
    number: str | None
    endpoint: str | None
    seconds: float
    urgent: bool
    created_at: AwareDatetime
    audio: str = Field(description="Where to listen to it.")
    transcript: str | None = Field(default=None, description="What a recogniser took it to say, where there is one.")


class TicketDetail(TicketView):
    """A ticket with its history and voice messages, the oldest first."""

    missing: list[MissingView]
    next: list[Status] = Field(description="What its status may be changed to.")
    clocks: dict[Name, ClockView] = Field(description="Those that have begun.")
    history: list[TicketEvent]
    messages: list[VoiceMessageView]
    quote: QuoteView | None = Field(
        description="What a service request costs, as of when it was asked for; null while not enough is known."
    )


class TicketQuery(PageQuery):
    """Which tickets."""

    status: Status | None = None
    priority: Priority | None = None
    desk: Slug | None = None
    department: Slug | None = None
    account_number: Short | None = None
    kind: Slug | None = None
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    customer_id: Id | None = None
    partner_id: Id | None = None
    incident_id: Id | None = None
    call_id: Short | None = None
    open: bool = Field(default=False, description="Only those that are not resolved or closed.")


def message_view(row: dict[str, Any]) -> dict[str, Any]:
    """A message's row as it is told."""
    number = str(row["ticket_number"])
    return row | {"ticket": number, "audio": f"/v1/messages/{row['id']}/audio"}


@router.post("/tickets", status_code=201, responses={200: {"description": "It was opened before, under this key."}})
async def open_ticket(
    given: NewTicket,
    response: Response,
    has: Has,
    who: Who,
    idempotency_key: Annotated[
        str | None, Header(max_length=100, pattern=r"^[!-~]+$", description="Repeating it opens no second ticket.")
    ] = None,
) -> TicketView:
    """Open a ticket. Every field may be left out; none is guessed."""
    desk = given.desk or next(iter(has.desks))
    fields = given.model_dump(mode="json") | {"desk": desk}
    _check_desk(has, desk, given.department)
    policy = has.desks[desk].tickets
    fields["department"] = (
        given.department or policy.routing.departments.get(given.kind) or has.desks[desk].menu.operator
    )
    key = f"api:{who.name}:{idempotency_key}" if idempotency_key else None
    async with has.store.unit() as unit:
        ticket, new = await ticket_service.create(
            unit,
            fields,
            who=who.name,
            at=has.clock(),
            key=key,
            bus=has.bus,
            policy=policy,
            calendar=_calendar(has, desk),
        )
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/tickets/{ticket.number}"
    return _told(ticket, response)


@router.get("/tickets")
async def list_tickets(query: Annotated[TicketQuery, Query()], has: Has) -> Page[TicketView]:
    """Tickets, the newest first."""
    filters = query.model_dump(exclude={"limit", "cursor", "open"}, exclude_none=True)
    after = read_cursor(query.cursor, 1)
    if after is not None and not re.fullmatch(r"[0-9]{1,10}", after[0], re.ASCII):
        raise bad_cursor()
    async with has.store.reading() as unit:
        found = await store.page(
            unit,
            filters=filters,
            only_open=query.open,
            before=int(after[0]) if after else None,
            limit=query.limit + 1,
        )
    shown = found[: query.limit]
    following = make_cursor(str(shown[-1].number)) if len(found) > len(shown) else None
    return Page(items=[TicketView(**ticket.facts()) for ticket in shown], next=following)


@router.get("/tickets/{number}")
async def read_ticket(number: Number, response: Response, has: Has) -> TicketDetail:
    """A ticket with its history and voice messages. The ETag is its version."""
    async with has.store.reading() as unit:
        ticket = await ticket_service.get(unit, _number(number))
        history = await store.events(unit, ticket.number)
        messages = await store.messages(unit, number=ticket.number)
        spans = (await sla_store.spans(unit, [ticket.number])).get(ticket.number, {})
    response.headers["ETag"] = f'"{ticket.version}"'
    return TicketDetail(
        **ticket.facts(),
        missing=[MissingView(**vars(one)) for one in missing(vars(ticket))],
        next=allowed(ticket.status),
        clocks={name: clock_view(has, ticket, name, found) for name, found in spans.items()},
        history=[TicketEvent(**event) for event in history],
        messages=[VoiceMessageView(**message_view(row)) for row in messages],
        quote=_quote(has, ticket),
    )


@router.patch("/tickets/{number}", responses={412: {"description": "It is not the version of If-Match any more."}})
async def change_ticket(
    number: Number,
    given: TicketChange,
    response: Response,
    has: Has,
    who: Who,
    if_match: Annotated[str | None, Header(description='The version you have seen, as in "3".')] = None,
) -> TicketView:
    """Change a ticket. Give the version you have seen, so that nobody's change is lost."""
    fields = given.model_dump(mode="json", exclude_unset=True, exclude={"version", "reason", "solution"})
    seen = _version(if_match) if if_match is not None else given.version
    async with has.store.unit() as unit:
        before = await ticket_service.get(unit, _number(number))
        if "desk" in fields or "department" in fields:
            _check_desk(has, fields.get("desk", before.desk), fields.get("department", before.department))
        ticket = await ticket_service.change(
            unit,
            before.number,
            fields,
            who=who.name,
            at=has.clock(),
            seen_version=seen,
            bus=has.bus,
            policy=_policy(has, fields.get("desk", before.desk)),
            reason=given.reason,
            solution=given.solution,
            calendar=_calendar(has, fields.get("desk", before.desk)),
        )
    return _told(ticket, response)


@router.post(
    "/tickets/{number}/answers", responses={412: {"description": "It is not the version of If-Match any more."}}
)
async def answer_ticket(
    number: Number,
    given: Answer,
    response: Response,
    has: Has,
    who: Who,
    if_match: Annotated[str | None, Header(description='The version you have seen, as in "3".')] = None,
) -> TicketView:
    """Answer the requester by e-mail. The first answer ends the TMR."""
    seen = _version(if_match) if if_match is not None else given.version
    async with has.store.unit() as unit:
        before = await ticket_service.get(unit, _number(number))
        ticket = await ticket_service.answer(
            unit,
            before.number,
            given.text,
            who=who.name,
            at=has.clock(),
            seen_version=seen,
            bus=has.bus,
            policy=_policy(has, before.desk),
        )
    return _told(ticket, response)


def _policy(has: Services, desk: str) -> Ticketing:
    return has.desks[desk].tickets if desk in has.desks else Ticketing()


def _calendar(has: Services, desk: str) -> Calendar | None:
    """In which a desk's service requests are counted: its operator's."""
    return has.calendars[desk][has.desks[desk].menu.operator] if desk in has.desks else None


def _quote(has: Services, ticket: Ticket) -> QuoteView | None:
    calendar, offered = _calendar(has, ticket.desk), _policy(has, ticket.desk).services
    if calendar is None:
        return None
    found = quoted(ticket.kind, ticket.details, asked_at=ticket.created_at, calendar=calendar, offered=offered)
    return quote_view(found) if found is not None else None


def clock_view(has: Services, ticket: Ticket, name: Name, spans: list[Span]) -> ClockView:
    level, now = ticket.level or FIRST_LEVEL, has.clock()
    calendar = has.calendars.get(ticket.desk, {}).get(ticket.department)
    counted = counted_for(name, level, spans)
    told = ClockView(
        running=any(span.end is None for span in spans),
        level=level,
        elapsed_s=0,
        warning_at=None,
        limit_at=None,
        breached=False,
    )
    if calendar is None:
        # The desk or the department is no more: nobody promises anything.
        return told
    limits = limits_of(_policy(has, ticket.desk), name, level)
    passed = elapsed(counted, calendar, now)
    at = {one.kind: one.at for one in alarms(name, level, spans, limits, calendar)}
    return told.model_copy(
        update={
            "elapsed_s": int(passed.total_seconds()),
            "warning_at": at.get("warning"),
            "limit_at": at.get("breach"),
            "breached": limits.breach is not None and passed >= limits.breach,
        }
    )


def _told(ticket: Ticket, response: Response) -> TicketView:
    response.headers["ETag"] = f'"{ticket.version}"'
    return TicketView(**ticket.facts())


def _number(text: str) -> int:
    number = int(text)
    if number > _HIGHEST:
        raise ticket_service.TicketNotFound(ticket=number)
    return number


def _version(if_match: str) -> int | None:
    """The version that a condition names (RFC 9110 section 13.1.1); None when any will do."""
    if if_match.strip() == "*":
        return None
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match.strip(), re.ASCII)
    if found is None:
        raise BadInput(field="If-Match", problem="this is not a version", mend='send the ETag you got, as in "3"')
    return int(found[1])


def _check_desk(has: Services, desk: str, department: str | None) -> None:
    if desk not in has.desks:
        raise BadInput(field="desk", problem=f"there is no desk {desk}", mend=f"give one of {', '.join(has.desks)}")
    known = has.desks[desk].departments
    if department is not None and department not in known:
        problem = f"desk {desk} has no department {department}"
        raise BadInput(field="department", problem=problem, mend=f"give one of {', '.join(known)}")
