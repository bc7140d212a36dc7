"""What solved tickets, found by its words."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Line, Page, PageQuery, bad_cursor, make_cursor, read_cursor
from api.tickets import Slug
from ivr.tickets import knowledge_base

router = APIRouter(tags=["solutions"])


class SolutionView(BaseModel):
    """What solved a ticket."""

    id: int
    ticket: str | None
    desk: str
    kind: str
    language: str
    service: str | None
    problem: str | None
    solution: str
    who: str
    created_at: AwareDatetime


class SolutionQuery(PageQuery):
    """Which solutions."""

    q: Line | None = Field(
        default=None, description="Words that they all hold, or begin with; accents and capitals do not matter."
    )
    desk: Slug | None = None
    kind: Slug | None = None


@router.get("/solutions")
async def find_solutions(query: Annotated[SolutionQuery, Query()], has: Has) -> Page[SolutionView]:
    """Solutions, the best match first; without words, the newest."""
    after = read_cursor(query.cursor, 1)
    if after is not None and not re.fullmatch(r"[0-9]{1,6}", after[0], re.ASCII):
        raise bad_cursor()
    skip = int(after[0]) if after else 0
    filters = query.model_dump(include={"desk", "kind"}, exclude_none=True)
    async with has.store.reading() as unit:
        found = await knowledge_base.search(unit, query.q, filters=filters, skip=skip, limit=query.limit + 1)
    shown = found[: query.limit]
    following = None
    if len(found) > len(shown):
        following = make_cursor(str(skip + query.limit))
    return Page(
        items=[SolutionView(**row | {"ticket": _number(row["ticket_number"])}) for row in shown], next=following
    )


def _number(number: int | None) -> str | None:
    if number is not None:
        return str(number)
    return None
