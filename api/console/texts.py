"""Text messages that came in, and what became of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, may
from api.console.pages import line_of
from ivr.sms_inbox import store

router = APIRouter(prefix="/console/texts", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 50


@router.get("")
@may(*STAFF)
async def text_list(request: Request, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None) -> Response:
    """Text messages, the newest first."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, sender=None, before=before, limit=_SHOWN + 1)
    return pages.page(request, "texts.html.j2", found=found[:_SHOWN], more=len(found) > _SHOWN)
