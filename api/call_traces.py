"""Reported calls as the API, the console and the portal give them out: page, capture and recording."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi.responses import FileResponse, HTMLResponse, Response

from api import trace_page
from api.deps import Services
from ivr.access_log import store as access_log
from ivr.asterisk.hep import HepGarbage, Packet
from ivr.calltrace import evidence, store
from ivr.calltrace.triage import TraceNotFound
from ivr.errors import NotFound
from ivr.evidence import pcap

log = structlog.get_logger()


class RecordingNotFound(NotFound):
    """The call was not recorded, or its recording is erased."""


async def trace_of(has: Services, trace_id: str) -> dict[str, Any]:
    """Return a reported call's row. Raises TraceNotFound, StoreUnavailable."""
    async with has.store.reading() as unit:
        row = await store.get(unit, trace_id)
    if row is None:
        raise TraceNotFound(trace=trace_id)
    return row


async def page_of(has: Services, trace_id: str, language: str) -> HTMLResponse:
    """Give out one page to look at or print: the verdict, both legs, curves, and the SIP ladder.

    Raises TraceNotFound, StoreUnavailable.
    """
    row, packets = await _with_packets(has, trace_id)
    page = await asyncio.to_thread(trace_page.render, row, packets, language, has.traces.desk.zone)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def capture_of(has: Services, trace_id: str) -> Response:
    """Give out SIP and RTCP of both legs, for Wireshark. Raises TraceNotFound, StoreUnavailable."""
    row, packets = await _with_packets(has, trace_id)
    file = await asyncio.to_thread(pcap.write, packets)
    headers = {"Content-Disposition": f'attachment; filename="call-trace-{row["ticket_number"]}.pcap"'}
    return Response(file, media_type="application/vnd.tcpdump.pcap", headers=headers)


async def recording_of(has: Services, trace_id: str, by: str) -> FileResponse:
    """Note who listens, and give out the call's recording.

    Raises TraceNotFound, RecordingNotFound, StoreUnavailable.
    """
    row = await trace_of(has, trace_id)
    path = await asyncio.to_thread(has.recordings.of, row["linkedid"])
    if path is None:
        raise RecordingNotFound(trace=trace_id)
    async with has.store.unit() as unit:
        await access_log.note(unit, kind="call-trace", subject=trace_id, who=by, at=has.clock())
    name = f"call-trace-{row['ticket_number']}.wav"
    return FileResponse(path, media_type="audio/wav", filename=name, content_disposition_type="inline")


async def _with_packets(has: Services, trace_id: str) -> tuple[dict[str, Any], Sequence[Packet]]:
    row = await trace_of(has, trace_id)
    async with has.store.reading() as unit:
        blob = await store.of_report(unit, trace_id)
    try:
        return row, await asyncio.to_thread(evidence.unpack, blob)
    except (HepGarbage, zlib.error):
        log.exception("stored call evidence is unreadable", trace=trace_id)
        return row, []
