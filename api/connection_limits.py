"""The door of the HTTP server: how many connections there may be, and how long each may take to say what it wants.

Uvicorn waits for ever for the end of a request's head, and takes as many connections as come. Each is a descriptor, and
calls need descriptors too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from ivr.host import descriptors
from ivr.proxies import Network
from ivr.rate_limit import Seldom

log = structlog.get_logger()

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)
#: A share of the descriptors, so that calls, the database and files have theirs.
_SHARE = 4
_MOST, _LEAST = 4096, 32


@dataclass(frozen=True, kw_only=True)
class DoorLimits:
    """What the door puts up with."""

    #: Connections at once.
    connections: int
    #: Of these, so many are kept for this machine: whoever looks after the line gets in.
    reserve: int = 16
    #: Connections at once from one address (IPv6: one /64), but from this machine and from proxies.
    from_one: int = 400
    #: Seconds until a request's head must be complete, and its connection do something at all.
    head_s: float = 10.0
    #: Seconds after which whoever takes nothing of an answer is left.
    stuck_s: float = 60.0
    #: Seconds that a connection without a request is kept.
    idle_s: float = 30.0

    @classmethod
    def of_this_process(cls) -> DoorLimits:
        """Return what the descriptors of this process allow."""
        most = max(_LEAST, min(_MOST, descriptors.limit() // _SHARE))
        return cls(connections=most, reserve=min(16, most // 4), from_one=max(8, min(400, most // 2)))


class Door:
    """Counts connections. When there are too many, the one that has waited longest without a request makes room."""

    def __init__(self, limits: DoorLimits, proxies: Sequence[Network] = ()) -> None:
        self.limits = limits
        self._proxies = tuple(proxies)
        self._open: dict[GuardedProtocol, str] = {}
        self._from: Counter[str] = Counter()
        #: Those without a request, the longest waiting first.
        self._idle: dict[GuardedProtocol, None] = {}
        self._seldom = Seldom()

    @property
    def connections(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def admit(self, connection: GuardedProtocol, address: str | None) -> bool:
        """Return whether there is room for one more."""
        source, trusted, here = self._source(address)
        if not trusted and self._from[source] >= self.limits.from_one:
            self.tell("too many connections from one address")
            return False
        room = self.limits.connections - (0 if here else self.limits.reserve)
        if len(self._open) >= room and not self._make_room():
            self.tell("too many connections")
            return False
        self._open[connection] = source
        self._from[source] += 1
        self._idle[connection] = None
        return True

    def _make_room(self) -> bool:
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        self.tell("closed without a request, for others to have room")
        oldest.drop()
        return True

    def idle(self, connection: GuardedProtocol) -> None:
        """It has no request any more."""
        if connection in self._open:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def busy(self, connection: GuardedProtocol) -> None:
        """It has a request."""
        self._idle.pop(connection, None)

    def left(self, connection: GuardedProtocol) -> None:
        """It is gone."""
        self._idle.pop(connection, None)
        source = self._open.pop(connection, None)
        if source is not None:
            self._from[source] -= 1
            if not self._from[source]:
                del self._from[source]

    def tell(self, reason: str) -> None:
        """One line for the log, and not one for each."""
        if count := self._seldom.due(reason, time.monotonic()):
            log.warning("HTTP connection ended", reason=reason, count=count)

    def _source(self, address: str | None) -> tuple[str, bool, bool]:
        """Return what counts as one source; whether it may have as many as there are; whether it is this machine."""
        try:
            parsed = ipaddress.ip_address((address or "").partition("%")[0])
        except ValueError:
            return "unknown", False, False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        trusted = parsed.is_loopback or any(parsed in network for network in self._proxies)
        if parsed.version == 6:
            return str(ipaddress.ip_network((parsed, 64), strict=False)), trusted, parsed.is_loopback
        return str(parsed), trusted, parsed.is_loopback


class GuardedProtocol(H11Protocol):
    """Uvicorn's protocol behind the door."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self.timeout_keep_alive = door.limits.idle_s  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, or turn it away at once."""
        super().connection_made(transport)
        if not self._door.admit(self, self.client[0] if self.client else None):
            transport.write(_FULL)
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """More of a request. A head that comes bit by bit has no more time than any other."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._asking():
            self._await_head()

    def handle_events(self) -> None:
        """What the request is made of."""
        super().handle_events()
        if not self._asking():
            self._cancel_head()
            self._door.busy(self)

    def on_response_complete(self) -> None:
        """The answer is given."""
        super().on_response_complete()
        if self._asking():
            self._door.idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._cancel_head()
        self._unstick()
        self._door.left(self)
        super().connection_lost(exc)
        # Uvicorn leaves this one when a connection breaks.
        self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """Tell that this is no HTTP, unless an answer to what came before is on its way."""
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        answer = (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        )
        with contextlib.suppress(h11.LocalProtocolError):
            for event in answer:
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        if self._stuck is None:
            why = "nothing of an answer was taken"
            self._stuck = self.loop.call_later(self._door.limits.stuck_s, self._give_up, why)

    def resume_writing(self) -> None:
        """The client takes again what it is sent."""
        super().resume_writing()
        self._unstick()

    def drop(self) -> None:
        """End it for others to have room; it has no request."""
        self._door.left(self)
        self.transport.abort()

    def _asking(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        if self._head is None:
            why = "no complete request in time"
            self._head = self.loop.call_later(self._door.limits.head_s, self._give_up, why)

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _give_up(self, why: str) -> None:
        self._door.tell(why)
        self.transport.abort()


class SeldomFilter(logging.Filter):
    """Lets a message of uvicorn's through once a minute: anybody can make it say that a request was no HTTP."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seldom = Seldom()
        self._monotonic = monotonic

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether it is told now, and then with how often it was."""
        if record.exc_info:
            return True
        count = self._seldom.due(str(record.msg), self._monotonic())
        if count > 1:
            record.msg = f"{record.msg} ({count} times)"
        return count > 0
