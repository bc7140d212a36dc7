"""A caller that times the line: from the end of a digit to the first packet of the prompt it asked for.

A real phone's jitter buffer would add its own delay, so this one looks at the packets themselves: the
prompt's first frames are known, and nothing is transcoded.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_FRAME = 160  # bytes of 20 ms of G.711
#: How many of a prompt's first frames are looked for; the first alone could be mistaken for silence.
_FRAMES = 10
_PATIENCE_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Press:
    """Seconds to listen, the key to press then, and the G.711 µ-law bytes of the prompt that must follow."""

    after_s: float
    key: str
    prompt: bytes


@dataclass(kw_only=True)
class Outcome:
    """Delays in milliseconds, one a press; and why the call failed, if it did."""

    delays_ms: list[float] = field(default_factory=list)
    failure: str | None = None


class _Media(asyncio.DatagramProtocol):
    """Receives RTP; remembers when a frame of the awaited prompt first came."""

    def __init__(self) -> None:
        self.awaited: dict[bytes, int] = {}
        self.seen: asyncio.Future[float] | None = None

    def expect(self, prompt: bytes) -> asyncio.Future[float]:
        frames = [prompt[i * _FRAME : (i + 1) * _FRAME] for i in range(_FRAMES)]
        # A frame that repeats within the prompt (silence) says nothing about where we are.
        self.awaited = {frame: i for i, frame in enumerate(frames) if frames.count(frame) == 1 and len(set(frame)) > 8}
        self.seen = asyncio.get_running_loop().create_future()
        return self.seen

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.seen is None or self.seen.done() or len(data) != 12 + _FRAME:
            return
        index = self.awaited.get(data[12:])
        if index is not None:
            self.seen.set_result(time.perf_counter() - index * 0.020)


class _Signalling(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.replies: asyncio.Queue[str] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self.replies.put_nowait(text)


async def probe(server: tuple[str, int], number: str, caller: str, presses: Sequence[Press]) -> Outcome:
    """One call that presses and times; bounded by its own presses and patience."""
    loop = asyncio.get_running_loop()
    sip_transport, sip = await loop.create_datagram_endpoint(_Signalling, remote_addr=server)
    rtp_transport, media = await loop.create_datagram_endpoint(_Media, local_addr=("127.0.0.1", 0))
    outcome = Outcome()
    try:
        await asyncio.wait_for(_call(sip, media, rtp_transport, server, number, caller, presses, outcome), 60)
    except (TimeoutError, OSError, ValueError) as error:
        outcome.failure = repr(error)
    finally:
        sip_transport.close()
        rtp_transport.close()
    return outcome


async def _call(
    sip: _Signalling,
    media: _Media,
    rtp: asyncio.DatagramTransport,
    server: tuple[str, int],
    number: str,
    caller: str,
    presses: Sequence[Press],
    outcome: Outcome,
) -> None:
    assert sip.transport is not None  # noqa: S101
    host, port = sip.transport.get_extra_info("sockname")
    media_port = rtp.get_extra_info("sockname")[1]
    token = f"{random.getrandbits(48):x}"  # noqa: S311 - an identifier, not a secret
    sdp = (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {media_port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        "a=fmtp:101 0-15\r\na=sendrecv\r\n"
    )
    target = f"sip:{number}@{server[0]}:{server[1]}"

    def request(method: str, sequence: int, to: str, body: str = "") -> bytes:
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{token}{method}{sequence}",
            "Max-Forwards: 70",
            f"From: <sip:{caller}@{host}>;tag={token}",
            f"To: {to}",
            f"Call-ID: {token}@{host}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{caller}@{host}:{port}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    sip.transport.sendto(request("INVITE", 1, f"<{target}>", sdp))
    while True:
        reply = await asyncio.wait_for(sip.replies.get(), 5)
        status = int(reply.split()[1])
        if status >= 300:
            raise ValueError(f"answered {status}")
        if status == 200:
            break
    to = re.search(r"^To: *(.*?)\r$", reply, re.M | re.I)
    remote = re.search(r"^m=audio (\d+)", reply, re.M)
    if to is None or remote is None:
        raise ValueError("an answer without To or media")
    sip.transport.sendto(request("ACK", 1, to[1]))
    destination = (server[0], int(remote[1]))
    sender = _Sender(rtp, destination)
    try:
        for press in presses:
            await asyncio.sleep(press.after_s)
            seen = media.expect(press.prompt)
            ended = await sender.digit(press.key)
            try:
                outcome.delays_ms.append((await asyncio.wait_for(seen, _PATIENCE_S) - ended) * 1000)
            except TimeoutError:
                outcome.failure = f"no prompt within {_PATIENCE_S} s of {press.key}"
                return
        await asyncio.sleep(0.2)
    finally:
        sip.transport.sendto(request("BYE", 2, to[1]))


class _Sender:
    """Sends RFC 4733 digits."""

    def __init__(self, rtp: asyncio.DatagramTransport, destination: tuple[str, int]) -> None:
        self._rtp, self._destination = rtp, destination
        self._sequence = random.getrandbits(15)  # noqa: S311
        self._timestamp = random.getrandbits(30)  # noqa: S311
        self._ssrc = random.getrandbits(32)  # noqa: S311

    async def digit(self, key: str) -> float:
        """Send an 80 ms digit; the moment its first end packet left."""
        event = "0123456789*#".index(key)
        self._timestamp += 8000
        for packet in range(1, 5):
            self._packet(event, end=False, duration=packet * 160, marker=packet == 1)
            await asyncio.sleep(0.020)
        ended = time.perf_counter()
        for _ in range(3):
            self._packet(event, end=True, duration=640, marker=False)
        return ended

    def _packet(self, event: int, *, end: bool, duration: int, marker: bool) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = bytes([0x80, 0x80 * marker | 101]) + self._sequence.to_bytes(2, "big")
        header += self._timestamp.to_bytes(4, "big") + self._ssrc.to_bytes(4, "big")
        payload = bytes([event, 0x80 * end | 10]) + duration.to_bytes(2, "big")
        self._rtp.sendto(header + payload, self._destination)
