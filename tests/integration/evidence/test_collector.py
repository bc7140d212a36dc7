"""The evidence port, with real datagrams."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace

import pytest

from ivr.asterisk.hep import SIP, Packet, build
from ivr.evidence.collector import Collector
from ivr.evidence.legs import EndedLeg
from ivr.evidence.packet_buffer import Ring
from ivr.settings import Address

LEG = EndedLeg(
    linkedid="1.1",
    uniqueid="1.1",
    name="6001",
    call_id="",
    channel="",
    started=1.0,
    answered=True,
    codec=None,
    remote=None,
    their_number=None,
    rx=None,
    lost=None,
    tx=None,
    their_lost=None,
    rtt_ms=None,
    their_ssrc=None,
)
ANYWHERE = Address(host="127.0.0.1", port=0)


def invite(call: str) -> bytes:
    return build(
        Packet(
            at=1.0,
            kind=SIP,
            src=("192.0.2.7", 5060),
            dst=("192.0.2.1", 5060),
            tcp=False,
            correlation=call,
            payload=b"INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n",
        )
    )


def kept(ring: Ring, call_id: str) -> list[Packet]:
    return ring.packets(replace(LEG, call_id=call_id))


@pytest.fixture
async def ring() -> Ring:
    return Ring()


@pytest.fixture
async def collector(ring: Ring) -> AsyncIterator[Collector]:
    made = Collector(ring)
    made.start(ANYWHERE)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    made.close()


async def until(look: object) -> None:
    for _ in range(200):
        if look():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


def send(port: int, *datagrams: bytes) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as out:
        for datagram in datagrams:
            out.sendto(datagram, ("127.0.0.1", port))


async def test_copies_are_kept_and_garbage_is_counted(collector: Collector, ring: Ring) -> None:
    noise = [os.urandom(size) for size in range(1, 400)]
    send(collector.port, *noise, b"HEP3" + bytes(60_000), b"", invite("a"))
    await until(lambda: kept(ring, "a"))
    assert collector.garbage == 401
    assert len(kept(ring, "a")) == 1


async def test_a_burst_is_not_lost(collector: Collector, ring: Ring) -> None:
    send(collector.port, *(invite(str(number % 50)) for number in range(2000)))
    await until(lambda: sum(len(kept(ring, str(number))) for number in range(50)) == 2000)


async def test_homer_gets_the_same_and_its_absence_harms_nobody(ring: Ring) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(5)
        made = Collector(ring)
        made.start(ANYWHERE, Address(host="127.0.0.1", port=homer.getsockname()[1]))
        running = asyncio.create_task(made.run())
        send(made.port, invite("a"))
        assert await asyncio.to_thread(homer.recv, 65536) == invite("a")
    send(made.port, invite("b"), invite("c"), invite("d"))
    await until(lambda: kept(ring, "d"))
    running.cancel()
    made.close()
