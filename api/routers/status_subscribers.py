"""Subscribers of the status page, for whoever asks us what we keep of them, or to forget them (Quebec’s Law 25)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Short, bad_cursor, make_cursor, read_cursor
from ivr.errors import NotFound
from ivr.subscriptions.rules import Kind

router = APIRouter(tags=["incidents"])


class SubscriberNotFound(NotFound):
    """There is no such subscriber."""


class SubscriberView(BaseModel):
    """An address that gets what the status page tells, once it is confirmed."""

    id: int
    desk: str
    kind: Kind
    address: str = Field(description="An e-mail address, or E.164 digits.")
    language: str
    services: list[str] = Field(description="Ids of services; none is all of them.")
    asked_at: AwareDatetime
    confirmed_at: AwareDatetime | None


class SubscriberQuery(PageQuery):
    """Which subscribers."""

    desk: Short | None = None


@router.get("/status-subscribers")
async def list_subscribers(asked: Annotated[SubscriberQuery, Query()], has: Has) -> Page[SubscriberView]:
    """Subscribers, the oldest first."""
    after = read_cursor(asked.cursor, 1)
    if after is not None and not (after[0].isascii() and after[0].isdecimal()):
        raise bad_cursor()
    first = min(int(after[0]), 2**31 - 1) if after is not None else 0
    rows = await has.subscribers.page(desk=asked.desk, after=first, limit=asked.limit + 1)
    items = [SubscriberView(**{name: row[name] for name in SubscriberView.model_fields}) for row in rows[: asked.limit]]
    more = len(rows) > asked.limit
    return Page(items=items, next=make_cursor(str(items[-1].id)) if more else None)


@router.delete("/status-subscribers/{subscriber_id}", status_code=204)
async def forget_subscriber(subscriber_id: Annotated[int, Path(ge=1, le=2**31 - 1)], has: Has) -> Response:
    """Forget an address. Nothing is sent to it any more."""
    if not await has.subscribers.forget(subscriber_id):
        raise SubscriberNotFound(subscriber=subscriber_id)
    return Response(status_code=204)
