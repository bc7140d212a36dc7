"""Text messages that came in, and what became of each."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.common import Has, Page, PageQuery, make_cursor, read_id_cursor
from ivr.sms_inbox import store

router = APIRouter(tags=["notices"])


class TextView(BaseModel):
    """A text message that came in."""

    id: int
    at: AwareDatetime
    sender: str = Field(description="E.164 digits, or the short code or name that it came from.")
    body: str
    media: int = Field(description="How many pictures and other files came with it; they are left at Twilio's.")
    outcome: Literal["taken", "taken-before", "stopped", "started", "answered", "kept"] = Field(
        description="An emergency is taken, or was; texts are not wanted, or are again; it was answered, or only kept."
    )
    emergency_id: int | None
    reply: str = Field(description="What was answered; empty for nothing.")


class TextQuery(PageQuery):
    """Which text messages."""

    sender: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None


@router.get("/texts")
async def list_texts(query: Annotated[TextQuery, Query()], has: Has) -> Page[TextView]:
    """Text messages that came in, the newest first."""
    async with has.store.reading() as unit:
        found = await store.page(unit, sender=query.sender, before=read_id_cursor(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    following = make_cursor(str(shown[-1]["id"])) if len(found) > len(shown) else None
    return Page(items=[TextView(**row) for row in shown], next=following)
