"""E-mails that came in, and what became of each."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, make_cursor
from api.routers.notices import before
from api.services import Services
from ivr.errors import NotFound
from ivr.mail import store
from ivr.mail.taking import file_of

router = APIRouter(tags=["mails"])

_HIGHEST = 2**31 - 1
MailId = Annotated[int, Path(ge=1, le=_HIGHEST)]
Became = Literal["opened", "continued", "noted", "held", "ignored", "unreadable", "refused"]


class MailNotFound(NotFound):
    """There is no such e-mail."""


class OriginalNotFound(NotFound):
    """The e-mail as it came in is not there (any more)."""


class AttachmentView(BaseModel):
    """What came with the text; it is within the original."""

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
async def read_original(mail_id: MailId, has: Has) -> FileResponse:
    """The e-mail as it came in, with what was attached. It is not to be trusted."""
    row = await _row(has, mail_id)
    path = file_of(has.mails, row["key"])
    if not await asyncio.to_thread(path.is_file):
        raise OriginalNotFound(mail=mail_id)
    return FileResponse(
        path,
        media_type="message/rfc822",
        filename=f"mail-{mail_id}.eml",
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
    )


async def _row(has: Services, mail_id: int) -> dict[str, Any]:
    async with has.store.reading() as unit:
        found = await store.get(unit, mail_id)
    if found is None:
        raise MailNotFound(mail=mail_id)
    return found
