"""Callbacks: who waits to be called back, what became of the others, and the funnel."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Given, Has, Line, Page, PageQuery, Short, Who, bad_cursor, make_cursor, read_cursor
from api.deps import Services
from ivr.callbacks import store
from ivr.callbacks.model import Callback, State
from ivr.desk.load import main_of
from ivr.errors import BadInput, Conflict, NotFound
from ivr.numbers.normalise import NotANumber, read_number

router = APIRouter(tags=["callbacks"])

CallbackId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="As `id` in the list.")]


class CallbackNotFound(NotFound):
    """There is no such callback."""


class CallbackNotPending(Conflict):
    """It is being carried out, or is over."""


class CallbackView(BaseModel):
    """A request to be called back."""

    id: str
    desk: str
    department: str
    queue: str
    language: str
    number: str = Field(description="E.164 digits.")
    endpoint: str | None = Field(description="The registered phone that is rung instead.")
    call_id: str | None = Field(description="The call in which it was asked.")
    customer_id: int | None
    identity: dict[str, Any]
    mode: str
    state: State
    position: int | None = Field(description="Its place in line now, counted from 1.")
    arrived_at: AwareDatetime = Field(description="The moment the caller first joined the queue; it decides the place.")
    requested_at: AwareDatetime
    not_before: AwareDatetime
    deadline: AwareDatetime
    attempts: int
    interrupted: int = Field(
        description="Attempts that came to nothing on our own side; they do not use up the others."
    )
    dialled_at: AwareDatetime | None
    answered_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    reason: str


class Funnel(BaseModel):
    """How many callers of a desk came how far since a moment."""

    desk: str
    since: AwareDatetime
    offered: int
    accepted: int
    dialled: int
    answered: int = Field(description="Somebody answered and pressed 1.")
    talked: int
    cancelled: int
    refused: int
    expired: int


class CallbackQuery(PageQuery):
    """Which callbacks."""

    desk: Short | None = None
    state: State | None = None
    number: Short | None = Field(default=None, description="As people write it.")


class Cancel(Given):
    """Why it is cancelled."""

    reason: Line = "cancelled by staff"


@router.get("/callbacks")
async def list_callbacks(query: Annotated[CallbackQuery, Query()], has: Has) -> Page[CallbackView]:
    """The latest requests first."""
    cursor = read_cursor(query.cursor, 1)
    number = _number(has, query.number) if query.number is not None else None
    async with has.store.reading() as unit:
        before = None
        if cursor is not None:
            last = await store.get(unit, cursor[0])
            if last is None:
                raise bad_cursor()
            before = last
        found = await store.page(
            unit, desk=query.desk, state=query.state, number=number, limit=query.limit + 1, before=before
        )
    items = found[: query.limit]
    more = make_cursor(items[-1].id) if len(found) > query.limit else None
    return Page(items=[_view(has, one) for one in items], next=more)


def _number(has: Services, text: str) -> str:
    try:
        return read_number(text, main_of(has.desks).region).e164
    except NotANumber as error:
        raise BadInput(field="number", problem=error.problem, mend=error.mend) from None


@router.get("/callbacks/funnel")
async def read_funnel(
    has: Has,
    desk: Annotated[str, Query(max_length=40)],
    hours: Annotated[int, Query(ge=1, le=24 * 90, description="The number of hours to look back.")] = 24,
) -> Funnel:
    """Offered, accepted, dialled, answered, talked; and the other ends."""
    if desk not in has.desks:
        raise DeskNotFound(desk=desk)
    since = has.clock() - timedelta(hours=hours)
    async with has.store.reading() as unit:
        counts = await store.funnel(unit, desk=desk, since=since)
    return Funnel(desk=desk, since=since, **counts)


@router.get("/callbacks/{callback}")
async def read_callback(callback: CallbackId, has: Has) -> CallbackView:
    """One request."""
    return _view(has, await _stored(has, callback))


@router.post("/callbacks/{callback}/cancel")
async def cancel_callback(callback: CallbackId, given: Cancel, has: Has, who: Who) -> CallbackView:
    """Give up its place and never call. Again does no harm; one that is being carried out is left alone."""
    one = await _stored(has, callback)
    if one.state != "cancelled":
        ended = await has.keeper.cancel(callback, f"{given.reason} ({who.name})")
        if ended is None:
            raise CallbackNotPending(callback=callback, state=one.state)
        one = ended
    return _view(has, one)


class DeskNotFound(NotFound):
    """There is no such desk."""


async def _stored(has: Services, callback: str) -> Callback:
    async with has.store.reading() as unit:
        one = await store.get(unit, callback)
    if one is None:
        raise CallbackNotFound(callback=callback)
    return one


def _view(has: Services, one: Callback) -> CallbackView:
    in_line = one.state == "pending" and has.keeper.serves(one)
    return CallbackView(**one.facts(), position=has.keeper.position(one) if in_line else None)
