"""Reported calls (*57): the verdicts, each one's report, and its recording."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.console import pages
from api.console.route import STAFF, ConsoleRoute, bearer_of, may
from api.routers import call_traces as api
from api.routers.call_traces import TraceId
from api.services import Services
from ivr.calltrace import store
from ivr.quality import words

router = APIRouter(prefix="/console/traces", route_class=ConsoleRoute, include_in_schema=False)

_SHOWN = 50


@router.get("")
@may(*STAFF)
async def trace_list(request: Request) -> Response:
    """The latest reports."""
    has: Services = request.app.state.services
    async with has.store.reading() as unit:
        found = await store.page(unit, filters={}, before=None, limit=_SHOWN)
    return pages.page(request, "traces.html.j2", found=found, causes=words.CAUSES[request.state.language])


@router.get("/{trace_id}/report")
@may(*STAFF)
async def trace_report(trace_id: TraceId, request: Request) -> Response:
    """One page to look at or print."""
    made = await api.report(trace_id, request.app.state.services, request.state.language)
    return with_own_style(made)


@router.get("/{trace_id}/audio.wav")
@may("technician", "ops", "administrator")
async def trace_sound(trace_id: TraceId, request: Request) -> Response:
    """The call's recording, where calls are recorded; it is noted who listens."""
    return await api.listen(trace_id, request.app.state.services, bearer_of(request))


def with_own_style(made: Response) -> Response:
    """A report may bring the one style sheet that is in it, and no other."""
    sheets = re.findall(r"<style>(.*?)</style>", bytes(made.body).decode(), re.DOTALL)
    known = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'" for sheet in sheets
    )
    policy = f"default-src 'none'; style-src {known}; base-uri 'none'; form-action 'none'"
    made.headers["Content-Security-Policy"] = policy
    return made
