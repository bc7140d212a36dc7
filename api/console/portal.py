"""The partner portal: what is announced, whom of theirs it affects, their tickets and reported calls (OV-27)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.call_traces import capture_of, page_of
from api.console import pages
from api.console.guard import ConsoleRoute, may, session_of
from api.console.pages import line_of
from api.console.partner_scope import NotTheirs, PartnerScope
from api.console.traces import Lang, with_own_style
from api.paths import TraceId
from ivr.maintenance.model import STATE_NAMES
from ivr.quality import words

router = APIRouter(prefix="/console/portal", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 100
Number = Annotated[str, Path(pattern=r"^[0-9]{1,9}$")]


@asynccontextmanager
async def _scope(request: Request) -> AsyncIterator[PartnerScope]:
    partner_id = session_of(request).account.partner_id
    if partner_id is None:
        raise NotTheirs
    async with line_of(request).store.reading() as unit:
        yield PartnerScope(unit, partner_id)


@router.get("")
@may("partner")
async def portal(request: Request) -> Response:
    """The front page."""
    has = line_of(request)
    async with _scope(request) as scope:
        values: dict[str, Any] = {
            "touched": await scope.incidents(has),
            "works": await scope.maintenances(has),
            "customers": await scope.customers(),
            "numbers": await scope.numbers(),
            "tickets": await scope.tickets(_SHOWN),
            "traces": await scope.traces(_SHOWN),
        }
    partner = has.directory.book.partners.get(session_of(request).account.partner_id or 0)
    return pages.page(
        request,
        "portal.html.j2",
        name=partner.name if partner is not None else "",
        causes=words.CAUSES[request.state.language],
        states=STATE_NAMES[request.state.language],
        **values,
    )


@router.get("/tickets/{number}")
@may("partner")
async def portal_ticket(number: Number, request: Request) -> Response:
    """One of their tickets."""
    async with _scope(request) as scope:
        found = await scope.ticket(int(number))
    return pages.page(request, "portal_ticket.html.j2", ticket=found)


@router.get("/traces/{trace_id}/report")
@may("partner")
async def portal_report(trace_id: TraceId, request: Request, lang: Lang = None) -> Response:
    """The report of one of their calls."""
    async with _scope(request) as scope:
        await scope.trace(trace_id)
    language = lang or request.state.language
    return with_own_style(await page_of(line_of(request), trace_id, language))


@router.get("/traces/{trace_id}/capture.pcap")
@may("partner")
async def portal_capture(trace_id: TraceId, request: Request) -> Response:
    """SIP and RTCP of one of their calls, for Wireshark."""
    async with _scope(request) as scope:
        await scope.trace(trace_id)
    return await capture_of(line_of(request), trace_id)
