"""E-mails that came in, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Who, make_cursor
from api.deps import Services
from api.routers.notices import before
from ivr.access_log import store as listenings
from ivr.errors import NotFound
from ivr.mail import store
from ivr.mail.archive import attached, file_of

router = APIRouter(tags=["mails"])

_HIGHEST = 2**31 - 1
MailId = Annotated[int, Path(ge=1, le=_HIGHEST)]
Nth = Annotated[int, Path(ge=1, le=1000, description="From 1, in the order of `attachments`.")]
#: What strangers sent does nothing in a browser.
_HARMLESS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
Became = Literal["opened", "continued", "noted", "held", "ignored", "unreadable", "refused"]


class MailNotFound(NotFound):
    """There is no such e-mail."""


class OriginalNotFound(NotFound):
    """The e-mail as it came in is not there (any more)."""


class AttachmentNotFound(NotFound):
    """The e-mail has no such attachment, or is not there (any more)."""


class AttachmentView(BaseModel):
    """What came with the text; the first is `attachments/1`."""

    name: str
    type: str
    size: int


class MailView(BaseModel):
    """An e-mail that came in."""

    id: int
    at: AwareDatetime
    sender: str
    recipient: str
    subject: str
    message_id: str | None
    attachments: list[AttachmentView]
    size: int = Field(description="In bytes.")
    outcome: Became
    reason: str | None = Field(description="Why it was not simply taken, or did not continue the ticket that it names.")
    ticket: str | None


class MailDetail(MailView):
    """An e-mail with its text."""

    body: str


class MailQuery(PageQuery):
    """Which e-mails."""

    outcome: Became | None = None
    ticket: Annotated[int, Field(ge=1, le=_HIGHEST)] | None = None


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"ticket": str(row["ticket_number"]) if row["ticket_number"] is not None else None}


@router.get("/mails")
async def list_mails(query: Annotated[MailQuery, Query()], has: Has) -> Page[MailView]:
    """E-mails that came in, the newest first."""
    filters: dict[str, Any] = {"outcome": query.outcome} if query.outcome is not None else {}
    if query.ticket is not None:
        filters["ticket_number"] = query.ticket
    async with has.store.reading() as unit:
        found = await store.page(unit, filters=filters, before=before(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    following = make_cursor(str(shown[-1]["id"])) if len(found) > len(shown) else None
    return Page(items=[MailView(**_facts(row)) for row in shown], next=following)


@router.get("/mails/{mail_id}")
async def read_mail(mail_id: MailId, has: Has) -> MailDetail:
    """An e-mail with its text."""
    return MailDetail(**_facts(await _row(has, mail_id)))


@router.get(
    "/mails/{mail_id}/original",
    response_class=FileResponse,
    responses={200: {"content": {"message/rfc822": {}}, "description": "The e-mail as it came in."}},
)
async def read_original(mail_id: MailId, has: Has, who: Who) -> FileResponse:
    """The e-mail as it came in, with what was attached. It is not to be trusted; it is noted who opens it."""
    row = await _row(has, mail_id)
    path = file_of(has.mails, row["key"])
    if not await asyncio.to_thread(path.is_file):
        raise OriginalNotFound(mail=mail_id)
    await _note(has, mail_id, who.name)
    return FileResponse(
        path,
        media_type="message/rfc822",
        filename=f"mail-{mail_id}.eml",
        headers=dict(_HARMLESS),
    )


@router.get(
    "/mails/{mail_id}/attachments/{nth}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file, to be saved."}},
)
async def read_attachment(mail_id: MailId, nth: Nth, has: Has, who: Who) -> Response:
    """What came with an e-mail, as a file to save. It is not to be trusted; it is noted who opens it."""
    row = await _row(has, mail_id)
    found = await attached(has.mails, row["key"], nth)
    if found is None:
        raise AttachmentNotFound(mail=mail_id, attachment=nth)
    await _note(has, mail_id, who.name)
    # Never as what it says it is: a browser must not run or show it here.
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(found.name, safe='')}"}
    return Response(found.data, media_type="application/octet-stream", headers=headers | dict(_HARMLESS))


async def _note(has: Services, mail_id: int, who: str) -> None:
    async with has.store.unit() as unit:
        await listenings.note(unit, kind="mail", subject=str(mail_id), who=who, at=has.clock())


async def _row(has: Services, mail_id: int) -> dict[str, Any]:
    async with has.store.reading() as unit:
        found = await store.get(unit, mail_id)
    if found is None:
        raise MailNotFound(mail=mail_id)
    return found
