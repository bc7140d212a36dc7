"""A FastAGI server: Asterisk connects for each conversation, we send commands and it answers them one by one.

Written for what a telephone line meets: connections that send nothing or garbage, callers who hang up
inside any command, and many calls at once at little cost (one future per command, no stream objects).
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import structlog

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import AgiGarbage, AgiValueError, ReplyReader
from ivr.asterisk.agi_session import AgiFailed, AgiSession, CallHungUp
from ivr.settings import Address

__all__ = ["AgiFailed", "AgiSession", "AgiValueError", "CallHungUp", "FastAgiServer", "Handler", "Limits"]

log = structlog.get_logger()

Handler = Callable[[AgiSession], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server puts up with."""

    #: Seconds until the opening lines must have come.
    opening_s: float = 5.0
    #: Connections at once.
    sessions: int = 2000
    #: Seconds between looks for commands that Asterisk no longer answers.
    sweep_s: float = 5.0


class _Connection(asyncio.Protocol):
    """Gathers the opening, then passes replies on; owns nothing that outlives the connection."""

    _transport: asyncio.Transport

    def __init__(self, server: FastAgiServer) -> None:
        self._server = server
        self._received = bytearray()
        self._replies = ReplyReader()
        self._session: AgiSession | None = None
        self._broken: str | None = None
        self._opening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not a check: uvloop's transports are not asyncio.Transport's subclasses.
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.admit(self):
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._opening = loop.call_later(self._server.limits.opening_s, self._give_up, "no complete opening in time")

    def data_received(self, data: bytes) -> None:
        if self._broken is not None:
            return
        try:
            if self._session is None:
                data = self._open(data)
            if self._session is not None and data:
                for reply in self._replies.feed(data):
                    self._session.on_reply(reply)
        except AgiGarbage as error:
            self._give_up(str(error))

    def _open(self, data: bytes) -> bytes:
        """Begin the conversation once its opening is whole; what came after it."""
        self._received += data
        end = agi_protocol.environment_end(self._received)
        if end < 0:
            return b""
        environment = agi_protocol.parse_environment(bytes(self._received[:end]))
        self._server.check(environment)
        rest = bytes(self._received[end + 2 :])
        self._received.clear()
        if self._opening is not None:
            self._opening.cancel()
        self._session = AgiSession(environment, self._transport.write, self._server.step)
        self._server.run(self._session, self)
        return rest

    def _give_up(self, why: str) -> None:
        self._broken = why
        self._received.clear()
        self._server.garbage(why)
        self._transport.abort()

    def close(self) -> None:
        """End the connection; the dialplan goes on."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._session is not None:
            self._session.on_lost(self._broken)
        self._server.left(self)


class FastAgiServer:
    """Accepts Asterisk's connections and runs `handler` for each conversation.

    Only on a loopback address: the protocol has neither authentication nor encryption. Raises ValueError else. With a
    `secret` the path of each conversation begins with it, as in agi://HOST:PORT/SECRET/line, and who does not know it
    is refused: on one machine there are other users, and other containers.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        limits: Limits | None = None,
        step: Callable[[float], None] | None = None,
        secret: str | None = None,
    ) -> None:
        if not Address(host=host, port=port).loopback:
            raise ValueError(f"FastAGI must listen on a loopback address, not on {host}")
        self.limits = limits or Limits()
        #: Told what each step of a conversation took on our side, in seconds.
        self.step = step
        self._host = host
        self._port = port
        self._handler = handler
        self._secret = secret
        self._connections: set[_Connection] = set()
        self._tasks: dict[asyncio.Task[None], AgiSession] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None
        #: Connections that were not AGI, and those refused for their number, since the start. A flood of them
        #: must not become a flood of log lines: only every power of two is logged.
        self.garbage_count = 0
        self.refused_count = 0

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port, backlog=512)
        self._expire_overdue()

    def _expire_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for session in self._tasks.values():
            session.expire(now)
        self._sweep = loop.call_later(self.limits.sweep_s, self._expire_overdue)

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def sessions(self) -> int:
        """Conversations in progress."""
        return len(self._tasks)

    async def stop(self, deadline_s: float) -> None:
        """Take no more; give the conversations in progress `deadline_s` seconds, then end them."""
        if self._server is not None:
            self._server.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.keys(), timeout=deadline_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._connections):
            connection.close()

    # What connections tell the server.

    def admit(self, connection: _Connection) -> bool:
        """Return whether there is room for one more."""
        if len(self._connections) >= self.limits.sessions:
            self.refused_count += 1
            if _power_of_two(self.refused_count):
                log.error(
                    "FastAGI limit reached; the dialplan takes over",
                    event_id="OV1503",
                    refused_so_far=self.refused_count,
                )
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)

    def check(self, environment: dict[str, str]) -> None:
        """Take the secret out of the conversation's path. Raises AgiGarbage when it is not there."""
        if self._secret is None:
            return
        given, _, path = environment.get("network_script", "").partition("/")
        # Where it is kept besides is of no use, and might be logged.
        environment["request"] = ""
        environment["network_script"] = path
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._secret.encode()):
            raise AgiGarbage(problem="it does not know the secret of this line")

    def garbage(self, why: str) -> None:
        """A connection said something that is not AGI."""
        self.garbage_count += 1
        if _power_of_two(self.garbage_count):
            log.warning("non-AGI connection on the FastAGI port", why=why, so_far=self.garbage_count)

    def run(self, session: AgiSession, connection: _Connection) -> None:
        """Hold a conversation."""
        task = asyncio.get_running_loop().create_task(self._converse(session, connection))
        self._tasks[task] = session
        task.add_done_callback(self._tasks.pop)

    async def _converse(self, session: AgiSession, connection: _Connection) -> None:
        try:
            await self._handler(session)
        except CallHungUp:
            pass
        except Exception:
            # The dialplan sees that nothing was decided and takes the caller to a person.
            log.exception("FastAGI conversation failed; the dialplan takes over", event_id="OV1102", path=session.path)
        finally:
            connection.close()


def _power_of_two(count: int) -> bool:
    return count & (count - 1) == 0
