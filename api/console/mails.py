"""E-mails that came in: what became of each, those that nobody has read among them, and what was attached."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, may, session_of, who
from api.console.pages import line_of
from api.console.tickets import WORKERS
from api.mails import attachment_of, mail_of, original_of
from api.paths import MailId, Nth
from ivr.mail import store
from ivr.mail.quoting import folded

router = APIRouter(prefix="/console/mails", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 50
#: Of which no ticket came by itself: somebody should look.
_UNTAKEN = ("unreadable", "held", "refused")


@router.get("")
@may(*STAFF)
async def mail_list(
    request: Request,
    every: Annotated[bool, Query()] = False,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """E-mails, the newest first; without those that were taken, unless they are asked for."""
    has = line_of(request)
    only = None if every else _UNTAKEN
    async with has.store.reading() as unit:
        found = await store.page(unit, filters={}, before=before, limit=_SHOWN + 1, outcomes=only)
    return pages.page(
        request,
        "mails.html.j2",
        found=found[:_SHOWN],
        more=len(found) > _SHOWN,
        every=every,
        may_open=session_of(request).account.role in WORKERS,
    )


@router.get("/{mail_id}")
@may(*WORKERS)
async def mail(mail_id: MailId, request: Request) -> Response:
    """One e-mail."""
    found = await mail_of(line_of(request), mail_id)
    told = folded(found) | {"ticket": found["ticket_number"]}
    return pages.page(request, "mail.html.j2", mail=told, may_write=True)


@router.get("/{mail_id}/attachments/{nth}")
@may(*WORKERS)
async def mail_attachment(mail_id: MailId, nth: Nth, request: Request) -> Response:
    """Return what came with an e-mail, to save; it is noted who opens it."""
    return await attachment_of(line_of(request), mail_id, nth, who(request))


@router.get("/{mail_id}/original")
@may(*WORKERS)
async def mail_original(mail_id: MailId, request: Request) -> Response:
    """An e-mail as it came, to save; it is noted who opens it."""
    return await original_of(line_of(request), mail_id, who(request))
