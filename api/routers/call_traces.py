"""Call traces: reports of calls that went badly, with their evidence and the verdict."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from api import trace_page
from api.call_traces import capture_of, page_of, recording_of, trace_of
from api.common import Given, Has, Page, PageQuery, Short, Text, Who, make_cursor, read_moment_cursor
from api.paths import ProposalId, TraceId
from ivr.calltrace import report as trace_report
from ivr.calltrace import store, triage
from ivr.calltrace.service import Receipt, new_report_id
from ivr.calltrace.triage import note
from ivr.errors import BadInput, TooMany
from ivr.evidence.legs import Device
from ivr.quality import words
from ivr.quality.emodel import codec_name
from ivr.quality.figures import CallFigures, Direction, Leg

log = structlog.get_logger()

router = APIRouter(tags=["call traces"])

_Device = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,40}$")]
_CallId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,150}$")]
_Count = Annotated[int, Field(ge=0, le=5_000_000)]
#: A reported call began so long ago at most; the other switch's clock may be ahead of ours by so much.
_OLDEST, _CLOCKS_APART = timedelta(days=30), timedelta(minutes=5)


class GivenDirection(Given):
    """Audio one way, over the whole call. What is not given is unknown."""

    packets: _Count | None = Field(default=None, description="Packets that came.")
    lost: _Count | None = Field(default=None, description="Packets that did not come.")
    jitter_ms: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] | None = None


class GivenLeg(Given):
    """One leg: `up` is what its far end sent to the switch, `down` what it received of the switch."""

    codec: Short | None = None
    remote: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:\[\]]{3,60}$")] | None = None
    rtt_ms: Annotated[float, Field(ge=0, le=30_000, allow_inf_nan=False)] | None = None
    up: GivenDirection = GivenDirection()
    down: GivenDirection = GivenDirection()


class Figures(Given):
    """The device's own leg, and the other one where it is known."""

    near: GivenLeg
    far: GivenLeg | None = None
    trunk: _Device | None = Field(default=None, description="The trunk's name, when the other leg is one.")


class NewTrace(Given):
    """A report. Figures are not needed for a call of this line whose evidence is still kept."""

    call_id: _CallId = Field(description="SIP Call-ID of the device's leg, or the switch's own id of the call.")
    device: _Device = Field(description="The phone's account.", examples=["6001"])
    figures: Figures | None = None
    other: Short | None = Field(default=None, description="The number on the other side.")
    direction: Literal["out", "in"] | None = None
    started_at: AwareDatetime | None = Field(default=None, description="Within the last 30 days.")

    @model_validator(mode="after")
    def _packets_with_losses(self) -> NewTrace:
        legs = [self.figures.near, self.figures.far] if self.figures is not None else []
        for leg in legs:
            for way in (leg.up, leg.down) if leg is not None else ():
                if way.lost is not None and way.packets is None:
                    raise ValueError("figures: lost without packets says nothing; give both, or neither")
        return self


class TraceReceipt(BaseModel):
    """What became of a report. Without a ticket yet, it is on disk and gets one soon."""

    id: str | None
    ticket: str | None
    reference: str
    again: bool = Field(description="The call had been reported before; the ticket is the same.")


class TraceView(BaseModel):
    """A reported call."""

    id: str
    ticket: str
    source: str
    device: str
    other: str | None
    direction: str | None
    customer_id: int | None
    account_number: str | None
    started_at: AwareDatetime | None
    reported_at: AwareDatetime
    reports: int
    mos: float | None = Field(description="Of the worse direction (ITU-T G.107); null is unknown.")
    cause: str
    confidence: float
    verdict: dict[str, str] = Field(description="In words, by language.")
    route: str
    state: str
    trunk: str | None
    site: str | None
    codec: str | None
    report: str
    capture: str


class TraceDetail(TraceView):
    """A reported call with why, each leg's figures over time, and what its account was advised."""

    reasons: dict[str, list[str]]
    advice: dict[str, str] | None
    legs: dict[str, Any]
    scores: dict[str, float | None] = Field(description="Of each direction (ITU-T G.107); null is unknown.")
    recommendations: list[dict[str, Any]]
    audio: str | None = Field(description="Where the call's recording is, if there is one.")


class TraceQuery(PageQuery):
    """Which traces."""

    device: Short | None = None
    customer_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    account_number: Short | None = None
    cause: Short | None = None
    state: Short | None = None


class Decision(Given):
    """What staff decide on a report of an account with unanswered recommendations (OV-25)."""

    state: Literal["kept", "ignored"]


class Dismissal(Given):
    """What staff decide on an incident that several reports propose."""

    state: Literal["dismissed"]


class Proposal(BaseModel):
    """Several reports that may be one incident."""

    id: int
    shared: Literal["trunk", "site", "codec"] = Field(description="What they share.")
    value: str = Field(examples=["192.0.2.7"])
    traces: list[str]
    state: Literal["proposed", "dismissed"]
    created_at: AwareDatetime
    updated_at: AwareDatetime
    dismissed_by: str | None
    dismissed_at: AwareDatetime | None


class Answer(Given):
    """What the customer answered to our recommendations."""

    text: Text


class CallBack(Given):
    """Who calls the user."""

    technician: _Device = Field(description="The technician's phone.", examples=["7001"])


@router.post("/call-traces", status_code=201, responses={200: {"description": "It was reported before."}})
async def report_call(given: NewTrace, response: Response, has: Has) -> TraceReceipt:
    """Report a call that went badly, as *57 does."""
    if not has.traces.allows(given.device):
        raise TooMany(device=given.device)
    now = has.clock()
    if given.started_at is not None and not now - _OLDEST <= given.started_at <= now + _CLOCKS_APART:
        mend = "give when the call began, within the last 30 days, or leave it out"
        raise BadInput(field="started_at", problem="no call that is reported now began then", mend=mend)
    report_id = new_report_id()
    call = has.traces.ring.call_with(given.call_id)
    if call is not None:
        mine = [leg for leg in call.legs.values() if leg.name == given.device]
    else:
        mine = []
    if call is not None and mine:
        address = next((leg.device for leg in mine if leg.call_id == given.call_id), None)
        device = Device(phone=given.device, address=address)
        intake = await asyncio.to_thread(has.traces.intake, call, device, report_id=report_id, source="api")
    elif given.figures is None:
        kept = has.traces.desk.call_trace.evidence_min
        mend = f"give figures, or the SIP Call-ID of a call that ended on this phone within the last {kept} minutes"
        raise BadInput(field="call_id", problem="no such call of this device is known here", mend=mend)
    else:
        intake = has.traces.intake_of(
            _figures(given.figures, given.device),
            device=given.device,
            report_id=report_id,
            source="api",
            linkedid=given.call_id,
            other=given.other,
            direction=given.direction,
            started=given.started_at,
            packets=[],
        )
    receipt = await has.traces.take_in(intake)
    response.status_code = _status(receipt)
    if receipt.trace_id is not None:
        response.headers["Location"] = f"/v1/call-traces/{receipt.trace_id}"
    return TraceReceipt(
        id=receipt.trace_id, ticket=receipt.ticket_number, reference=receipt.reference, again=receipt.again
    )


def _status(receipt: Receipt) -> int:
    if receipt.ticket_number is None:
        return 202
    if receipt.again:
        return 200
    return 201


def _figures(given: Figures, device: str) -> CallFigures:
    def leg(one: GivenLeg, name: str, trunk: bool) -> Leg:
        return Leg(
            name=name,
            trunk=trunk,
            codec=codec_name(one.codec),
            remote=one.remote,
            rtt_ms=one.rtt_ms,
            up=Direction(**one.up.model_dump()),
            down=Direction(**one.down.model_dump()),
        )

    # Without the other leg's figures it is unknown, not absent.
    if given.far is not None:
        far = leg(given.far, given.trunk or "other", given.trunk is not None)
    else:
        far = Leg(name="other")
    return CallFigures(near=leg(given.near, device, False), far=far)


@router.get("/call-traces")
async def list_traces(query: Annotated[TraceQuery, Query()], has: Has) -> Page[TraceView]:
    """Reported calls, the newest first."""
    filters = query.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    async with has.store.reading() as unit:
        rows = await store.page(unit, filters=filters, before=read_moment_cursor(query.cursor), limit=query.limit + 1)
    shown = rows[: query.limit]
    following = None
    if len(rows) > len(shown):
        following = make_cursor(shown[-1]["reported_at"].isoformat(), shown[-1]["id"])
    return Page(items=[TraceView(**_view(row)) for row in shown], next=following)


@router.get("/call-traces/{trace_id}")
async def read_trace(trace_id: TraceId, has: Has) -> TraceDetail:
    """A reported call with its figures and the verdict's reasons."""
    row = await trace_of(has, trace_id)
    async with has.store.reading() as unit:
        if row["customer_id"]:
            advised = await store.recommendations(unit, row["customer_id"])
        else:
            advised = []
    recorded = await asyncio.to_thread(has.recordings.of, row["linkedid"])
    verdict = trace_page.verdict_of(row)
    advice = {language: text for language in words.CAUSES if (text := words.advice(verdict, language)) is not None}
    return TraceDetail(
        **_view(row),
        reasons={language: words.reason_texts(verdict, language) for language in words.CAUSES},
        advice=advice or None,
        legs=row["legs"],
        scores=trace_report.scores(row["legs"]),
        recommendations=[
            {name: one[name] for name in ("text", "given_at", "answered_at", "answer")} for one in advised
        ],
        audio=f"/v1/call-traces/{trace_id}/audio" if recorded else None,
    )


@router.patch("/call-traces/{trace_id}")
async def decide(trace_id: TraceId, given: Decision, has: Has, who: Who) -> TraceView:
    """Take up a report all the same, or ignore it, which closes its ticket; only one that is marked as `unanswered`
    (OV-25)."""
    async with has.store.unit() as unit:
        row = await triage.decide(unit, trace_id, given.state, by=who.name, tickets=has.tickets)
    return TraceView(**_view(row))


@router.post("/call-traces/{trace_id}/answer")
async def answer(trace_id: TraceId, given: Answer, has: Has, who: Who) -> dict[str, int]:
    """The customer answered our recommendations: their later reports are taken up again (OV-25)."""
    async with has.store.unit() as unit:
        answered = await triage.answer(unit, trace_id, given.text, who=who.name, at=has.clock())
    return {"answered": answered}


@router.post("/call-traces/{trace_id}/call-back", status_code=202)
async def call_back(trace_id: TraceId, given: CallBack, has: Has, who: Who) -> dict[str, str]:
    """Ring a technician's phone and then the user's (OV-22)."""
    row = await trace_of(has, trace_id)
    if has.directory.technician(given.technician) is None:
        mend = "give the phone of a technician of the directory"
        raise BadInput(field="technician", problem="this is not a technician's phone", mend=mend)
    if has.directory.endpoint(row["device"]) is None:
        problem = f"the report came from {row['device']}, which is no phone of ours"
        raise BadInput(field="trace_id", problem=problem, mend="call the requester by the ticket's telephone number")
    await has.connect_phones(given.technician, row["device"])
    async with has.store.unit() as unit:
        told = {"technician": given.technician, "phone": row["device"]}
        await note(unit, row["ticket_number"], who=who.name, at=has.clock(), kind="called-back", changes=told)
    return told


@router.get("/call-traces/{trace_id}/report", response_class=HTMLResponse)
async def report(
    trace_id: TraceId, has: Has, lang: Annotated[Literal["fr", "en"], Query(description="Language.")] = "fr"
) -> HTMLResponse:
    """One page to look at or print: the verdict, both legs, curves, and the SIP ladder."""
    return await page_of(has, trace_id, lang)


@router.get(
    "/call-traces/{trace_id}/capture.pcap",
    response_class=Response,
    responses={200: {"content": {"application/vnd.tcpdump.pcap": {}}}},
)
async def capture(trace_id: TraceId, has: Has) -> Response:
    """SIP and RTCP of both legs, for Wireshark. No audio, and nothing that proves a password."""
    return await capture_of(has, trace_id)


@router.get(
    "/call-traces/{trace_id}/audio",
    response_class=FileResponse,
    responses={200: {"content": {"audio/wav": {}}}, 206: {"description": "The range that was asked for."}},
)
async def listen(trace_id: TraceId, has: Has, who: Who) -> FileResponse:
    """The call's recording, where the desk file has calls recorded, as WAV (8 kHz, 16 bit, both parties in one); ranges
    may be asked for (RFC 9110 section 14). It is noted who listens."""
    return await recording_of(has, trace_id, who.name)


@router.get("/incident-proposals")
async def list_proposals(has: Has) -> list[Proposal]:
    """Incidents that several reports propose, the newest first."""
    async with has.store.reading() as unit:
        return [Proposal(**row) for row in await store.proposals(unit)]


@router.patch("/incident-proposals/{proposal_id}")
async def dismiss(proposal_id: ProposalId, given: Dismissal, has: Has, who: Who) -> Proposal:
    """It is no incident: these reports propose none again, three others do."""
    async with has.store.unit() as unit:
        row = await triage.dismiss(unit, proposal_id, who=who.name, at=has.clock(), bus=has.bus)
    return Proposal(**row)


def _view(row: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in TraceView.model_fields if name in row]
    verdict = trace_page.verdict_of(row)
    return {name: row[name] for name in names} | {
        "ticket": str(row["ticket_number"]),
        "reports": len(row["report_ids"]),
        "verdict": {language: words.cause_text(verdict, language) for language in words.CAUSES},
        "report": f"/v1/call-traces/{row['id']}/report",
        "capture": f"/v1/call-traces/{row['id']}/capture.pcap",
    }
