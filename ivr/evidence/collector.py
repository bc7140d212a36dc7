"""Receives Asterisk's copies of SIP and RTCP (HEP) on loopback; into the ring, and on to a Homer server."""

from __future__ import annotations

import asyncio
import socket

import structlog

from ivr.asterisk import hep
from ivr.evidence.ring import Ring
from ivr.settings import Address

log = structlog.get_logger()

#: Bytes that the machine keeps for us while we are busy.
_BUFFER = 4_000_000
#: What is too old is erased this often, in seconds.
_ERASE_S = 30.0


class Collector(asyncio.DatagramProtocol):
    """One UDP port. Garbage is counted and dropped."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.garbage = 0
        self._homer: asyncio.DatagramTransport | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, at: Address, homer: Address | None = None) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(at.host, at.port))
        self._transport = transport
        listening = transport.get_extra_info("socket")
        if listening is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if homer is not None:
            mirror, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=(homer.host, homer.port)
            )
            self._homer = mirror

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._transport is not None  # noqa: S101 - started
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One copy."""
        try:
            packet = hep.parse(data)
        except hep.HepGarbage as error:
            self.garbage += 1
            if self.garbage & (self.garbage - 1) == 0:
                log.warning("garbage on the evidence port", so_far=self.garbage, problem=error.facts.get("problem"))
            return
        self._ring.add(packet)
        if self._homer is not None:
            self._homer.sendto(data)

    def error_received(self, exc: Exception) -> None:
        """An unreachable Homer is not our trouble."""

    async def run(self) -> None:
        """Erase what is too old, until cancelled."""
        while True:
            await asyncio.sleep(_ERASE_S)
            self._ring.erase_old()

    def close(self) -> None:
        """Listen no more."""
        for transport in (self._transport, self._homer):
            if transport is not None:
                transport.close()
