"""Calls: what happened on each."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Short, make_cursor, read_moment_cursor
from ivr.calls import store
from ivr.calls.model import Call
from ivr.calls.view import summary
from ivr.desk.load import main_of
from ivr.errors import NotFound, Unavailable
from ivr.numbers.normalise import NotANumber, read_number
from ivr.tickets.store import of_call, open_tickets

router = APIRouter(tags=["calls"])


class CallNotFound(NotFound):
    """There is no such call."""


class CallView(BaseModel):
    """A call. `state` is menu, ringing, queue, talking or ended."""

    id: str
    state: str
    desk: str
    dialled: str
    ani: str | None = Field(description="The caller's number as E.164 digits, when it is one.")
    endpoint: str | None = Field(description="The registered phone that called.")
    account: str | None = Field(description="The caller's account number, if the caller is a customer.")
    identity: dict[str, Any] = Field(description="Customer, contact and partner, as they were known then.")
    department: str | None
    language: str | None
    queue: str | None
    started_at: AwareDatetime
    queued_at: AwareDatetime | None
    answered_at: AwareDatetime | None
    answered_by: str | None
    ended_at: AwareDatetime | None
    result: str | None
    reason: str | None


class HappeningView(BaseModel):
    """One entry of the timeline: what was played, pressed or decided."""

    at: AwareDatetime
    kind: str
    facts: dict[str, Any]


class LegView(BaseModel):
    """One channel of the call. `cause` is Q.850's."""

    uniqueid: str
    channel: str
    role: str
    endpoint: str | None
    started_at: AwareDatetime
    answered_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    cause: int | None
    mos: float | None = Field(description="Opinion score of its worse direction, from 1 to 4.5 (G.107).")


class TicketBrief(BaseModel):
    """A ticket in short."""

    number: str
    kind: str
    status: str
    priority: str | None
    desk: str
    department: str
    call_id: str | None
    customer_id: int | None
    version: int
    created_at: AwareDatetime


class CallDetail(CallView):
    """A call with everything that is known of it."""

    linkedid: str
    channel: str
    events_lost: int = Field(description="Entries left out of the timeline because memory was full.")
    timeline: list[HappeningView]
    legs: list[LegView]
    ticket: TicketBrief | None = Field(description="The call's own ticket.")
    open_tickets: list[TicketBrief] | None = Field(
        description="The customer's open tickets; null while the database is away."
    )


class CallQuery(PageQuery):
    """Which calls."""

    open: bool = Field(default=False, description="Only those that last.")
    desk: Short | None = None
    department: Short | None = None
    queue: Short | None = None
    ani: Short | None = None
    endpoint: Short | None = None
    customer_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    result: Short | None = None
    linkedid: Annotated[str, Field(max_length=150)] | None = None


@router.get("/calls")
async def list_calls(query: Annotated[CallQuery, Query()], has: Has) -> Page[CallView]:
    """Calls, the newest first. Those that last are as they are at this moment."""
    filters = query.model_dump(exclude={"limit", "cursor", "open"}, exclude_none=True)
    if query.ani is not None:
        with contextlib.suppress(NotANumber):
            filters["ani"] = read_number(query.ani, main_of(has.desks).region).e164
    before = read_moment_cursor(query.cursor)
    if query.open:
        found = _matching(has.calls.live(), filters, before)[: query.limit + 1]
    else:
        await has.calls.flush()
        async with has.store.reading() as unit:
            rows = await store.page(unit, filters=filters, before=before, limit=query.limit + 1)
        found = [has.calls.current(row["id"]) or Call(**row) for row in rows]
    shown = found[: query.limit]
    following = None
    if len(found) > len(shown):
        following = make_cursor(shown[-1].started_at.isoformat(), shown[-1].id)
    return Page(items=[CallView(**summary(call)) for call in shown], next=following)


def _matching(calls: list[Call], filters: dict[str, Any], before: tuple[datetime, str] | None) -> list[Call]:
    matching = [call for call in calls if all(getattr(call, name) == value for name, value in filters.items())]
    newest_first = sorted(matching, key=lambda call: (call.started_at, call.id), reverse=True)
    return [call for call in newest_first if before is None or (call.started_at, call.id) < before]


@router.get("/calls/{call_id}")
async def read_call(call_id: Annotated[str, Path(max_length=40)], has: Has) -> CallDetail:
    """A call with its timeline, its legs, who calls, and the customer's open tickets."""
    found = await has.calls.snapshot(call_id)
    if found is None:
        raise CallNotFound(call=call_id)
    customer = found["identity"].get("customer")
    ticket: TicketBrief | None = None
    tickets: list[TicketBrief] | None = None
    try:
        async with has.store.reading() as unit:
            own = await of_call(unit, call_id)
            of_customer = await open_tickets(unit, customer["id"]) if customer else []
    except Unavailable:
        # Whoever answers a call must know who calls, also while the database is away.
        pass
    else:
        ticket = TicketBrief(**own.brief()) if own is not None else None
        tickets = [TicketBrief(**one.brief()) for one in of_customer]
    return CallDetail(**found, ticket=ticket, open_tickets=tickets)
