"""Both ends of calls through a line, each behind a network that loses, delays and shakes packets in one direction.

A phone that logs in with every call, and a trunk that answers; RTP and RTCP are written here (RFC 3550), so that
each end reports truly what its own network let through. For benchmarks: one process carries many calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sipsim.raw import CallFailed, refusal

_FRAME = b"\xd5" * 160
_SILENCE = b"\xff" * 320
_NTP = 2_208_988_800
#: As most phones report, in seconds.
_REPORT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Network:
    """One direction: a share of packets lost, a fixed delay, and a delay that changes, up to so many ms."""

    loss: float = 0.0
    delay_ms: float = 0.0
    shake_ms: float = 0.0


GOOD = Network()


class _Path:
    """Carries packets in order, as a queue in a router does."""

    def __init__(self, network: Network, deliver: Callable[[bytes], None]) -> None:
        self._network, self._deliver = network, deliver
        self._loop = asyncio.get_running_loop()
        self._last = 0.0

    def send(self, packet: bytes) -> None:
        network = self._network
        if network.loss and random.random() < network.loss:
            return
        wait = (network.delay_ms + random.random() * network.shake_ms) / 1000
        if wait == 0:
            self._deliver(packet)
            return
        self._last = max(self._last, self._loop.time() + wait)
        self._loop.call_at(self._last, self._deliver, packet)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self.received = received
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received(data)


class MediaEnd:
    """RTP and RTCP of one end. `up` is its network towards the line, `down` the one from it."""

    def __init__(self, up: Network, down: Network) -> None:
        self._rtp = _Socket(lambda data: self._down.send(data))
        self._rtcp = _Socket(lambda data: self._down_control.send(data))
        self._up = _Path(up, lambda data: self._out(self._rtp, data, 0))
        self._up_control = _Path(up, lambda data: self._out(self._rtcp, data, 1))
        self._down = _Path(down, self._hear)
        self._down_control = _Path(down, self._hear_control)
        self._remote: tuple[str, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._ssrc = random.getrandbits(32)
        self._sequence, self._stamp = random.getrandbits(15), random.getrandbits(30)
        self._sent = 0
        # What is counted of the audio that comes (RFC 3550 appendix A).
        self._source = self._base = self._highest = self._received = 0
        self._transit: float | None = None
        self._jitter = 0.0
        self._before = (0, 0)
        self._last_report: tuple[int, float] | None = None
        #: When the first sound that is not silence came, by time.monotonic.
        self.first_heard: float | None = None

    async def open(self, host: str = "127.0.0.1") -> int:
        """Bind an even port of this host and the next one; the even one."""
        loop = asyncio.get_running_loop()
        for _ in range(200):
            port = random.randrange(40_000, 60_000, 2)
            try:
                await loop.create_datagram_endpoint(lambda: self._rtp, local_addr=(host, port))
            except OSError:
                continue
            try:
                await loop.create_datagram_endpoint(lambda: self._rtcp, local_addr=(host, port + 1))
            except OSError:
                self.close()
                continue
            return port
        raise CallFailed(503, "no port for media")

    def start(self, remote: tuple[str, int]) -> None:
        """Talk to the line's media port."""
        self._remote = remote
        self._task = asyncio.create_task(self._talk())

    def close(self) -> None:
        """Be silent."""
        if self._task is not None:
            self._task.cancel()
        for one in (self._rtp, self._rtcp):
            if one.transport is not None:
                one.transport.close()

    def _out(self, by: _Socket, data: bytes, offset: int) -> None:
        if by.transport is not None and not by.transport.is_closing() and self._remote is not None:
            by.transport.sendto(data, (self._remote[0], self._remote[1] + offset))

    async def _talk(self) -> None:
        began = time.monotonic()
        next_report = began + _REPORT_S * random.uniform(0.3, 1.0)
        while True:
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._stamp = (self._stamp + 160) & 0xFFFFFFFF
            self._up.send(struct.pack("!BBHII", 0x80, 0, self._sequence, self._stamp, self._ssrc) + _FRAME)
            self._sent += 1
            if time.monotonic() > next_report:
                next_report += _REPORT_S
                self._up_control.send(self._report())
            await asyncio.sleep(max(0.0, began + self._sent * 0.020 - time.monotonic()))

    def _hear(self, packet: bytes) -> None:
        if len(packet) < 12:
            return
        sequence, stamp, source = struct.unpack_from("!HII", packet, 2)
        if self.first_heard is None and packet[12:] != _SILENCE[: len(packet) - 12]:
            self.first_heard = time.monotonic()
        if source != self._source:
            self._source, self._base, self._highest, self._received = source, sequence, sequence, 0
            self._transit, self._before = None, (0, 0)
        step = (sequence - self._highest) & 0xFFFF
        if step < 0x8000:
            self._highest += step
        self._received += 1
        transit = time.monotonic() * 8000 - stamp
        if self._transit is not None:
            self._jitter += (min(80_000.0, abs(transit - self._transit)) - self._jitter) / 16
        self._transit = transit

    def _hear_control(self, packet: bytes) -> None:
        if len(packet) >= 28 and packet[1] == 200:
            seconds, part = struct.unpack_from("!II", packet, 8)
            self._last_report = ((seconds & 0xFFFF) << 16 | part >> 16, time.monotonic())

    def _report(self) -> bytes:
        now = time.time() + _NTP
        info = struct.pack(
            "!IIIII", int(now) & 0xFFFFFFFF, int(now % 1 * 2**32), self._stamp, self._sent, self._sent * 160
        )
        if not self._source:
            return struct.pack("!BBHI", 0x80, 200, 6, self._ssrc) + info
        expected = self._highest - self._base + 1
        lost = max(0, expected - self._received)
        new_expected, new_lost = expected - self._before[0], lost - self._before[1]
        self._before = (expected, lost)
        if new_expected > 0:
            fraction = max(0, min(255, new_lost * 256 // new_expected))
        else:
            fraction = 0
        last, since = self._last_report or (0, 0.0)
        delay = int((time.monotonic() - since) * 65536) if last else 0
        block = struct.pack(
            "!IIIIII", self._source, fraction << 24 | lost, self._highest, int(self._jitter), last, delay
        )
        return struct.pack("!BBHI", 0x81, 200, 12, self._ssrc) + info + block


def _sdp(port: int, host: str = "127.0.0.1") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    ).encode()


def _media_of(message: str) -> tuple[str, int]:
    found = re.search(r"^m=audio (\d+)", message, re.M)
    if found is None:
        raise CallFailed(488, "no media")
    return "127.0.0.1", int(found[1])


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*?)\r$", message, re.M | re.I)
    if found:
        return found[1]
    return ""


class TrunkEnd:
    """Answers whatever the line sends to the outside; the number dialled tells how its network is."""

    def __init__(self, networks: Callable[[str], tuple[Network, Network]]) -> None:
        self._networks = networks
        self._socket: asyncio.DatagramTransport | None = None
        self._ends: dict[str, MediaEnd] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int) -> None:
        """Listen for SIP."""
        trunk = self

        class Listener(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                trunk._received(data.decode(errors="replace"), addr)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Listener, local_addr=("127.0.0.1", port)
        )
        self._socket = transport

    def close(self) -> None:
        """End every call."""
        for end in self._ends.values():
            end.close()
        if self._socket is not None:
            self._socket.close()

    def _received(self, message: str, addr: tuple[str, int]) -> None:
        method = message.partition(" ")[0]
        call_id = _header(message, "Call-ID")
        if method == "INVITE" and call_id not in self._ends:
            task = asyncio.create_task(self._answer(message, call_id, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif method == "BYE":
            if (end := self._ends.pop(call_id, None)) is not None:
                end.close()
            self._reply(message, addr, b"")
        elif method == "OPTIONS":
            self._reply(message, addr, b"")

    async def _answer(self, invite: str, call_id: str, addr: tuple[str, int]) -> None:
        number = invite.split(" ", 2)[1].partition(":")[2].partition("@")[0]
        up, down = self._networks(number)
        end = self._ends[call_id] = MediaEnd(up, down)
        port = await end.open()
        self._reply(invite, addr, _sdp(port))
        end.start(_media_of(invite))

    def _reply(self, message: str, addr: tuple[str, int], body: bytes) -> None:
        kept = ("via", "from", "to", "call-id", "cseq")
        lines = [line for line in message.split("\r\n\r\n")[0].split("\r\n")[1:] if line.split(":")[0].lower() in kept]
        lines = [f"{one};tag=trunk" if one.lower().startswith("to:") and "tag=" not in one else one for one in lines]
        host, port = "127.0.0.1", 0
        if self._socket is not None:
            host, port = self._socket.get_extra_info("sockname")[:2]
        lines += [f"Contact: <sip:trunk@{host}:{port}>"]
        if body:
            lines.append("Content-Type: application/sdp")
        head = "\r\n".join(["SIP/2.0 200 OK", *lines, f"Content-Length: {len(body)}", "", ""])
        if self._socket is not None:
            self._socket.sendto(head.encode() + body, addr)


class PhoneCall:
    """One call of a phone, by digest (RFC 2617); an asynchronous context manager that dials and hangs up.

    It calls from `source`, an address of this machine; `behind` is what its SDP names instead, as behind NAT.
    """

    def __init__(
        self,
        server: tuple[str, int],
        name: str,
        password: str,
        number: str,
        *,
        up: Network = GOOD,
        down: Network = GOOD,
        source: str = "127.0.0.1",
        behind: str | None = None,
    ) -> None:
        self._source, self._named = source, behind or source
        self._server, self._name, self._password, self._number = server, name, password, number
        self.call_id = f"{random.getrandbits(96):x}"
        self._media = MediaEnd(up, down)
        self._replies: asyncio.Queue[str] = asyncio.Queue()
        self._socket = _Socket(self._received)
        self._to = f"<sip:{number}@{server[0]}:{server[1]}>"
        self._tag = f"{random.getrandbits(48):x}"
        self.ended = asyncio.Event()
        #: When the line answered, by time.monotonic.
        self.answered = 0.0

    @property
    def first_heard(self) -> float | None:
        """When the line's first sound came, by time.monotonic."""
        return self._media.first_heard

    def _received(self, data: bytes) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self._replies.put_nowait(text)
        elif text.startswith("BYE"):
            self.ended.set()

    async def __aenter__(self) -> PhoneCall:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: self._socket, local_addr=(self._source, 0), remote_addr=self._server
        )
        try:
            body = _sdp(await self._media.open(self._source), self._named)
            self._send("INVITE", 1, body)
            reply = await self._final()
            if reply.startswith("SIP/2.0 401"):
                self._send("ACK", 1)
                self._send("INVITE", 2, body, self._proof(reply))
                reply = await self._final()
            self._to = _header(reply, "To")
            self._send("ACK", 2)
            if not reply.startswith("SIP/2.0 200"):
                raise refusal(reply)
            self._media.start(_media_of(reply))
            self.answered = time.monotonic()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.ended.is_set():
            self._send("BYE", 3)
            await asyncio.sleep(0.1)
        self._close()

    def _close(self) -> None:
        self._media.close()
        if self._socket.transport is not None:
            self._socket.transport.close()

    async def _final(self) -> str:
        while True:
            reply = await asyncio.wait_for(self._replies.get(), 15)
            if not reply.startswith("SIP/2.0 1"):
                return reply

    def _proof(self, challenge: str) -> str:
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', _header(challenge, "WWW-Authenticate").partition(" ")[2]))
        uri = f"sip:{self._number}@{self._server[0]}:{self._server[1]}"

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        user, request = md5(f"{self._name}:{asked['realm']}:{self._password}"), md5(f"INVITE:{uri}")
        response = md5(f"{user}:{asked['nonce']}:00000001:abcd:auth:{request}")
        opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
        return (
            f'Authorization: Digest username="{self._name}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", '
            f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abcd"{opaque}'
        )

    def _send(self, method: str, sequence: int, body: bytes = b"", extra: str = "") -> None:
        if self._socket.transport is None:
            return
        host, port = self._socket.transport.get_extra_info("sockname")[:2]
        target = f"sip:{self._number}@{self._server[0]}:{self._server[1]}"
        branch = f"z9hG4bK{self._tag}{'INVITE' if method == 'ACK' else method}{sequence}"
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._name}@{self._server[0]}>;tag={self._tag}",
            f"To: {self._to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{self._name}@{host}:{port}>",
            "User-Agent: sipsim",
        ]
        lines += [extra] if extra else []
        lines += ["Content-Type: application/sdp"] if body else []
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        self._socket.transport.sendto(data)
