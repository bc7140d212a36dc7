"""Reported calls (*57): the verdicts, each one's report, and its recording."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from api.call_traces import capture_of, page_of, recording_of
from api.common import Text
from api.console import pages
from api.console.guard import STAFF, ConsoleRoute, done, may, session_of, who
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.paths import ProposalId, TraceId
from ivr.calltrace import store, triage
from ivr.quality import words

router = APIRouter(prefix="/console/traces", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 50
#: Incidents that reports propose are shown for so long.
_PROPOSED = timedelta(days=1)
WORKERS = ("technician", "ops", "administrator")
#: Where the page has its own link to the other language.
Lang = Annotated[Literal["fr", "en"] | None, Query()]


class Decided(Posted):
    """One of two buttons."""

    state: Literal["kept", "ignored"]


class Dismissed(Posted):
    """One button."""


class Answered(Posted):
    """The form beside them."""

    text: Text


@router.get("")
@may(*STAFF)
async def trace_list(request: Request) -> Response:
    """The latest reports."""
    has = line_of(request)
    async with has.store.reading() as unit:
        found = await store.page(unit, filters={}, before=None, limit=_SHOWN)
        undecided = await store.page(unit, filters={"state": "unanswered"}, before=None, limit=_SHOWN)
        proposals = await store.proposals(unit, since=has.clock() - _PROPOSED)
    return pages.page(
        request,
        "traces.html.j2",
        found=found,
        undecided=undecided,
        proposals=proposals,
        causes=words.CAUSES[request.state.language],
        may_write=session_of(request).account.role in WORKERS,
    )


@router.post("/{trace_id}/decision")
@may(*WORKERS)
async def decide(trace_id: TraceId, form: Annotated[Decided, Form()], request: Request) -> Response:
    """Decide on a report of an account with unanswered recommendations (OV-25)."""
    has = line_of(request)
    async with has.store.unit() as unit:
        await triage.decide(unit, trace_id, form.state, by=who(request), tickets=has.tickets)
    return done(request, "/console/traces")


@router.post("/{trace_id}/answer")
@may(*WORKERS)
async def answered(trace_id: TraceId, form: Annotated[Answered, Form()], request: Request) -> Response:
    """Enter the customer's answer to our recommendations."""
    has = line_of(request)
    async with has.store.unit() as unit:
        await triage.answer(unit, trace_id, form.text.replace("\r", ""), who=who(request), at=has.clock())
    return done(request, "/console/traces")


@router.post("/proposals/{proposal_id}/dismissal")
@may(*WORKERS)
async def dismissed(proposal_id: ProposalId, form: Annotated[Dismissed, Form()], request: Request) -> Response:
    """Reports that have something in common, and are no incident."""
    has = line_of(request)
    async with has.store.unit() as unit:
        await triage.dismiss(unit, proposal_id, who=who(request), at=has.clock(), bus=has.bus)
    return done(request, "/console/traces")


@router.get("/{trace_id}/report")
@may(*STAFF)
async def trace_report(trace_id: TraceId, request: Request, lang: Lang = None) -> Response:
    """One page to look at or print."""
    return with_own_style(await page_of(line_of(request), trace_id, lang or request.state.language))


@router.get("/{trace_id}/capture.pcap")
@may(*STAFF)
async def trace_capture(trace_id: TraceId, request: Request) -> Response:
    """SIP and RTCP of the call, for Wireshark."""
    return await capture_of(line_of(request), trace_id)


@router.get("/{trace_id}/audio.wav")
@may(*WORKERS)
async def trace_sound(trace_id: TraceId, request: Request) -> Response:
    """The call's recording, where calls are recorded; it is noted who listens."""
    return await recording_of(line_of(request), trace_id, who(request))


def with_own_style(made: Response) -> Response:
    """A report may bring the one style sheet that is in it, and no other."""
    sheets = re.findall(r"<style>(.*?)</style>", bytes(made.body).decode(), re.DOTALL)
    known = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'" for sheet in sheets
    )
    policy = f"default-src 'none'; style-src {known}; base-uri 'none'; form-action 'none'"
    made.headers["Content-Security-Policy"] = policy
    return made
