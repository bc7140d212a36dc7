"""Notices: what left, what waits, and what somebody has to look at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Given, Has, Page, PageQuery, Who, make_cursor, read_id_cursor
from ivr.notify import admin, store
from ivr.notify.delivery import Kind, State
from ivr.notify.store import Notice
from ivr.tickets import journal

router = APIRouter(tags=["notices"])

_HIGHEST = 2**31 - 1
NoticeId = Annotated[int, Path(ge=1, le=_HIGHEST)]
OptedOut = Annotated[str, Path(pattern=r"^[1-9][0-9]{6,14}$", description="E.164 digits without the plus sign.")]
EndpointName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,59}$")]


class NoticeView(BaseModel):
    """A notice. `unknown` says that a text message may have left; it is being looked for at the provider's."""

    id: int
    kind: Kind
    recipient: str = Field(description="An e-mail address, E.164 digits, or the name of an endpoint.")
    subject: str
    language: str
    ticket: str | None
    state: State
    created_at: AwareDatetime
    attempts: int
    next_at: AwareDatetime | None = Field(description="Nothing is done before.")
    expires_at: AwareDatetime = Field(description="Not sent any more after.")
    sent_at: AwareDatetime | None
    provider_id: str | None = Field(description="The provider's name for it, as in a Twilio SID.")
    provider_status: str | None
    error: str | None = Field(description="The reason the last attempt failed.")


class NoticeDetail(NoticeView):
    """A notice with its text."""

    body: str


class NoticeQuery(PageQuery):
    """Which notices."""

    state: State | None = None
    kind: Kind | None = None
    ticket: Annotated[int, Field(ge=1, le=_HIGHEST)] | None = None


class Retry(Given):
    """How to send it again."""

    even_if_sent: bool = Field(default=False, description="Send an unknown text message, at the risk of a second one.")


class OptOutView(BaseModel):
    """Somebody who wants no text messages."""

    number: str
    at: AwareDatetime
    notice: int | None = Field(description="The notice whose refusal told it.")


class EndpointView(BaseModel):
    """An endpoint of webhooks, as it is configured, and whether it is told anything."""

    name: str
    url: str
    events: list[str]
    disabled_at: AwareDatetime | None
    disabled_reason: str | None


def _facts(notice: Notice) -> dict[str, Any]:
    return vars(notice) | {"ticket": str(notice.ticket_number) if notice.ticket_number is not None else None}


@router.get("/notices")
async def list_notices(query: Annotated[NoticeQuery, Query()], has: Has) -> Page[NoticeView]:
    """Notices, the newest first. `state=dead` lists what was given up."""
    filters = query.model_dump(exclude={"limit", "cursor", "ticket"}, exclude_none=True)
    if query.ticket is not None:
        filters["ticket_number"] = query.ticket
    async with has.store.reading() as unit:
        found = await store.page(unit, filters=filters, before=read_id_cursor(query.cursor), limit=query.limit + 1)
    shown = found[: query.limit]
    following = make_cursor(str(shown[-1].id)) if len(found) > len(shown) else None
    return Page(items=[NoticeView(**_facts(notice)) for notice in shown], next=following)


@router.get("/notices/{notice_id}")
async def read_notice(notice_id: NoticeId, has: Has) -> NoticeDetail:
    """A notice with its text."""
    async with has.store.reading() as unit:
        return NoticeDetail(**_facts(await admin.get(unit, notice_id)))


@router.post("/notices/{notice_id}/retry")
async def retry_notice(notice_id: NoticeId, given: Retry, has: Has, who: Who) -> NoticeView:
    """Have a notice sent that was given up."""
    at = has.clock()
    async with has.store.unit() as unit:
        notice = await admin.retry(unit, notice_id, at=at, even_if_sent=given.even_if_sent)
        told = notice.brief() | {"who": who.name}
        unit.afterwards(lambda: has.bus.publish("notice.retried", at, told))
    return NoticeView(**_facts(notice))


@router.get("/opt-outs")
async def list_opt_outs(has: Has) -> list[OptOutView]:
    """Everyone who wants no text messages, the latest first."""
    async with has.store.reading() as unit:
        return [OptOutView(**row | {"notice": row["outbox_id"]}) for row in await store.opt_outs(unit)]


@router.delete("/opt-outs/{number}", status_code=204)
async def opt_in(number: OptedOut, has: Has) -> None:
    """This person wants text messages again, and has told the provider so."""
    async with has.store.unit() as unit:
        await admin.opt_in(unit, number)


@router.get("/webhooks")
async def list_endpoints(has: Has) -> list[EndpointView]:
    """Every endpoint that is configured."""
    async with has.store.reading() as unit:
        known = await store.endpoints(unit)
    return [
        EndpointView(
            name=endpoint.name,
            url=endpoint.url,
            events=list(endpoint.events),
            disabled_at=known.get(endpoint.name, {}).get("disabled_at"),
            disabled_reason=known.get(endpoint.name, {}).get("disabled_reason"),
        )
        for endpoint in has.notices.endpoints
    ]


@router.post("/webhooks/{name}/enable", status_code=204)
async def enable_endpoint(name: EndpointName, has: Has) -> None:
    """Tell a disabled endpoint of what happens from now on."""
    async with has.store.unit() as unit:
        await admin.enable(unit, name, journal_end=await journal.end(unit))
