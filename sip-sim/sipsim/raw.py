"""A caller that writes its own packets: for headers no phone would send, and for timing to the packet.

SIP over UDP (RFC 3261), G.711 µ-law (RFC 3551), digits as RFC 4733 events. It does what a network's trunk
does and no more: it calls, hears, presses, hangs up. While it says nothing it sends comfort noise (RFC 3389), as a
gateway does, so that the line knows that it is there.
"""

from __future__ import annotations

import asyncio
import random
import re
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from sipsim.audio import RATE, Samples, from_ulaw, write_wav

FRAME = 160  # bytes and samples of 20 ms of G.711
#: Frames of a new stream that come no later than this after the last one, in samples, follow it.
_LATE = RATE // 5
#: Timestamps that jump further, in samples, began to count anew. A minute.
_LONGEST_GAP = 60 * RATE
_DIGITS = "0123456789*#"
#: Comfort noise: its payload type (RFC 3551, section 6), -78 dBov of it (RFC 3389), and how often, in seconds.
_NOISE_TYPE, _NOISE, _NOISE_S = 13, b"\x4e", 2.0


class CallFailed(Exception):
    """The call was not answered: by which status, and after how many seconds one may try again, where that is said."""

    def __init__(self, status: int, reason: str, retry_after_s: int | None = None) -> None:
        self.status, self.retry_after_s = status, retry_after_s
        super().__init__(f"{status} {reason}")


def refusal(reply: str) -> CallFailed:
    """What a final response that is no 2xx says (RFC 3261, section 20.33)."""
    _, status, reason = reply.split("\r\n")[0].split(" ", 2)
    wait = re.search(r"^Retry-After: *(\d+)", reply, re.M | re.I)
    return CallFailed(int(status), reason, int(wait[1]) if wait else None)


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of G.711 as they came: when (perf_counter), and what their RTP header says (RFC 3550, section 5.1)."""

    at: float
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def played(frames: Iterable[Frame], began: float) -> Samples:
    """What a phone would have played of these since `began` (perf_counter); what was not sent is silence.

    Within a stream the sender's timestamps tell where a frame belongs. When it came tells only where a stream begins:
    a machine that was busy for a moment gets frames late and then all at once, which nobody hears.
    """
    parts: list[Samples] = []
    place = 0
    ssrc: int | None = None
    # In the stream: the last frame's sequence number, and the timestamp that would come next.
    last = expected = 0
    for frame in frames:
        if frame.ssrc == ssrc:
            if _signed(frame.sequence - last, 16) <= 0:
                continue
            gap = _signed(frame.timestamp - expected, 32)
        else:
            gap = -1
        if not 0 <= gap <= _LONGEST_GAP:
            gap = max(0, int((frame.at - began) * RATE) - place)
            gap = gap if gap > _LATE else 0
        ssrc, last, expected = frame.ssrc, frame.sequence, frame.timestamp + FRAME
        parts += [np.zeros(gap, np.float32), from_ulaw(frame.payload)]
        place += gap + FRAME
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _signed(difference: int, bits: int) -> int:
    """A difference of two counters that wrap, as small as it can be."""
    half = 1 << bits - 1
    return (difference + half) % (1 << bits) - half


class _Media(asyncio.DatagramProtocol):
    """Keeps every frame with its place in time; can wait for a frame of a prompt."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.awaited: dict[bytes, int] = {}
        self.seen: asyncio.Future[float] | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) != 12 + FRAME or data[1] & 0x7F != 0:
            return
        now = time.perf_counter()
        payload = data[12:]
        sequence, timestamp, ssrc = struct.unpack("!HII", data[2:12])
        self.frames.append(Frame(now, sequence, timestamp, ssrc, payload))
        if self.seen is not None and not self.seen.done() and (index := self.awaited.get(payload)) is not None:
            self.seen.set_result(now - index * 0.020)


class _Samplesling(asyncio.DatagramProtocol):
    """Queues responses; answers the other side's BYE."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[str] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None
        self.bye = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self.replies.put_nowait(text)
        elif text.startswith("BYE") and self.transport is not None:
            kept = ("via", "from", "to", "call-id", "cseq")
            lines = [line for line in text.split("\r\n")[1:] if line.partition(":")[0].lower() in kept]
            self.transport.sendto("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""]).encode())
            self.bye.set()


class RawCall:
    """One call, from INVITE to BYE. Use as an asynchronous context manager: entering dials and waits for the answer.

    `from_header` is sent as it is; `extra` headers too. Bytes that no header may hold can be in them. `source` is the
    address of this machine that it calls from. A `muted` caller sends nothing at all, not even comfort noise. The
    request URI is the number at the line's address, or `uri`.
    """

    def __init__(
        self,
        server: tuple[str, int],
        number: str,
        caller: str = "anonymous",
        *,
        from_header: bytes | None = None,
        extra: Mapping[str, bytes] | None = None,
        source: str | None = None,
        muted: bool = False,
        uri: str | None = None,
    ) -> None:
        self._source, self._muted = source, muted
        self._server = server
        #: What is asked for, where it is not the number at the line's address.
        self._uri = uri or f"sip:{number}@{server[0]}:{server[1]}"
        self._token = f"{random.getrandbits(64):x}"
        self._from = from_header or f"<sip:{caller}@{server[0]}>".encode()
        self._extra = dict(extra or {})
        self._sip = _Samplesling()
        self.media = _Media()
        self._rtp: asyncio.DatagramTransport | None = None
        self._remote: tuple[str, int] | None = None
        self._to = f"<sip:{number}@{server[0]}:{server[1]}>"
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(30)
        self._ssrc = random.getrandbits(32)
        self._last_sent = 0.0
        self._being_there: asyncio.Task[None] | None = None
        self.answered_at = 0.0

    async def __aenter__(self) -> RawCall:
        loop = asyncio.get_running_loop()
        host = self._server[0]
        local = (self._source, 0) if self._source is not None else None
        await loop.create_datagram_endpoint(lambda: self._sip, local_addr=local, remote_addr=self._server)
        self._rtp, _ = await loop.create_datagram_endpoint(lambda: self.media, local_addr=(host, 0))
        port = self._rtp.get_extra_info("sockname")[1]
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 13 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=sendrecv\r\n"
        ).encode()
        try:
            answer = await self._invite(sdp)
        except BaseException:
            self._close()
            raise
        remote = re.search(r"^m=audio (\d+)", answer, re.M)
        to = re.search(r"^To: *(.*?)\r$", answer, re.M | re.I)
        if remote is None or to is None:
            self._close()
            raise CallFailed(200, "without media")
        self._remote, self._to = (host, int(remote[1])), to[1]
        self.answered_at = time.perf_counter()
        self._send(self._request("ACK", 1))
        if not self._muted:
            self._being_there = asyncio.create_task(self._be_there())
        return self

    async def _invite(self, sdp: bytes) -> str:
        request = self._request("INVITE", 1, sdp)
        for patience_s in (0.5, 1, 2, 4, 8):
            self._send(request)
            try:
                while True:
                    reply = await asyncio.wait_for(self._sip.replies.get(), patience_s)
                    status = int(reply.split(" ", 2)[1])
                    patience_s = 30
                    if status >= 300:
                        self._send(self._request("ACK", 1))
                        raise refusal(reply)
                    if status >= 200:
                        return reply
            except TimeoutError:
                continue
        raise CallFailed(408, "no answer")

    def _request(self, method: str, sequence: int, body: bytes = b"") -> bytes:
        assert self._sip.transport is not None  # noqa: S101 - open from __aenter__ on
        host, port = self._sip.transport.get_extra_info("sockname")[:2]
        branch = f"z9hG4bK{self._token}{method if method != 'ACK' else 'INVITE'}{sequence}"
        lines = [
            f"{method} {self._uri} SIP/2.0".encode(),
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport".encode(),
            b"Max-Forwards: 70",
            b"From: " + self._from + f";tag={self._token}".encode(),
            f"To: {self._to}".encode(),
            f"Call-ID: {self._token}".encode(),
            f"CSeq: {sequence} {method}".encode(),
            f"Contact: <sip:{host}:{port}>".encode(),
            *(name.encode() + b": " + value for name, value in self._extra.items()),
        ]
        if body:
            lines.append(b"Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _send(self, data: bytes) -> None:
        if self._sip.transport is not None:
            self._sip.transport.sendto(data)

    async def press(self, key: str) -> float:
        """Send an 80 ms digit; the moment its end left, by perf_counter."""
        event = _DIGITS.index(key)
        self._timestamp = (self._timestamp + RATE) & 0xFFFFFFFF
        for packet in range(1, 5):
            self._packet(event, end=False, duration=packet * FRAME, marker=packet == 1)
            await asyncio.sleep(0.020)
        ended = time.perf_counter()
        for _ in range(3):
            self._packet(event, end=True, duration=4 * FRAME, marker=False)
        return ended

    def _packet(self, event: int, *, end: bool, duration: int, marker: bool) -> None:
        payload = bytes([event, 0x80 * end | 10]) + duration.to_bytes(2, "big")
        self._send_rtp(0x80 * marker | 101, payload)

    def _send_rtp(self, kind: int, payload: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = bytes([0x80, kind]) + self._sequence.to_bytes(2, "big")
        header += self._timestamp.to_bytes(4, "big") + self._ssrc.to_bytes(4, "big")
        if self._rtp is not None and self._remote is not None and not self._rtp.is_closing():
            self._rtp.sendto(header + payload, self._remote)
            self._last_sent = time.perf_counter()

    async def _be_there(self) -> None:
        while True:
            # Never within a digit: all of its packets have one timestamp (RFC 4733, section 2.2).
            if (since := time.perf_counter() - self._last_sent) >= _NOISE_S:
                self._timestamp = (self._timestamp + int(min(since, _NOISE_S) * RATE)) & 0xFFFFFFFF
                self._send_rtp(_NOISE_TYPE, _NOISE)
                since = 0.0
            await asyncio.sleep(_NOISE_S - since)

    async def speak(self, ulaw: bytes) -> None:
        """Send G.711 µ-law audio in real time."""
        began = time.perf_counter()
        for n in range(len(ulaw) // FRAME):
            self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
            self._send_rtp(0, ulaw[n * FRAME : (n + 1) * FRAME])
            await asyncio.sleep(max(0.0, began + (n + 1) * 0.020 - time.perf_counter()))

    def expect(self, prompt: bytes, *, frames: int = 10) -> asyncio.Future[float]:
        """Resolves to the moment (perf_counter) at which a prompt's first packet came; µ-law, not transcoded."""
        heads = [prompt[i * FRAME : (i + 1) * FRAME] for i in range(frames)]
        # A frame that comes twice, or is silence, does not say where we are.
        self.media.awaited = {f: i for i, f in enumerate(heads) if heads.count(f) == 1 and len(set(f)) > 8}
        self.media.seen = asyncio.get_running_loop().create_future()
        return self.media.seen

    def heard(self) -> Samples:
        """Everything heard so far, from the answer on; what was not sent is silence."""
        return played(tuple(self.media.frames), self.answered_at)

    def save(self, path: Path) -> None:
        """Write what was heard as a WAV file."""
        write_wav(path, self.heard())

    @property
    def media_port(self) -> int:
        """The line's port for this call's audio."""
        assert self._remote is not None  # noqa: S101 - the call is answered
        return self._remote[1]

    @property
    def ended(self) -> bool:
        """Whether the line has hung up."""
        return self._sip.bye.is_set()

    async def ended_by_line(self, within_s: float) -> bool:
        """Whether the line hangs up within so many seconds."""
        try:
            await asyncio.wait_for(self._sip.bye.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def __aexit__(self, *_: object) -> None:
        if not self._sip.bye.is_set():
            self._send(self._request("BYE", 2))
            await asyncio.sleep(0.1)
        self._close()

    def _close(self) -> None:
        if self._being_there is not None:
            self._being_there.cancel()
        for transport in (self._sip.transport, self._rtp):
            if transport is not None:
                transport.close()
