"""Reports over a real database and a real folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.asterisk.hep import SIP, Packet
from ivr.calltrace.service import CallTraces
from ivr.desk.load import load_desks
from ivr.directory.demo import load_demo
from ivr.directory.lookup import Directory
from ivr.events import EventBus
from ivr.evidence.legs import Device, EndedLeg
from ivr.evidence.packet_buffer import EndedCall, Ring
from ivr.store.engine import Store
from ivr.tickets.spool import Spool

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@dataclass
class World:
    """What a test has: reports of calls that it makes up, and a clock."""

    traces: CallTraces
    ring: Ring
    bus: EventBus
    store: Store
    spool: Path
    now: list[datetime] = field(default_factory=lambda: [NOW])
    calls: int = 0

    def later(self, **ago: float) -> None:
        self.now[0] += timedelta(**ago)

    async def settled(self) -> None:
        """What goes on beside the users' calls has come to its end."""
        await self.traces.close()

    def call(
        self, phone: str = "6001", *, lost: int = 0, far: str = "outbound", far_lost: int = 0, rx: int = 1000
    ) -> EndedCall:
        """A call of this phone that has just ended: packets of 1000 that were lost on either side's way to us."""
        self.calls += 1
        ids = f"{1795384710 + self.calls}.1", f"{1795384710 + self.calls}.2"
        for name, uniqueid, mine, other in ((phone, ids[0], lost, far_lost), (far, ids[1], far_lost, lost)):
            call_id = f"sip-{uniqueid}"
            message = f"INVITE sip:15145550199@x SIP/2.0\r\nFrom: <sip:{phone}@x>\r\nCSeq: 1 INVITE\r\n\r\n".encode()
            packet = Packet(
                at=1.0,
                kind=SIP,
                src=("192.0.2.7", 5060),
                dst=("192.0.2.1", 5060),
                tcp=False,
                correlation=call_id,
                payload=message,
            )
            self.ring.add(packet)
            self.ring.ended(
                EndedLeg(
                    linkedid=ids[0],
                    uniqueid=uniqueid,
                    name=name,
                    call_id=call_id,
                    channel="",
                    started=1795384710.0,
                    answered=True,
                    codec="ulaw",
                    remote=f"192.0.2.{phone[-1]}:4000",
                    their_number=None,
                    rx=max(0, rx - mine),
                    lost=mine,
                    tx=max(0, rx - other),
                    their_lost=other,
                    rtt_ms=20.0,
                    their_ssrc=1,
                )
            )
        found = self.ring.last_call(Device(phone=phone), 60)
        assert found is not None
        return found


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    async with store.unit() as unit:
        await load_demo(unit)
    directory = Directory(store)
    await directory.reload()
    ring, bus = Ring(), EventBus()
    now = [NOW]
    traces = CallTraces(
        store=store,
        spool=Spool(tmp_path / "spool" / "traces"),
        ring=ring,
        directory=directory,
        desk=next(iter(load_desks().values())),
        bus=bus,
        clock=lambda: now[0],
        rtp_ports=(10000, 12000),
        # Tests share a busy machine; whether a caller waits too long is told by tests of that.
        patience_s=30.0,
        wall=lambda: 1795384720.0,
        public_url="https://ligne.example",
    )
    yield World(traces=traces, ring=ring, bus=bus, store=store, spool=tmp_path / "spool" / "traces", now=now)
    await traces.close()
