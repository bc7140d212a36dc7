"""Asterisk's manager interface over panoramisk: what acts is sent once, what happens is told in order.

Panoramisk by itself sends an unanswered action again after a reconnect (the customer would be dialled
twice), runs asynchronous handlers unordered, breaks characters that span two packets, and reconnects
after it was told to stop. This adapter uses its parsing and takes these decisions itself.
"""

from __future__ import annotations

import asyncio
import codecs
import enum
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import structlog
from panoramisk import actions as panoramisk_actions
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from ivr.errors import OmnivigilError, Unavailable

log = structlog.get_logger()

#: Events wait here for the service; of those beyond it is told that there is a gap.
_BACKLOG = 20_000
#: Seconds for a connection and its login.
_LOGIN_S = 5.0
#: And from there until Asterisk has loaded everything.
_BOOT_S = 30.0
#: Seconds before the first attempt to reconnect is repeated, and at most.
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


class AmiRefused(OmnivigilError):
    """Asterisk refused an action."""


class AmiValueError(OmnivigilError):
    """A value cannot be sent to Asterisk safely."""


class State(enum.Enum):
    """Of the connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


#: An event or a reply: field names in lower case.
Fields = Mapping[str, str]
NO_FIELDS: Fields = MappingProxyType({})

#: Told to the reader of events where some are missing: after each new login, and after an overflow.
RECONNECTED: Fields = {"event": "Reconnected"}


class ManagerInterface(Protocol):
    """What the service needs of Asterisk's manager; the real one and the fake of the tests both have it."""

    @property
    def state(self) -> State: ...

    async def action(self, name: str, fields: Fields = ..., *, timeout_s: float = ...) -> Fields: ...

    async def collect(self, name: str, fields: Fields = ..., *, timeout_s: float = ...) -> list[Fields]: ...

    def events(self) -> AsyncIterator[Fields]: ...

    async def connect(self) -> None: ...

    async def close(self) -> None: ...


class _Everything(tuple[str, ...]):
    """Contains every action: none is ever sent a second time."""

    def __contains__(self, item: object) -> bool:
        return True


class _Action(panoramisk_actions.Action):  # type: ignore[misc]
    """An action that is complete at its response, or for a list at the event that says so."""

    def __init__(self, fields: dict[str, str], *, listing: bool) -> None:
        super().__init__(fields)
        self.listing = listing

    def add_message(self, message: Any) -> bool:
        self.responses.append(message)
        if "response" in message:
            complete = not self.listing or message.response != "Success"
        else:
            complete = message.eventlist == "Complete" or str(message.event).endswith("Complete")
        if complete and not self.future.done():
            self.future.set_result(self.responses)
        return complete


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """Decodes over packet borders, and reads events by itself: they come on every call, and panoramisk is thorough."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""

    def data_received(self, data: bytes) -> None:
        *messages, self._unfinished = (self._unfinished + self._decoder.decode(data)).split("\r\n\r\n")
        for message in messages:
            fields = _event_fields(message)
            # A list's event belongs to its action; one of them is the end of the connection.
            ours = "event" in fields and "actionid" not in fields and fields["event"].lower() != "shutdown"
            if ours and self.factory is not None:
                self.factory.on_event(fields)
            else:
                super().data_received(f"{message}\r\n\r\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        # Until the manager has taken the connection over there is nobody to tell.
        if self.factory is not None:
            super().connection_lost(exc)


class _Manager(Manager):  # type: ignore[misc]
    """Never reconnects by itself."""

    def __init__(self, on_lost: Callable[[], None], on_event: Callable[[Fields], None], **config: Any) -> None:
        super().__init__(**config)
        self._on_lost = on_lost
        self.on_event = on_event

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()


class Ami:
    """One account's connection, kept up until `close`. The account may read `system` events: one of them says that
    Asterisk has started."""

    def __init__(self, host: str, port: int, username: str, secret: str, *, ping_s: float = 4.5) -> None:
        self._host, self._port = host, port
        self._username, self._secret = username, secret
        #: A connection is asked after this long, and given up when it does not answer in as long again: one whose peer
        #: is gone without a word, or whose words a firewall swallows, is left within ten seconds.
        self._ping_s = ping_s
        self._events: asyncio.Queue[Fields | None] = asyncio.Queue()
        self._state = State.CONNECTING
        self._manager: _Manager | None = None
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._dropped = 0
        self._gap = False

    @property
    def state(self) -> State:
        """Return whether actions can be sent now."""
        return self._state

    async def connect(self) -> None:
        """Log in and stay logged in. Raises Unavailable when nothing answers, AmiRefused for a wrong secret."""
        await self._login()
        self._keeper = asyncio.create_task(self._keep(), name="ami-keeper")
        self._keeper.add_done_callback(lambda _: self._events.put_nowait(None))

    async def _login(self) -> None:
        """Log in, and wait until Asterisk is ready: its manager answers before queues and channels are loaded."""
        loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        booted: asyncio.Future[None] = loop.create_future()

        def on_event(event: Fields) -> None:
            if event["event"] == "FullyBooted" and not booted.done():
                booted.set_result(None)
            else:
                self._put(event)

        manager = _Manager(self._lost.set, on_event, loop=loop, forgetable_actions=_Everything(), ping_delay=10**9)
        try:
            async with asyncio.timeout(_LOGIN_S):
                connected = await loop.create_connection(_Protocol, self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise Unavailable(component="Asterisk's manager", port=self._port, error=str(error)) from error
        made: asyncio.Future[Any] = loop.create_future()
        made.set_result(connected)
        manager.connection_made(made)
        if connected[0].is_closing():
            self._lost.set()
        self._manager = manager
        try:
            login = {"Username": self._username, "Secret": self._secret}
            await self._exchange(manager, "Login", login, _LOGIN_S, listing=False)
            await self._before_loss(booted, _BOOT_S, action="Login")
        except BaseException:
            manager.close()
            raise
        self._state = State.CONNECTED

    async def _keep(self) -> None:
        """Notice a dead connection, by its end or by an unanswered ping, and log in again."""
        while True:
            await self._until_lost()
            self._state = State.CONNECTING
            self._leave()
            log.warning("AMI connection lost")
            await self._login_again()
            log.warning("AMI connection restored")
            self._gap = True
            self._put(None)

    async def _until_lost(self) -> None:
        while not self._lost.is_set():
            try:
                await asyncio.wait_for(self._lost.wait(), self._ping_s)
            except TimeoutError:
                try:
                    await self.action("Ping", timeout_s=self._ping_s)
                except (Unavailable, AmiRefused):
                    return

    async def _login_again(self) -> None:
        pause = _FIRST_PAUSE_S
        refused = False
        while True:
            try:
                return await self._login()
            except Unavailable:
                # Asterisk restarts; `state` tells meanwhile.
                pass
            except AmiRefused as error:
                if not refused:
                    log.error("AMI login refused", event_id="OV1502", said=error.facts.get("said"))
                refused = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _put(self, event: Fields | None) -> None:
        if self._events.qsize() >= _BACKLOG:
            self._gap = True
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:
                log.error("AMI events dropped: service too far behind", event_id="OV1501", so_far=self._dropped)
            return
        if self._gap:
            self._gap = False
            self._events.put_nowait(RECONNECTED)
        if event is not None:
            self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[Fields]:
        """Every event in the order Asterisk sent it, until `close`; RECONNECTED after a gap. For one reader.

        Raises what ended the upkeep of the connection, should that ever fail: its reader must not wait for ever.
        """
        while (event := await self._events.get()) is not None:
            yield event
        if self._keeper is not None and not self._keeper.cancelled():
            self._keeper.result()

    async def action(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Fields:
        """Send one action, once; its response.

        Raises AmiRefused when Asterisk says no, Unavailable when it does not answer in time or the
        connection is lost: the action may then have been carried out or not, and is not repeated.
        """
        return (await self._send(name, fields, timeout_s, listing=False))[0]

    async def collect(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> list[Fields]:
        """Send an action that is answered by a list; the list's events. Raises as `action`."""
        return (await self._send(name, fields, timeout_s, listing=True))[1:-1]

    async def _send(self, name: str, fields: Mapping[str, str], timeout_s: float, *, listing: bool) -> list[Fields]:
        if self._manager is None or self._state is not State.CONNECTED:
            raise Unavailable(component="Asterisk's manager", action=name)
        return await self._exchange(self._manager, name, fields, timeout_s, listing=listing)

    async def _exchange(
        self, manager: _Manager, name: str, fields: Fields, timeout_s: float, *, listing: bool
    ) -> list[Fields]:
        refuse_line_breaks(name, fields)
        action = _Action({"Action": name, **fields}, listing=listing)
        manager.send_action(action)
        messages = [_fields(message) for message in await self._before_loss(action.future, timeout_s, action=name)]
        if messages[0].get("response") not in ("Success", "Goodbye"):
            raise AmiRefused(action=name, said=messages[0].get("message"))
        return messages

    async def _before_loss(self, wanted: asyncio.Future[Any], timeout_s: float, *, action: str) -> Any:
        """Return what is waited for.

        Raises Unavailable when it does not come in time or the connection is lost before.
        """
        # This connection's: a new one may stand before this task runs again.
        connection_lost = self._lost
        lost = asyncio.ensure_future(connection_lost.wait())
        try:
            await asyncio.wait({wanted, lost}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not wanted.done():
            wanted.cancel()
            if connection_lost.is_set():
                why = "connection lost"
            else:
                why = f"no answer in {timeout_s} s"
            raise Unavailable(component="Asterisk's manager", action=action, error=why)
        return wanted.result()

    async def close(self) -> None:
        """Stop for good: no reconnect, the reader of events comes to its end."""
        self._state = State.CLOSED
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        else:
            self._events.put_nowait(None)
        self._leave()

    def _leave(self) -> None:
        """End the connection. Panoramisk does not tell of an end that it was asked for, so who waits is told here."""
        self._lost.set()
        if self._manager is not None:
            self._manager.close()


def refuse_line_breaks(name: str, fields: Fields) -> None:
    """Raise AmiValueError where a line break would begin another field, or another action."""
    for text in (name, *fields, *fields.values()):
        if "\r" in text or "\n" in text:
            raise AmiValueError(action=repr(name), value=repr(text[:80]), problem="line break")


def _event_fields(message: str) -> Fields:
    """An event's fields, as `_fields` gives them."""
    fields: dict[str, str] = {}
    for line in message.split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon:
            name = name.lower()
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


def _fields(message: Any) -> Fields:
    """A message's fields; one that comes several times is joined by line breaks."""
    return {
        name.lower(): "\n".join(value) if isinstance(value, list) else str(value)
        for name, value in message.items()
        if name != "content"
    }
