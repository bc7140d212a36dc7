"""Tickets as technicians work on them: what is missing to be documented, the clocks, messages, calling back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.datastructures import FormData

from api.common import Text
from api.console import pages, ticket_details
from api.console.guard import STAFF, ConsoleRoute, checked, done, may, session_of, who
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from api.messages import sound_of
from api.paths import MessageId
from api.tickets import TicketChange, number_of
from ivr.calltrace import store as traces
from ivr.errors import BadInput
from ivr.mail import store as mail_store
from ivr.mail.quoting import folded
from ivr.tickets import service as ticket_service
from ivr.tickets import store
from ivr.tickets.kinds import KINDS
from ivr.tickets.service_requests import DETAILS

router = APIRouter(prefix="/console/tickets", route_class=ConsoleRoute, include_in_schema=False)

#: Who works on tickets; managers look.
WORKERS = ("technician", "ops", "administrator")
_SHOWN = 50
_LINES = (
    "requester_name",
    "requester_contact",
    "requester_phone",
    "requester_email",
    "account_number",
    "account_name",
    "account_phone",
    "service",
    "mac",
)
_TEXTS = ("requester_address", "account_address", "observed", "expected", "attempted")
_CHOICES = ("kind", "status", "priority", "level", "impact", "outside", "on_site", "installation", "programming_min")
_EXAMPLE = ("date", "time", "extension", "number")
_EXAMPLES = 3
#: The latest e-mails of a ticket that its page shows.
_MAILS = 30

Number = Annotated[str, Path(pattern=r"^[0-9]{1,10}$")]


class Answer(Posted):
    """What is answered to the requester, by e-mail."""

    text: Text
    version: Annotated[int, Field(ge=1)]


class CallBack(Posted):
    """Whom to ring."""

    phone: Annotated[str, Field(max_length=40)]


@router.get("")
@may(*STAFF)
async def ticket_list(
    request: Request,
    every: Annotated[bool, Query()] = False,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Tickets, the newest first; without those that are done, unless they are asked for."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, filters={}, only_open=not every, before=before, limit=_SHOWN + 1)
    return pages.page(request, "tickets.html.j2", found=found[:_SHOWN], more=len(found) > _SHOWN, every=every)


@router.get("/{number}")
@may(*STAFF)
async def ticket(number: Number, request: Request) -> Response:
    """One ticket."""
    has = line_of(request)
    async with has.store.reading() as unit:
        detail = await has.tickets.read(unit, number_of(number))
        reported = await traces.page(unit, filters={"ticket_number": int(number)}, before=None, limit=10)
        mails = await mail_store.of_ticket(unit, int(number), _MAILS)
    found, given = detail.ticket, detail.ticket.examples or []
    examples = [*given, *({} for _ in range(_EXAMPLES))][: max(_EXAMPLES, len(given))]
    return pages.page(
        request,
        "ticket.html.j2",
        ticket=found,
        detail=detail,
        fields=vars(found),
        lines=_LINES,
        texts=_TEXTS,
        labels={*_LINES, *_TEXTS, *_CHOICES, "examples"},
        kinds=sorted({*KINDS, found.kind}),
        examples=examples,
        missing={one.field for one in detail.missing} | {name for one in detail.missing for name in one.instead},
        details=ticket_details.fields_of(found.kind, found.details, pages.main_desk(request).zone),
        phones=_phones_of(has, found.customer_id),
        mails=[folded(one) for one in mails],
        traces=[(one, await asyncio.to_thread(has.recordings.of, one["linkedid"])) for one in reported],
        may_write=session_of(request).account.role in WORKERS,
    )


def _phones_of(has: Services, customer_id: int | None) -> list[tuple[str, str]]:
    """The phones of a customer that we can ring: account and name."""
    if customer_id is None:
        return []
    known = has.directory.book.endpoints.values()
    return sorted((one.name, one.display) for one in known if one.customer_id == customer_id)


@router.post("/{number}")
@may(*WORKERS)
async def change_ticket(number: Number, request: Request) -> Response:
    """Change it, unless somebody else did in the meantime."""
    form = await request.form()
    has = line_of(request)
    values = _values(form)
    async with has.store.reading() as unit:
        before = await ticket_service.get(unit, number_of(number))
    # The form always has a status: the one that is there asks for nothing, and no reason or solution goes with it.
    if values.get("status") == before.status:
        del values["status"]
    # Another kind asks for other details.
    if DETAILS.get(before.kind) is not None or before.details:
        same = values.get("kind") in (None, before.kind)
        if same:
            values["details"] = ticket_details.given(form, before.kind, pages.main_desk(request).zone)
        else:
            values["details"] = None
    given = checked(TicketChange, values)
    async with has.store.unit() as unit:
        await has.tickets.change(
            unit,
            before.number,
            given.fields(),
            by=who(request),
            seen=given.version,
            reason=given.reason,
            solution=given.solution,
        )
    return done(request, f"/console/tickets/{number}")


def _values(form: FormData) -> dict[str, Any]:
    """Return what the form says; a field that is left empty is unknown."""
    names = [name for name in (*_LINES, *_TEXTS, *_CHOICES, "version", "reason", "solution") if name in form]
    # Browsers end lines with CR LF.
    values: dict[str, Any] = {name: str(form[name]).replace("\r", "").strip() or None for name in names}
    if values.get("reason") is None:
        values.pop("reason", None)
    if values.get("solution") is None:
        values.pop("solution", None)
    if "example_date" in form:
        columns = [[str(cell).strip() or None for cell in form.getlist(f"example_{name}")] for name in _EXAMPLE]
        rows = [dict(zip(_EXAMPLE, cells, strict=True)) for cells in zip(*columns, strict=False)]
        values["examples"] = [row for row in rows if any(row.values())] or None
    return values


@router.post("/{number}/answers")
@may(*WORKERS)
async def answer_ticket(number: Number, form: Annotated[Answer, Form()], request: Request) -> Response:
    """Answer the requester by e-mail."""
    has = line_of(request)
    async with has.store.unit() as unit:
        text = form.text.replace("\r", "")
        await has.tickets.answer(unit, number_of(number), text, by=who(request), seen=form.version)
    return done(request, f"/console/tickets/{number}")


@router.post("/{number}/call-back")
@may(*WORKERS)
async def call_back(number: Number, form: Annotated[CallBack, Form()], request: Request) -> Response:
    """Ring one's own phone and then, once it is answered, the customer's."""
    has = line_of(request)
    own = session_of(request).account.endpoint
    async with has.store.reading() as unit:
        found = await ticket_service.get(unit, number_of(number))
    if own is None:
        mend = "have an administrator add it to your account"
        raise BadInput(field="phone", problem="your account has no phone", mend=mend)
    if form.phone not in [name for name, _ in _phones_of(has, found.customer_id)]:
        mend = "call the requester by the ticket's telephone number"
        raise BadInput(field="phone", problem="this is no phone of the ticket's customer", mend=mend)
    await has.connect_phones(own, form.phone)
    return done(request, f"/console/tickets/{number}")


@router.get("/messages/{message_id}.wav")
@may(*WORKERS)
async def message_sound(message_id: MessageId, request: Request) -> Response:
    """A voice message; it is noted who listens."""
    return await sound_of(line_of(request), message_id, who(request))
