"""Receives Asterisk's copies of SIP and RTCP (HEP) on loopback; into the ring, and on to a Homer server."""

from __future__ import annotations

import contextlib
import socket
import time

import structlog

from ivr.asterisk import hep
from ivr.evidence.packet_buffer import Ring
from ivr.settings import Address
from ivr.ticks import rest

log = structlog.get_logger()

#: Bytes that the machine keeps for us while we are busy.
_BUFFER = 4_000_000
#: Waking up for a datagram costs more than reading it: they are taken in together, this many seconds apart;
#: sooner while many come, long before the buffer is full.
_REST_S, _BUSY_REST_S = 0.25, 0.01
_MANY, _AT_ONCE = 30, 500
#: What is too old is erased this often, in seconds.
_ERASE_S = 30.0


class Collector:
    """One UDP port. Garbage is counted and dropped, and so is what does not show the `secret`, if there is one."""

    def __init__(self, ring: Ring, secret: str | None = None) -> None:
        self._ring = ring
        self._secret = hep.secret_chunk(secret) if secret is not None else b""
        self.garbage = 0
        self._socket: socket.socket | None = None
        self._homer: socket.socket | None = None

    def start(self, at: Address, homer: Address | None = None) -> None:
        """Bind the port. Raises OSError when it is taken."""
        self._socket = _udp(at)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((at.host, at.port))
        if homer is not None:
            self._homer = _udp(homer)
            self._homer.connect((homer.host, homer.port))

    @property
    def port(self) -> int:
        """Return where it listens."""
        assert self._socket is not None  # noqa: S101 - started
        port: int = self._socket.getsockname()[1]
        return port

    def take(self) -> int:
        """Take in what has come, up to a bound; how many datagrams."""
        assert self._socket is not None  # noqa: S101 - started
        for count in range(_AT_ONCE):
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return count
            self._take(data)
        return _AT_ONCE

    def _take(self, data: bytes) -> None:
        try:
            packet = hep.parse(data, self._secret)
        except hep.HepGarbage as error:
            self.garbage += 1
            if self.garbage & (self.garbage - 1) == 0:
                log.warning(
                    "malformed packet on the evidence port", so_far=self.garbage, problem=error.facts.get("problem")
                )
            return
        self._ring.add(packet)
        if self._homer is not None:
            # An absent or slow Homer is not our trouble.
            with contextlib.suppress(OSError):
                self._homer.send(hep.without_secret(data, self._secret))

    async def run(self) -> None:
        """Take in what comes and erase what is too old, until cancelled."""
        erased = time.monotonic()
        while True:
            taken = self.take()
            if time.monotonic() - erased > _ERASE_S:
                erased = time.monotonic()
                self._ring.erase_old()
            await rest(_BUSY_REST_S if taken > _MANY else _REST_S)

    def close(self) -> None:
        """Listen no more."""
        for one in (self._socket, self._homer):
            if one is not None:
                one.close()


def _udp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made
