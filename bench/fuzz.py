"""Hostile messages by the hundred thousand, against an Asterisk of its own with the line's configuration."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console

from bench.fuzz_line import STRANGER, TRUNK, Client, alive, rss_mb, settings_on, start
from bench.fuzz_messages import CALL, FROM_TAG, PROOF, TO_TAG, Kind, Message, block, filled
from ivr.asterisk.process import AsteriskProcess
from ivr.evidence.collector import Collector
from ivr.evidence.packet_buffer import Ring
from ivr.settings import Settings

#: Whose phones are; neither the trunk's nor the stranger's.
_PHONES = "127.0.0.3"
#: Messages of one seed, and how many are sent before the line has to answer an OPTIONS.
BLOCK, _TOGETHER = 1000, 50
#: A line that has not answered for so many seconds is as good as dead.
_PATIENCE_S = 15.0
_PER_CONNECTION = 10


@dataclass(kw_only=True)
class Progress:
    """What was sent and found; kept in a file, so that a run goes on where it was ended."""

    seed: int
    next_block: int = 0
    messages: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    crashes: int = 0
    silences: int = 0
    garbage: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    #: Megabytes after the first thousand, and at the end.
    rss_first: float = 0.0
    rss_last: float = 0.0

    @classmethod
    def read(cls, file: Path, seed: int) -> Progress:
        """What an earlier run wrote; a new beginning where there is none, or one of another seed."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            known = cls(**json.loads(file.read_text()))
            if known.seed == seed:
                return known
        return cls(seed=seed)

    def write(self, file: Path) -> None:
        """For the next run."""
        partial = file.with_name(file.name + ".partial")
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.replace(file)


class Stopped(Exception):
    """Asterisk ended, or answers no more. `sent` is what it was sent last, in order."""

    def __init__(self, *, dead: bool, sent: list[Message]) -> None:
        self.dead, self.sent = dead, sent
        super().__init__("dead" if dead else "silent")


class Sender:
    """Sends messages to a line's Asterisk as a stranger, the trunk and phones would; in order, from one thread."""

    def __init__(self, asterisk: AsteriskProcess, collector: Collector) -> None:
        settings = asterisk.settings
        self._asterisk, self._collector = asterisk, collector
        self._server = (settings.sip.host, settings.sip.port)
        self._stranger, self._trunk, self._phone, self._asker = (
            Client(server=self._server, host=host) for host in (STRANGER, TRUNK, _PHONES, STRANGER)
        )
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind((_PHONES, 0))
        self._hep = (settings.hep_collector.host, settings.hep_collector.port)
        self._link: socket.socket | None = None
        self._on_link = 0
        self._count = 0
        #: Audio's port of the call that is up, and what a message in it needs.
        self._port: int | None = None
        self._dialog: dict[bytes, bytes] = {}
        #: The Call-ID of the call that rings our phone.
        self._call = ""
        self.slowest_s = 0.0

    @property
    def in_call(self) -> bool:
        """Whether the last messages could be in a call."""
        return self._port is not None

    @property
    def call_id(self) -> str:
        """That call's; "" for none."""
        return self._dialog.get(CALL, b"").decode()

    @property
    def rung(self) -> bool:
        """Whether our phone was rung meanwhile."""
        return self._phone.rung_by != ""

    def close(self) -> None:
        """Say no more."""
        for client in (self._stranger, self._trunk, self._phone, self._asker):
            client.close()
        self._media.close()
        self._unlink()

    def send(self, messages: Iterable[Message]) -> None:
        """Send them, and see every so often that the line is well. Raises Stopped."""
        sent: list[Message] = []
        self.check(sent)
        self._begin(sent)
        for number, message in enumerate(messages):
            ready = self._ready(message)
            sent.append(ready)
            self._say(ready, number)
            if len(sent) >= _TOGETHER:
                self.check(sent)
                sent.clear()
        self._end()
        self.check(sent)

    def check(self, sent: list[Message]) -> None:
        """Ask for OPTIONS. Raises Stopped."""
        self._count += 1
        for client in (self._stranger, self._trunk, self._phone, self._asker):
            for _ in client.drain():
                pass
        began = time.monotonic()
        while time.monotonic() - began < _PATIENCE_S:
            took = self._asker.options(f"alive{id(self)}-{self._count}-{time.monotonic_ns()}", 1.0)
            if took is not None:
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                while self._collector.take():
                    pass
                return
            if not alive(self._asterisk):
                raise Stopped(dead=True, sent=list(sent))
        raise Stopped(dead=False, sent=list(sent))

    # Calls that messages need -----------------------------------------------------------------------

    def _token(self) -> str:
        self._count += 1
        return f"set{time.monotonic_ns()}-{self._count}"

    def _uri(self, to: str) -> str:
        return f"sip:{to}@{self._server[0]}:{self._server[1]}"

    def _proven(self, method: str, name: str, token: str, to: str, *headers: str, body: bytes = b"") -> bytes:
        proof = self._phone.authorization(name, method, self._uri(to), token)
        return self._phone.request(method, name, token, proof, *headers, to=to, body=body)

    def _begin(self, sent: list[Message]) -> None:
        """A phone that is registered and rung, and another that is in a call. What fails is done without."""
        self._port, self._dialog, self._phone.rung_by = None, {}, ""
        try:
            self._phone.ask(self._proven("REGISTER", "6002", self._token(), "6002", "Expires: 120"))
            token, self._call = self._token(), self._token()
            answer = self._phone.ask(self._proven("INVITE", "6001", token, "611", body=self._sdp()))
            self._phone.send(self._proven("INVITE", "7001", self._call, "6002", body=self._sdp()))
            self._phone.ringing(5.0)
        except AssertionError:
            # No challenge came: let the check say whether it is well.
            self.check(sent)
            return
        port, tag = re.search(r"^m=audio (\d+)", answer, re.M), re.search(r"^To:.*?;tag=(\S+)", answer, re.M | re.I)
        if port is not None and tag is not None:
            self._port = int(port[1])
            self._dialog = {FROM_TAG: token.encode(), TO_TAG: tag[1].encode(), CALL: token.encode()}
            self._phone.send(self._phone.request("ACK", "6001", token, tag=f";tag={tag[1]}"))

    def _end(self) -> None:
        if self._dialog:
            token, tag = self._dialog[CALL].decode(), f";tag={self._dialog[TO_TAG].decode()}"
            self._phone.send(self._phone.request("BYE", "6001", token, tag=tag, sequence=70000))
        if self._call:
            cancel = self._phone.request("CANCEL", "7001", self._call, to="6002")
            self._phone.send(cancel.replace(b"1CANCEL;", b"1INVITE;"))

    def _sdp(self) -> bytes:
        port = self._media.getsockname()[1]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {_PHONES}\r\ns=-\r\nc=IN IP4 {_PHONES}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        ).encode()

    # One message ------------------------------------------------------------------------------------

    def _ready(self, message: Message) -> Message:
        if message.kind is Kind.SIP_PROVEN and PROOF in message.data:
            with contextlib.suppress(AssertionError):
                proof = self._phone.authorization(message.name, message.method, message.uri, self._token())
                return filled(message, {PROOF: proof.partition(": ")[2].encode()})
        if message.kind is Kind.IN_DIALOG:
            return filled(message, self._dialog)
        if message.kind is Kind.ANSWER and (invite := self._phone.rung_by):
            kept = re.findall(r"^((?:Via|From|Call-ID|CSeq): .*?)\r$", invite, re.M)
            to = re.search(r"^To: (.*?)\r$", invite, re.M)
            first, _, rest = message.data.partition(b"\r\n")
            lines = [*kept, f"To: {to[1] if to else ''};tag=ours"]
            return Message(kind=message.kind, data=b"\r\n".join([first, "\r\n".join(lines).encode(), rest]))
        return message

    def _say(self, message: Message, number: int) -> None:
        if message.kind is Kind.SIP_TCP:
            self._say_by_tcp(message.data)
        elif message.kind in (Kind.RTP, Kind.RTCP):
            if self._port is not None:
                place = (self._server[0], self._port + (message.kind is Kind.RTCP))
                # Those of the call, and in every fourth a stranger.
                (self._stranger.socket if number % 4 == 0 else self._media).sendto(message.data, place)
        elif message.kind is Kind.HEP:
            self._media.sendto(message.data, self._hep)
        elif message.kind is Kind.SIP_UDP:
            (self._trunk if number % 3 == 0 else self._stranger).send(message.data)
        else:
            self._phone.send(message.data)

    def _say_by_tcp(self, data: bytes) -> None:
        try:
            if self._link is None:
                self._link = socket.socket()
                self._link.bind((STRANGER, 0))
                self._link.settimeout(1.0)
                self._link.connect(self._server)
                self._on_link = 0
            self._link.sendall(data)
            self._on_link += 1
            if self._on_link >= _PER_CONNECTION:
                self._unlink()
        except OSError:
            self._unlink()

    def _unlink(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def write_corpus(file: Path, messages: Iterable[Message]) -> None:
    """One message a line, as JSON; `--replay` sends them again."""
    lines = [json.dumps({"kind": one.kind, "data": base64.b64encode(one.data).decode()}) for one in messages]
    file.write_text("\n".join(lines) + "\n")


def read_corpus(file: Path) -> list[Message]:
    """What `write_corpus` wrote."""
    told = [json.loads(line) for line in file.read_text().splitlines() if line]
    return [Message(kind=Kind(one["kind"]), data=base64.b64decode(one["data"])) for one in told]


async def run(
    console: Console,
    *,
    messages: int,
    seed: int,
    seconds: float,
    resume: Path | None,
    replay: Path | None,
    state: Path | None,
    most_crashes: int = 10,
) -> Progress:
    """Send until so many messages were sent in all runs, or the seconds are over. Prints what was found."""
    if resume is not None:
        progress = Progress.read(resume, seed)
    else:
        progress = Progress(seed=seed)
    with contextlib.ExitStack() as stack:
        folder = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omnivigil-fuzz-")))
        settings = _settings(folder)
        if replay is not None:
            await _replay(console, settings, read_corpus(replay))
            return progress
        began, deadline = time.monotonic(), time.monotonic() + seconds
        before = progress.seconds
        while progress.messages < messages and time.monotonic() < deadline and progress.crashes < most_crashes:
            async with _Running(settings) as running:
                try:
                    while progress.messages < messages and time.monotonic() < deadline:
                        await asyncio.to_thread(running.one_block, progress)
                        progress.seconds = before + time.monotonic() - began
                        if resume is not None:
                            progress.write(resume)
                        if progress.next_block % 20 == 0:
                            console.print(_line(progress))
                except Stopped as stopped:
                    progress.next_block += 1
                    progress.crashes += stopped.dead
                    progress.silences += not stopped.dead
                    kept = (resume or folder / "x").with_name(f"stopped-{seed}-{progress.next_block - 1}.jsonl")
                    write_corpus(kept, stopped.sent)
                    console.print(f"Asterisk {stopped}: the last {len(stopped.sent)} messages are in {kept}")
        console.print(_line(progress))
        console.print(f"by kind: {progress.kinds}")
    return progress


class _Running:
    """A line and who sends to it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __aenter__(self) -> _Running:
        self.collector = Collector(Ring(keep_s=600, most_bytes=64_000_000))
        self.collector.start(self._settings.hep_collector)
        self.asterisk = await start(self._settings, Console(quiet=True))
        self.sender = Sender(self.asterisk, self.collector)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sender.close()
        self.collector.close()
        await self.asterisk.stop()

    def one_block(self, progress: Progress) -> None:
        """The next thousand. Raises Stopped."""
        made = block(progress.seed, progress.next_block, BLOCK, STRANGER, self._settings.sip.port)
        self.sender.send(made)
        progress.next_block += 1
        progress.messages += len(made)
        progress.kinds = dict(Counter(progress.kinds) + Counter(str(one.kind) for one in made))
        progress.slowest_s = max(progress.slowest_s, self.sender.slowest_s)
        progress.garbage = self.collector.garbage
        progress.rss_last = rss_mb(self.asterisk)
        progress.rss_first = progress.rss_first or progress.rss_last


async def _replay(console: Console, settings: Settings, messages: list[Message]) -> None:
    """All of them; where that stops it, each alone against a fresh Asterisk."""
    async with _Running(settings) as running:
        try:
            await asyncio.to_thread(running.sender.send, messages)
            console.print(f"{len(messages)} messages: no harm")
            return
        except Stopped as stopped:
            console.print(f"{len(messages)} messages: {stopped}; now each alone")
    number = 0
    while number < len(messages):
        async with _Running(settings) as running:
            for number in range(number, len(messages)):  # noqa: B020 - goes on where it was stopped
                try:
                    await asyncio.to_thread(running.sender.send, [messages[number]])
                except Stopped as stopped:
                    console.print(f"message {number} alone: {stopped}: {messages[number].data[:600]!r}")
                    break
            number += 1


def _line(progress: Progress) -> str:
    rate = progress.messages / progress.seconds if progress.seconds else 0
    return (
        f"{progress.messages} messages of seed {progress.seed}, {rate:.0f}/s; crashes {progress.crashes}, silences "
        f"{progress.silences}; slowest OPTIONS {progress.slowest_s * 1000:.0f} ms; RSS {progress.rss_first:.0f} -> "
        f"{progress.rss_last:.0f} MB"
    )


def _settings(folder: Path) -> Settings:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(5)]
        for one in held:
            one.bind((TRUNK, 0))
        sip, http, agi, ami, hep = (one.getsockname()[1] for one in held)
    first = 20000 + (sip * 7) % 400 * 100
    return settings_on(folder, ports=(sip, http, agi, ami), rtp=(first, first + 98), hep=hep)
