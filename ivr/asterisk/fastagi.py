"""A FastAGI server: Asterisk connects for each conversation, we send commands and it answers them one by one.

Written for what a telephone line meets: connections that send nothing or garbage, callers who hang up
inside any command, and many calls at once at little cost (one future per command, no stream objects).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import structlog

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import AgiGarbage, Reply
from ivr.errors import OmnivigilError

log = structlog.get_logger()

#: Seconds beyond what a command itself may take until Asterisk is held to be gone.
_GRACE_S = 30.0
#: A prompt is never longer than this, in seconds.
_LONGEST_PROMPT_S = 300.0


class CallHungUp(OmnivigilError):
    """The caller hung up."""


class AgiFailed(OmnivigilError):
    """Asterisk refused a command or no longer answers."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server puts up with."""

    #: Seconds until the opening lines must have come.
    opening_s: float = 5.0
    sessions: int = 2000


class AgiSession:
    """One conversation. Every command raises CallHungUp once the caller is gone."""

    def __init__(self, environment: Mapping[str, str], send: Callable[[bytes], None]) -> None:
        #: What Asterisk told at the start, without the `agi_` prefix; control characters are gone.
        self.env = environment
        self.path = environment.get("network_script", "").split("?", 1)[0]
        count = sum(1 for name in environment if name.startswith("arg_"))
        self.args = tuple(environment.get(f"arg_{n}", "") for n in range(1, count + 1))
        self.hung_up = False
        self._send = send
        self._waiting: asyncio.Future[Reply] | None = None
        self._lost = False

    # What the connection tells the session.

    def on_reply(self, reply: Reply) -> None:
        if self._waiting is None or self._waiting.done():
            raise AgiGarbage(problem="a reply to nothing", reply=str(reply))
        self._waiting.set_result(reply)

    def on_hangup(self) -> None:
        # The command in progress is still answered by Asterisk, so its future is left alone.
        self.hung_up = True

    def on_lost(self) -> None:
        self.hung_up = True
        self._lost = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(CallHungUp())

    # Commands.

    async def _command(self, *words: str, takes_s: float = 0.0) -> Reply:
        line = agi_protocol.command(*words)
        if self.hung_up or self._lost:
            raise CallHungUp()
        if self._waiting is not None:
            raise AgiFailed(problem="a command is already in progress", command=words[0])
        self._waiting = asyncio.get_running_loop().create_future()
        self._send(line)
        try:
            async with asyncio.timeout(takes_s + _GRACE_S):
                reply = await self._waiting
        except TimeoutError as error:
            self._lost = True
            raise AgiFailed(problem="no answer", command=words[0]) from error
        finally:
            self._waiting = None
        if reply.code == 511 or reply.result == "-1":
            self.hung_up = True
            raise CallHungUp()
        if reply.code != 200:
            raise AgiFailed(problem="refused", command=words[0], code=reply.code, said=reply.data)
        return reply

    async def get_option(self, file: str, escape_digits: str, timeout_ms: int) -> str | None:
        """Play a file and wait up to `timeout_ms` after it; the key pressed meanwhile, or None."""
        takes_s = _LONGEST_PROMPT_S + timeout_ms / 1000
        # GET OPTION reads a time-out of 0 as the dialplan's own of several seconds.
        reply = await self._command("GET OPTION", file, escape_digits, str(max(1, timeout_ms)), takes_s=takes_s)
        return _key(reply)

    async def stream_file(self, file: str, escape_digits: str) -> str | None:
        """Play a file (name without extension); the key that cut it short, or None."""
        return _key(await self._command("STREAM FILE", file, escape_digits, takes_s=_LONGEST_PROMPT_S))

    async def wait_for_digit(self, timeout_ms: int) -> str | None:
        """The key pressed within `timeout_ms`, or None."""
        return _key(await self._command("WAIT FOR DIGIT", str(timeout_ms), takes_s=timeout_ms / 1000))

    async def get_data(self, file: str, timeout_ms: int, max_digits: int) -> tuple[str, bool]:
        """Play a file and collect digits up to `#`; the digits, and whether time ran out."""
        takes_s = _LONGEST_PROMPT_S + max_digits * timeout_ms / 1000
        reply = await self._command("GET DATA", file, str(timeout_ms), str(max_digits), takes_s=takes_s)
        return reply.result, reply.data == "timeout"

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or a function such as CHANNEL(language)."""
        await self._command("SET VARIABLE", name, value)

    async def get_variable(self, name: str) -> str | None:
        """A channel variable's value, or None when it is not set."""
        reply = await self._command("GET VARIABLE", name)
        return reply.data if reply.result == "1" else None

    async def execute(self, application: str, *arguments: str, takes_s: float = 3600.0) -> str:
        """Run a dialplan application; its result. `-2` means that there is no such application."""
        reply = await self._command("EXEC", application, ",".join(arguments), takes_s=takes_s)
        if reply.result == "-2":
            raise AgiFailed(problem="no such application", application=application)
        return reply.result


def _key(reply: Reply) -> str | None:
    code = int(reply.result) if reply.result.isdigit() else 0
    return chr(code) if code > 0 else None


Handler = Callable[[AgiSession], Awaitable[None]]


class _Connection(asyncio.Protocol):
    """Splits lines and passes them on; owns nothing that outlives the connection."""

    def __init__(self, server: FastAgiServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._session: AgiSession | None = None
        self._usage = False
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not a check: uvloop's transports are not asyncio.Transport's subclasses.
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.admit(self):
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._opening = loop.call_later(self._server.limits.opening_s, self._give_up, "nothing came")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            if self._session is None:
                self._open()
            if self._session is not None:
                self._lines(self._session)
        except AgiGarbage as error:
            self._give_up(str(error))

    def _open(self) -> None:
        end = self._buffer.find(b"\n\n")
        if end < 0:
            if len(self._buffer) > agi_protocol.MAX_ENVIRONMENT_BYTES:
                raise AgiGarbage(problem="opening too large")
            if self._buffer and not b"agi_".startswith(bytes(self._buffer[:4])):
                raise AgiGarbage(problem="not an agi_ line", line=repr(bytes(self._buffer[:40])))
            return
        environment = agi_protocol.parse_environment(bytes(self._buffer[:end]))
        del self._buffer[: end + 2]
        if self._opening is not None:
            self._opening.cancel()
        self._session = AgiSession(environment, self._send)
        self._server.run(self._session, self)

    def _lines(self, session: AgiSession) -> None:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = agi_protocol.text(bytes(self._buffer[:end])).rstrip()
            del self._buffer[: end + 1]
            if line == "HANGUP":
                session.on_hangup()
            elif self._usage:
                # 520 explains itself over several lines, the last of which begins with 520 again.
                if line.startswith("520 "):
                    self._usage = False
                    session.on_reply(agi_protocol.parse_reply(line))
            elif line.startswith("520-"):
                self._usage = True
            elif line:
                session.on_reply(agi_protocol.parse_reply(line))
        if len(self._buffer) > agi_protocol.MAX_LINE_BYTES:
            raise AgiGarbage(problem="line too long")

    def _send(self, line: bytes) -> None:
        if self._transport is not None:
            self._transport.write(line)

    def _give_up(self, why: str) -> None:
        self._server.garbage(why)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection; the dialplan goes on."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._session is not None:
            self._session.on_lost()
        self._server.left(self)


class FastAgiServer:
    """Accepts Asterisk's connections on a loopback address and runs `handler` for each conversation."""

    def __init__(self, host: str, port: int, handler: Handler, *, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._host = host
        self._port = port
        self._handler = handler
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        #: Connections that were not AGI, since the start; only every power of two is logged.
        self.garbage_count = 0

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port, backlog=512)

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._server is None:
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
            _, late = await asyncio.wait(set(self._tasks), timeout=deadline_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        for connection in list(self._connections):
            connection.close()

    def admit(self, connection: _Connection) -> bool:
        if len(self._connections) >= self.limits.sessions:
            log.error("too many conversations; the dialplan takes the caller", sessions=len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    def garbage(self, why: str) -> None:
        self.garbage_count += 1
        if self.garbage_count & (self.garbage_count - 1) == 0:
            log.warning("a connection to the FastAGI port was not AGI", why=why, so_far=self.garbage_count)

    def run(self, session: AgiSession, connection: _Connection) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(session, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, session: AgiSession, connection: _Connection) -> None:
        try:
            await self._handler(session)
        except CallHungUp:
            pass
        except Exception:
            # The dialplan sees that nothing was decided and takes the caller to a person.
            log.exception("a conversation failed", path=session.path)
        finally:
            connection.close()
