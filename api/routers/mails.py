"""E-mails that came in, and what became of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Has, Page, PageQuery, Who, make_cursor, read_id_cursor
from api.mails import attachment_of, mail_of, original_of
from api.paths import HIGHEST, MailId, Nth
from ivr.mail import store

router = APIRouter(tags=["mails"])

Became = Literal["opened", "continued", "noted", "held", "ignored", "unreadable", "refused"]


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
    reason: str | None = Field(description="The reason it was not entered, or not to the ticket that it names.")
    ticket: str | None


class MailDetail(MailView):
    """An e-mail with its text."""

    body: str


class MailQuery(PageQuery):
    """Which e-mails."""

    outcome: Became | None = None
    ticket: Annotated[int, Field(ge=1, le=HIGHEST)] | None = None


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"ticket": str(row["ticket_number"]) if row["ticket_number"] is not None else None}


@router.get("/mails")
async def list_mails(query: Annotated[MailQuery, Query()], has: Has) -> Page[MailView]:
    """E-mails that came in, the newest first."""
    filters: dict[str, Any] = {"outcome": query.outcome} if query.outcome is not None else {}
    if query.ticket is not None:
        filters["ticket_number"] = query.ticket
    async with has.store.reading() as unit:
        found = await store.page(unit, filters=filters, before=read_id_cursor(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    following = make_cursor(str(shown[-1]["id"])) if len(found) > len(shown) else None
    return Page(items=[MailView(**_facts(row)) for row in shown], next=following)


@router.get("/mails/{mail_id}")
async def read_mail(mail_id: MailId, has: Has) -> MailDetail:
    """An e-mail with its text."""
    return MailDetail(**_facts(await mail_of(has, mail_id)))


@router.get(
    "/mails/{mail_id}/original",
    response_class=FileResponse,
    responses={200: {"content": {"message/rfc822": {}}, "description": "The e-mail as it came in."}},
)
async def read_original(mail_id: MailId, has: Has, who: Who) -> FileResponse:
    """The e-mail as it came in, with what was attached. It is not to be trusted; it is noted who opens it."""
    return await original_of(has, mail_id, who.name)


@router.get(
    "/mails/{mail_id}/attachments/{nth}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file, to be saved."}},
)
async def read_attachment(mail_id: MailId, nth: Nth, has: Has, who: Who) -> Response:
    """What came with an e-mail, as a file to save. It is not to be trusted; it is noted who opens it."""
    return await attachment_of(has, mail_id, nth, who.name)
