"""Reports of calls (*57) and their evidence as a feature of the line."""

from __future__ import annotations

from collections.abc import Callable

from ivr.asterisk.ami import Fields
from ivr.calls.log import CallLog
from ivr.calltrace.last_calls import Cli, keep_forgetting
from ivr.calltrace.offline import AwayReports
from ivr.calltrace.recordings import Recordings
from ivr.calltrace.service import CallTraces
from ivr.evidence import legs
from ivr.evidence.collector import Collector
from ivr.evidence.legs import EndedLeg
from ivr.feature import Feature, Part


def feature(
    *,
    traces: CallTraces,
    away: AwayReports,
    collector: Collector,
    recordings: Recordings,
    calls: CallLog,
    scored: Callable[[EndedLeg], float | None],
    cli: Cli,
) -> Feature:
    """Calls that were reported, and what of a call proves how it was. `scored` counts a leg and gives its score."""

    async def on_event(event: Fields) -> None:
        if (leg := legs.read(event)) is None:
            return
        traces.ring.ended(leg)
        if (heard := scored(leg)) is not None:
            calls.leg_scored(leg.linkedid, leg.uniqueid, heard)

    async def forget() -> None:
        await keep_forgetting(cli)

    parts = (
        Part(name="evidence", run=collector.run),
        Part(name="call traces", run=traces.keep_draining),
        Part(name="call traces taken without us", run=away.run),
        Part(name="recordings", run=recordings.run),
        Part(name="last calls", run=forget),
    )
    return Feature(name="call traces", parts=parts, on_event=on_event)
