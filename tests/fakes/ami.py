"""Asterisk's manager without Asterisk: its queues as a model, in memory (FakeAmi) or behind a socket (AmiPeer)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ivr.asterisk.ami import NO_FIELDS, AmiRefused, Fields, State, refuse_line_breaks
from ivr.errors import Unavailable


@dataclass(kw_only=True)
class Answer:
    """What one action brings about: its response, the list's events, and what everybody is told."""

    response: Fields
    listed: list[Fields] = field(default_factory=list)
    told: list[Fields] = field(default_factory=list)


class QueueModel:
    """app_queue's members as its manager actions see them; messages are Asterisk 22's own."""

    def __init__(self, *queues: str) -> None:
        self.members: dict[str, dict[str, dict[str, str]]] = {queue: {} for queue in queues}
        #: What there is beside the queues: rows of CoreShowChannels.
        self.channels: list[Fields] = []
        #: When Asterisk was started, and whose phones it was told to ask.
        self.started = "10:00:00"
        self.asked: list[str] = []
        #: What it was told to call, as the fields of Originate.
        self.originated: list[Mapping[str, str]] = []

    def answer(self, name: str, fields: Mapping[str, str]) -> Answer:
        """Carry one action out."""
        given = {key.lower(): value for key, value in fields.items()}
        actions = {
            "queueadd": self._add,
            "queueremove": self._remove,
            "queuepause": self._pause,
            "queuestatus": self._status,
            "coreshowchannels": self._channels,
            "corestatus": self._core,
            "pjsipqualify": self._qualify,
            "originate": self._originate,
            "hangup": self._hang_up,
        }
        if name.lower() == "ping":
            return Answer(response={"response": "Success", "ping": "Pong"})
        if name.lower() not in actions:
            return _error("Invalid/unknown command")
        return actions[name.lower()](given)

    def _core(self, given: Mapping[str, str]) -> Answer:
        started = {"corestartupdate": "2026-11-25", "corestartuptime": self.started}
        return Answer(response={"response": "Success"} | started)

    def _qualify(self, given: Mapping[str, str]) -> Answer:
        self.asked.append(given["endpoint"])
        return Answer(response={"response": "Success", "message": "Endpoint found, will qualify"})

    def _originate(self, given: Mapping[str, str]) -> Answer:
        self.originated.append(given)
        return Answer(response={"response": "Success", "message": "Originate successfully queued"})

    def _hang_up(self, given: Mapping[str, str]) -> Answer:
        return _error("No such channel")

    def _add(self, given: Mapping[str, str]) -> Answer:
        queue, interface = given["queue"], given["interface"]
        if queue not in self.members:
            return _error("Unable to add interface to queue: No such queue")
        if interface in self.members[queue]:
            return _error("Unable to add interface: Already there")
        member = {
            "queue": queue,
            "membername": given.get("membername") or interface,
            "interface": interface,
            "callstaken": "0",
            "lastcall": "0",
            "incall": "0",
            "status": "1",
            "paused": "0",
            "pausedreason": "",
        }
        self.members[queue][interface] = member
        response = {"response": "Success", "message": "Added interface to queue"}
        return Answer(response=response, told=[{"event": "QueueMemberAdded", **member}])

    def _remove(self, given: Mapping[str, str]) -> Answer:
        queue, interface = given["queue"], given["interface"]
        if queue not in self.members:
            return _error("Unable to remove interface from queue: No such queue")
        member = self.members[queue].pop(interface, None)
        if member is None:
            return _error("Unable to remove interface: Not there")
        response = {"response": "Success", "message": "Removed interface from queue"}
        return Answer(response=response, told=[{"event": "QueueMemberRemoved", **member}])

    def _pause(self, given: Mapping[str, str]) -> Answer:
        queues = [given["queue"]] if given.get("queue") else list(self.members)
        found = [
            member for queue in queues if (member := self.members.get(queue, {}).get(given["interface"])) is not None
        ]
        if not found:
            return _error("Interface not found")
        for member in found:
            member["paused"] = "1" if given["paused"] == "true" else "0"
            member["pausedreason"] = given.get("reason", "")
        response = {"response": "Success", "message": "Interface paused successfully"}
        return Answer(response=response, told=[{"event": "QueueMemberPause", **member} for member in found])

    def _status(self, given: Mapping[str, str]) -> Answer:
        queues = [given["queue"]] if given.get("queue") else list(self.members)
        listed: list[Fields] = []
        for queue in queues:
            if queue not in self.members:
                continue
            listed.append({"event": "QueueParams", "queue": queue})
            for member in self.members[queue].values():
                row = {"event": "QueueMember", **member, "name": member["membername"], "location": member["interface"]}
                listed.append({key: value for key, value in row.items() if key not in ("membername", "interface")})
        end = {"event": "QueueStatusComplete", "eventlist": "Complete"}
        return Answer(response={"response": "Success", "message": "Queue status will follow"}, listed=[*listed, end])

    def _channels(self, _: Mapping[str, str]) -> Answer:
        rows = [{"event": "CoreShowChannel", **row} for row in self.channels]
        end = {"event": "CoreShowChannelsComplete", "eventlist": "Complete", "listitems": str(len(rows))}
        return Answer(response={"response": "Success", "message": "Channels will follow"}, listed=[*rows, end])


def _error(message: str) -> Answer:
    return Answer(response={"response": "Error", "message": message})


class FakeAmi:
    """In memory; held to the same contract as the real adapter."""

    def __init__(self, *queues: str) -> None:
        self.queues = QueueModel(*queues)
        self._events: asyncio.Queue[Fields | None] = asyncio.Queue()
        self._state = State.CONNECTED

    @property
    def state(self) -> State:
        return self._state

    async def action(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Fields:
        return self._answer(name, fields).response

    async def collect(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> list[Fields]:
        return self._answer(name, fields).listed[:-1]

    def _answer(self, name: str, fields: Fields) -> Answer:
        if self._state is not State.CONNECTED:
            raise Unavailable(component="Asterisk's manager", action=name)
        refuse_line_breaks(name, fields)
        answer = self.queues.answer(name, fields)
        if answer.response["response"] != "Success":
            raise AmiRefused(action=name, said=answer.response["message"])
        for event in answer.told:
            self.tell(event)
        return answer

    def tell(self, event: Fields) -> None:
        """Something happens in Asterisk."""
        self._events.put_nowait(dict(event))

    async def events(self) -> AsyncIterator[Fields]:
        while (event := await self._events.get()) is not None:
            yield event

    @contextmanager
    def away(self) -> Iterator[None]:
        """Asterisk does not answer meanwhile."""
        self._state = State.CONNECTING
        try:
            yield
        finally:
            self._state = State.CONNECTED

    async def connect(self) -> None:
        self._state = State.CONNECTED

    async def close(self) -> None:
        self._state = State.CLOSED
        self._events.put_nowait(None)


class AmiPeer:
    """An AMI server on a socket that can be told to misbehave."""

    secret = "a-long-secret"

    def __init__(self, *queues: str) -> None:
        self.queues = QueueModel(*queues)
        #: Every action that came in, over all connections.
        self.received: list[dict[str, str]] = []
        self.logins = 0
        #: False while it takes logins and is still loading what does the work, as Asterisk does at its start.
        self.booted = True
        #: Actions, in lower case, that are carried out and not answered.
        self.unanswered: set[str] = set()
        #: Bytes at a time that are written; 0 for whole messages.
        self.packet_bytes = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._all: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; a second time on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no connections, and end those there are."""
        if self._server is not None:
            self._server.close()
        self.drop()
        # Connections that have not logged in, or are in the middle of it.
        while self._all:
            for writer in self._all:
                writer.close()
            await asyncio.sleep(0.005)

    def drop(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def tell(self, event: Fields) -> None:
        """Send an event to everyone logged in."""
        for writer in self._writers:
            self._write(writer, event)

    def tell_raw(self, raw: bytes) -> None:
        """Send bytes to everyone logged in."""
        for writer in self._writers:
            writer.write(raw)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.add(writer)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while block := await self._block(reader):
                self.received.append(block)
                await self._respond(writer, block)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            self._all.discard(writer)

    async def _respond(self, writer: asyncio.StreamWriter, block: dict[str, str]) -> None:
        name = block.pop("action").lower()
        ident = {"actionid": block["actionid"]}
        if name == "login":
            if block["secret"] != self.secret:
                self._write(writer, {"response": "Error", **ident, "message": "Authentication failed"})
                await writer.drain()
                writer.close()
                return
            self.logins += 1
            self._writers.add(writer)
            self._write(writer, {"response": "Success", **ident, "message": "Authentication accepted"})
            if self.booted:
                self._write(writer, {"event": "FullyBooted"})
            return
        answer = self.queues.answer(name, block)
        if name not in self.unanswered:
            for message in (answer.response, *answer.listed):
                self._write(writer, {**message, **ident})
            for event in answer.told:
                self.tell(event)
        block["action"] = name

    def _write(self, writer: asyncio.StreamWriter, message: Fields) -> None:
        raw = "".join(f"{key.capitalize()}: {value}\r\n" for key, value in message.items()).encode() + b"\r\n"
        size = self.packet_bytes or len(raw)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])

    async def _block(self, reader: asyncio.StreamReader) -> dict[str, str]:
        block: dict[str, str] = {}
        while line := (await reader.readline()).decode().strip():
            key, _, value = line.partition(":")
            block[key.lower()] = value.strip()
        return block
