"""Tickets: open, read, change."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from api.common import Given, Has, Page, PageQuery, Short, Text, Who, bad_cursor, make_cursor, read_cursor
from api.tickets import Id, NewTicket, Number, Slug, TicketChange, TicketDetail, TicketView, number_of
from ivr.errors import BadInput
from ivr.tickets import store
from ivr.tickets.model import Priority, Status, Ticket

router = APIRouter(tags=["tickets"])


class Answer(Given):
    """What a technician answers."""

    text: Text
    version: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Refuse when the ticket is not this version any more; or send If-Match."
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
    fields = given.model_dump(mode="json")
    async with has.store.unit() as unit:
        ticket, new = await has.tickets.open(unit, fields, by=who.name, repeat_key=idempotency_key)
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
    return Page(items=[TicketView.of(ticket) for ticket in shown], next=following)


@router.get("/tickets/{number}")
async def read_ticket(number: Number, response: Response, has: Has) -> TicketDetail:
    """A ticket with its history and voice messages. The ETag is its version."""
    async with has.store.reading() as unit:
        found = await has.tickets.read(unit, number_of(number))
    response.headers["ETag"] = f'"{found.ticket.version}"'
    return TicketDetail.of_detail(found)


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
    fields = given.fields()
    seen = _version(if_match) if if_match is not None else given.version
    async with has.store.unit() as unit:
        ticket = await has.tickets.change(
            unit,
            number_of(number),
            fields,
            by=who.name,
            seen=seen,
            reason=given.reason,
            solution=given.solution,
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
        ticket = await has.tickets.answer(unit, number_of(number), given.text, by=who.name, seen=seen)
    return _told(ticket, response)


def _told(ticket: Ticket, response: Response) -> TicketView:
    response.headers["ETag"] = f'"{ticket.version}"'
    return TicketView.of(ticket)


def _version(if_match: str) -> int | None:
    """The version that a condition names (RFC 9110 section 13.1.1); None when any will do."""
    if if_match.strip() == "*":
        return None
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match.strip(), re.ASCII)
    if found is None:
        raise BadInput(field="If-Match", problem="this is not a version", mend='send the ETag you got, as in "3"')
    return int(found[1])
