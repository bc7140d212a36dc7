"""Takes reports of bad calls. None is lost: it is committed, on disk, or at the very least kept until it can be."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

from ivr.asterisk.hep import Packet
from ivr.calltrace import evidence
from ivr.calltrace.commit import Entered, enter, known_as, propose_incidents, refresh
from ivr.calltrace.common_cause import bad_at_once, site_of
from ivr.calltrace.intake import PartnerNotice, Source, TraceIntake
from ivr.calltrace.rules import call_mos, priority_of, silent
from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.directory.lookup import Directory
from ivr.directory.model import Identity
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.evidence import sip
from ivr.evidence.figures import figures_of
from ivr.evidence.legs import Device, EndedLeg
from ivr.evidence.packet_buffer import EndedCall, Ring
from ivr.quality.emodel import codec_name
from ivr.quality.figures import CallFigures, Leg
from ivr.quality.verdict import judge
from ivr.rate_limit import RateLimit
from ivr.store.engine import Store
from ivr.tickets.intake import Notice, requester_of
from ivr.tickets.spool import Spool
from ivr.ticks import rest

log = structlog.get_logger()

#: A caller waits this long, in seconds, for the database; then the report goes to disk.
_PATIENCE_S = 2.0
#: The last figures of a call arrive this long after its end, in seconds, at the latest.
_SETTLED_S = 3.0
#: Reports that neither the database nor the disk takes are kept in memory, so many at most.
_MOST_HELD = 1000
#: One phone may report so often a minute.
MOST_A_MINUTE = 10


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the user may be told."""

    ticket_number: str | None
    reference: str
    again: bool = False
    trace_id: str | None = None


class CallTraces:
    """Finds the call that is meant, judges it, and makes its report durable."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        *,
        store: Store,
        spool: Spool,
        ring: Ring,
        directory: Directory,
        desk: Desk,
        bus: EventBus,
        clock: Clock,
        rtp_ports: tuple[int, int],
        wall: Callable[[], float] = time.time,
        about: Callable[[str, Identity, str | None], int | None] = lambda desk, who, number: None,
        public_url: str | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`about` tells which incident a report by somebody, of a desk's service, is about (OV-27); `public_url` is
        where readers of e-mails find us; a caller waits `patience_s` seconds for the database.
        """
        self.store, self.ring, self.desk = store, ring, desk
        self._spool, self._directory, self._bus = spool, directory, bus
        self._clock, self._rtp_ports, self._wall = clock, rtp_ports, wall
        self._about, self._public_url = about, public_url or ""
        self._patience_s = patience_s
        self._limit = RateLimit(MOST_A_MINUTE, 60)
        self._held: deque[TraceIntake] = deque()
        self._proposing = asyncio.Lock()
        self._propose_again = False

    @property
    def within_s(self) -> float:
        """A call may be reported this long after its end."""
        return self.desk.call_trace.within_min * 60

    def allows(self, device: str) -> bool:
        """Return whether this device may report once more now."""
        return self._limit.allows(device, time.monotonic())

    def last_call(self, device: Device) -> EndedCall | None:
        """The call that a report from this device means."""
        return self.ring.last_call(device, self.within_s)

    def intake(self, call: EndedCall, device: Device, *, report_id: str, source: Source = "phone") -> TraceIntake:
        """A report on a call that the ring knows, by a device that has a leg in it."""
        mine = (leg for leg in call.legs.values() if leg.name == device.phone)
        # Of a line that rang on several devices, the leg that was answered; of two such, the reporter's own.
        near = max(mine, key=lambda leg: (leg.answered, leg.device == device.address))
        others = [leg for leg in call.legs.values() if leg is not near and leg.answered]
        far = max(others, key=lambda leg: leg.rx or 0, default=None)
        kept = {leg.call_id: self.ring.packets(leg) for leg in (near, far) if leg is not None}
        legs = [figures_of(leg, kept[leg.call_id], self._rtp_ports) for leg in (near, far) if leg is not None]
        bad = bad_at_once(self.ring.calls_since(60), but=call.linkedid, site=site_of(near.remote))
        figures = CallFigures(near=legs[0], far=legs[1] if len(legs) > 1 else None, others_bad=bad)
        packets = [packet for one in kept.values() for packet in one]
        return self.intake_of(
            figures,
            device=device.phone,
            report_id=report_id,
            source=source,
            linkedid=call.linkedid,
            other=_other(near, kept[near.call_id], far),
            direction="out" if near.caller else "in",
            started=self._moment(near.started),
            packets=packets,
        )

    def intake_alone(
        self, near: EndedLeg, *, report_id: str, source: Source, at: datetime | None = None, told: str | None = None
    ) -> TraceIntake:
        """A report on a call of which only its figures at hang-up are left: those of the other leg are unknown."""
        figures = CallFigures(near=figures_of(near, [], self._rtp_ports), far=Leg(name="unknown"))
        return self.intake_of(
            figures,
            device=near.name,
            report_id=report_id,
            source=source,
            linkedid=near.linkedid,
            other=near.their_number,
            direction="out" if near.caller else "in",
            started=self._moment(near.started),
            packets=[],
            at=at,
            told=told,
        )

    def intake_of(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        figures: CallFigures,
        *,
        device: str,
        report_id: str,
        source: Source,
        linkedid: str,
        other: str | None,
        direction: Literal["out", "in"] | None,
        started: datetime | None,
        packets: list[Packet],
        at: datetime | None = None,
        told: str | None = None,
    ) -> TraceIntake:
        """A report on a call of these figures."""
        identity = self._directory.identify(None, device)
        phone = self._directory.endpoint(device)
        verdict, mos, no_audio = judge(figures), call_mos(figures), silent(figures)
        partner, number = identity.partner, phone.caller_id if phone is not None else None
        near, far = figures.near, figures.far
        return TraceIntake(
            key=f"trace:{linkedid}:{device}",
            report_id=report_id,
            at=at or self._clock(),
            source=source,
            desk=self.desk.id,
            department=self.desk.call_trace.department,
            language=identity.language or self.desk.languages[0],
            linkedid=linkedid,
            device=device,
            other=other,
            direction=direction,
            started=started,
            requester=requester_of(identity, number),
            partner=PartnerNotice(name=partner.name, email=partner.email) if partner is not None else None,
            notice=self._notice(),
            mos=mos,
            no_audio=no_audio,
            priority=priority_of(mos, no_audio),
            cause=verdict.cause,
            confidence=verdict.confidence,
            reasons=verdict.reasons,
            near=near,
            far=far,
            trunk=far.name if far is not None and far.trunk else None,
            site=site_of(near.remote),
            codec=codec_name(near.codec),
            packets=evidence.pack(packets),
            told_reference=told,
            incident_id=self._about(self.desk.id, identity, number),
        )

    def _notice(self) -> Notice:
        """Return whom the department's e-mails go to; staff read the desk's first language."""
        staff, department = self.desk.languages[0], self.desk.call_trace.department
        return Notice(
            recipient=self.desk.departments[department].email,
            desk_name=self.desk.name,
            department_name=self.desk.departments[department].name[staff],
            language=staff,
            timezone=self.desk.timezone,
        )

    def _moment(self, wall: float) -> datetime:
        """Asterisk's time by the service's clock, which may be shifted."""
        return self._clock() - timedelta(seconds=self._wall() - wall)

    async def take_in(self, intake: TraceIntake, *, patience_s: float | None = None, on_disk: bool = False) -> Receipt:
        """Make a report durable and, when the database is there, a ticket; idempotent by its key.

        Goes on when the caller's conversation is cancelled. With neither database nor disk it is kept in memory, unless
        it is `on_disk` elsewhere; for that, and when as many are kept as can be, raises Unavailable.
        """
        work = self._spool.hold(
            self._take_in(intake, patience_s or self._patience_s, on_disk), name=f"call trace {intake.reference}"
        )
        receipt: Receipt = await asyncio.shield(work)
        return receipt

    async def _take_in(self, intake: TraceIntake, patience_s: float, on_disk: bool) -> Receipt:
        # Not cancelled when patience ends: a commit that is under way may come through; the key makes it harmless.
        entering = self._spool.hold(self._enter(intake), name=f"call trace ticket {intake.reference}")
        await asyncio.wait({entering}, timeout=patience_s)
        if entering.done() and not entering.cancelled() and entering.exception() is None:
            entered: Entered = entering.result()
            return Receipt(
                ticket_number=str(entered.ticket_number),
                reference=intake.reference,
                again=entered.again,
                trace_id=entered.trace_id,
            )
        try:
            await self._spool.put(intake)
            log.warning("*57 report spooled to disk: database unavailable", reference=intake.reference)
        except OSError as error:
            if on_disk or len(self._held) >= _MOST_HELD:
                raise Unavailable(problem="neither the database nor the disk takes the report") from error
            self._held.append(intake)
            log.error(
                "*57 report held in memory only: database and disk unavailable", event_id="OV1702", error=str(error)
            )
        return Receipt(ticket_number=None, reference=intake.reference)

    async def _enter(self, intake: TraceIntake) -> Entered:
        async with self.store.unit() as unit:
            entered = await enter(unit, intake, bus=self._bus, public_url=self._public_url)
        if not entered.again:
            self._spool.hold(self._propose(), name="incidents that reports propose")
        return entered

    async def _propose(self) -> None:
        """Look at all recent reports, beside their users' calls; of many at once, once for all of them."""
        if self._proposing.locked():
            self._propose_again = True
            return
        async with self._proposing:
            self._propose_again = True
            while self._propose_again:
                self._propose_again = False
                async with self.store.unit() as unit:
                    ops = self.desk.announcement.ops_email
                    if ops is not None:
                        notice = replace(self._notice(), recipient=ops)
                    else:
                        notice = self._notice()
                    now = self._clock()
                    await propose_incidents(unit, notice, now, bus=self._bus, public_url=self._public_url)

    async def settle(self, call: EndedCall, device: Device, report_id: str, *, after_s: float = _SETTLED_S) -> None:
        """Judge again once the last figures have arrived."""
        await asyncio.sleep(after_s)
        better = await asyncio.to_thread(self.intake, call, device, report_id=report_id)
        async with self.store.reading() as unit:
            if await known_as(unit, better):
                return
        async with self.store.unit() as unit:
            if await refresh(unit, better, public_url=self._public_url):
                log.info("*57 verdict revised with late figures", verdict=better.cause)

    async def close(self) -> None:
        """Let what has been begun come to its end."""
        await self._spool.close()

    async def drain(self) -> int:
        """Enter what was kept on disk or in memory, each exactly once; how many. Stops while the database is away."""
        entered = 0
        async with self._spool.draining:
            while self._held:
                try:
                    await self._enter(self._held[0])
                except Unavailable:
                    return entered
                except Exception:
                    log.exception("*57 report in memory rejected", reference=self._held[0].reference)
                    await self._spool_held()
                    return entered
                self._held.popleft()
                entered += 1
            for path in await self._spool.waiting():
                if not await self._drain_one(path):
                    break
                entered += 1
        return entered

    async def _spool_held(self) -> None:
        """The oldest one in memory goes to disk, from where it is set aside; the others are not held up by it."""
        try:
            await self._spool.put(self._held[0])
        except OSError:
            self._held.rotate(-1)
        else:
            self._held.popleft()

    async def _drain_one(self, path: Path) -> bool:
        """Return whether to go on with the next one."""
        try:
            intake = TraceIntake.from_json(await asyncio.to_thread(path.read_bytes))
            found = await self._enter(intake)
            await self._spool.remove(path)
        except Unavailable as error:
            log.warning("spooled *57 reports waiting: database unavailable", error=str(error))
            return False
        except OSError as error:
            log.warning("spooled *57 report not readable or removable; retrying", file=path.name, error=str(error))
        except Exception:
            log.exception("spooled *57 report rejected; set aside", event_id="OV1701", file=path.name)
            await self._spool.refuse(path)
        else:
            log.info("spooled *57 report entered", ticket=found.ticket_number, reference=intake.reference)
        return True

    async def keep_draining(self, every_s: float = 2.0) -> None:
        """Enter what was kept, at start and whenever there is something, until cancelled."""
        while True:
            await self.drain()
            await rest(every_s)


def new_report_id() -> str:
    """Of one press of *57."""
    return uuid.uuid4().hex


def _other(near: EndedLeg, packets: list[Packet], far: EndedLeg | None) -> str | None:
    """Return whom the phone talked to: the number it dialled, or who called it."""
    first = next((message for message in map(_read, packets) if message is not None and message.what == "INVITE"), None)
    if first is not None:
        number = first.target if near.caller else first.origin
        if number:
            return "".join(sign for sign in number if sign.isprintable())[:80]
    return near.their_number or (far.name if far is not None else None)


def _read(packet: Packet) -> sip.Message | None:
    if packet.kind == 1:
        return sip.read(packet.payload)
    return None
