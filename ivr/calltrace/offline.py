"""Reports that the dialplan took while the service was away: one file each, entered once and then removed."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ivr.asterisk import contract
from ivr.asterisk.contract import TraceFile
from ivr.calltrace.service import CallTraces
from ivr.errors import Unavailable
from ivr.evidence import legs
from ivr.evidence.legs import Device, EndedLeg
from ivr.evidence.packet_buffer import EndedCall
from ivr.ticks import rest

log = structlog.get_logger()

_LARGEST = 4000


@dataclass(frozen=True, kw_only=True)
class LastCall:
    """A phone's last call, as the dialplan wrote it to Asterisk's database at its end."""

    ended: float
    leg: EndedLeg


@dataclass(frozen=True, kw_only=True)
class AwayReport:
    """One *57 without us."""

    phone: str
    report_id: str
    at: float
    reference: str | None
    last: LastCall | None


def last_call(phone: str, text: str) -> LastCall | None:
    """Return the leg that Asterisk's database has of a phone's last call; None for text that is not one."""
    if (last := contract.LastCall.read(text)) is None:
        return None
    leg = legs.of_text(
        linkedid=last.linkedid,
        uniqueid=last.uniqueid,
        name=phone,
        call_id=last.call_id,
        answered=True,
        codec=last.codec or None,
        remote=last.remote or None,
        their_number=last.their_number or None,
        device=last.device or None,
        rtcp=last.figures,
    )
    if leg is not None:
        return LastCall(ended=float(last.ended), leg=leg)
    return None


def read(text: str) -> AwayReport | None:
    """One file's report; None when it is none of the dialplan's."""
    if (found := TraceFile.read(text)) is None:
        return None
    return AwayReport(
        phone=found.phone,
        report_id=found.report_id,
        at=float(found.at),
        reference=found.reference.zfill(8) if found.reference else None,
        last=last_call(found.phone, found.last),
    )


class AwayReports:
    """Looks through the folder again and again."""

    def __init__(self, folder: Path, traces: CallTraces, shift: timedelta) -> None:
        self._folder, self._traces, self._shift = folder, traces, shift

    async def run(self, every_s: float = 2.0) -> None:
        """Enter what the dialplan took, until cancelled."""
        while True:
            await self.once()
            await rest(every_s)

    async def once(self) -> int:
        """Enter every report there is; how many. A file that is none is set aside."""
        entered = 0
        for path in await asyncio.to_thread(lambda: sorted(self._folder.glob("*.trace"))):
            try:
                with path.open("rb") as handle:
                    report = read(handle.read(_LARGEST).decode("utf-8", "replace"))
                if report is None or report.last is None:
                    log.error("offline *57 report unreadable; set aside", event_id="OV1701", file=path.name)
                    await asyncio.to_thread(path.rename, path.with_suffix(".refused"))
                    continue
                await self._enter(report, report.last)
                await asyncio.to_thread(path.unlink)
            except (OSError, Unavailable) as error:
                log.warning("offline *57 report not entered yet; retrying", file=path.name, error=str(error))
                continue
            except Exception:
                log.exception("offline *57 report rejected; set aside", event_id="OV1701", file=path.name)
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(path.rename, path.with_suffix(".refused"))
                continue
            entered += 1
        return entered

    async def _enter(self, report: AwayReport, last: LastCall) -> None:
        at = datetime.fromtimestamp(report.at, UTC) + self._shift
        known: EndedCall | None = self._traces.ring.call_with(last.leg.call_id)
        if known is not None and any(leg.name == report.phone for leg in known.legs.values()):
            # The service was frozen rather than gone, and has all the evidence.
            device = Device(phone=report.phone, address=last.leg.device)
            intake = self._traces.intake(known, device, report_id=report.report_id, source="away")
        else:
            intake = self._traces.intake_alone(
                last.leg, report_id=report.report_id, source="away", at=at, told=report.reference
            )
        receipt = await self._traces.take_in(intake, on_disk=True)
        log.warning("offline *57 report entered", ticket=receipt.ticket_number)
