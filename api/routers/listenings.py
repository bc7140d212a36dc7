"""Who listened to a recording, or opened an e-mail as it came (Quebec's Law 25)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Short, bad_cursor, make_cursor, read_moment_cursor
from ivr.access_log import store

router = APIRouter(tags=["listenings"])


class ListeningQuery(PageQuery):
    """Which listenings."""

    kind: Literal["message", "call-trace", "mail"] | None = None
    subject: Short | None = Field(default=None, description="The message's, call trace's or e-mail's id.")


class ListeningView(BaseModel):
    """One person listened to one recording, or opened one e-mail; what they do within five minutes is one listening."""

    id: int
    kind: Literal["message", "call-trace", "mail"]
    subject: str
    who: str = Field(description="Name of the API token.")
    at: AwareDatetime


@router.get("/listenings")
async def list_listenings(query: Annotated[ListeningQuery, Query()], has: Has) -> Page[ListeningView]:
    """Who listened to what, the latest first."""
    before = read_moment_cursor(query.cursor)
    if before is not None and not before[1].isdigit():
        raise bad_cursor()
    async with has.store.reading() as unit:
        rows = await store.page(
            unit,
            kind=query.kind,
            subject=query.subject,
            before=(before[0], int(before[1])) if before is not None else None,
            limit=query.limit + 1,
        )
    shown = rows[: query.limit]
    following = None
    if len(rows) > len(shown):
        following = make_cursor(shown[-1]["at"].isoformat(), str(shown[-1]["id"]))
    return Page(items=[ListeningView(**row) for row in shown], next=following)
