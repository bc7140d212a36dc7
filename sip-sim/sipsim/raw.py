"""A caller that writes its own packets: for headers no phone would send, and for timing to the packet.

SIP over UDP (RFC 3261), G.711 µ-law (RFC 3551), digits as RFC 4733 events. It does what a network's trunk
does and no more: it calls, hears, presses, hangs up. While it says nothing it sends comfort noise (RFC 3389), as a
gateway does, so that the line knows that it is there.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sipsim.audio import Samples, write_wav
from sipsim.stream import Stream


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
        self._source = source
        self._server = server
        #: What is asked for, where it is not the number at the line's address.
        self._uri = uri or f"sip:{number}@{server[0]}:{server[1]}"
        self._token = f"{random.getrandbits(64):x}"
        self._from = from_header or f"<sip:{caller}@{server[0]}>".encode()
        self._extra = dict(extra or {})
        self._sip = _Samplesling()
        self.stream = Stream(muted=muted)
        self.media = self.stream.media
        self._to = f"<sip:{number}@{server[0]}:{server[1]}>"
        #: The response that answered it.
        self.answer = ""

    async def __aenter__(self) -> RawCall:
        loop = asyncio.get_running_loop()
        host = self._server[0]
        local = (self._source, 0) if self._source is not None else None
        await loop.create_datagram_endpoint(lambda: self._sip, local_addr=local, remote_addr=self._server)
        port = await self.stream.open(host)
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 13 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=sendrecv\r\n"
        ).encode()
        try:
            answer = self.answer = await self._invite(sdp)
        except BaseException:
            self._close()
            raise
        remote = re.search(r"^m=audio (\d+)", answer, re.M)
        to = re.search(r"^To: *(.*?)\r$", answer, re.M | re.I)
        if remote is None or to is None:
            self._close()
            raise CallFailed(200, "without media")
        self._to = to[1]
        self.stream.start((host, int(remote[1])))
        self._send(self._request("ACK", 1))
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
        return await self.stream.press(key)

    def vanish(self) -> None:
        """Say nothing any more and go without a word, as a phone does whose cord is cut."""
        self.stream.fall_silent()

    async def speak(self, ulaw: bytes) -> None:
        """Send G.711 µ-law audio in real time."""
        await self.stream.speak(ulaw)

    def expect(self, prompt: bytes, *, frames: int = 10) -> asyncio.Future[float]:
        """Resolves to the moment (perf_counter) at which a prompt's first packet came; µ-law, not transcoded."""
        return self.stream.expect(prompt, frames=frames)

    def heard(self) -> Samples:
        """Everything heard so far, from the answer on; what was not sent is silence."""
        return self.stream.heard()

    def save(self, path: Path) -> None:
        """Write what was heard as a WAV file."""
        write_wav(path, self.heard())

    @property
    def answered_at(self) -> float:
        """When the line answered, by perf_counter."""
        return self.stream.began

    @property
    def media_port(self) -> int:
        """The line's port for this call's audio."""
        assert self.stream.remote is not None  # noqa: S101 - the call is answered
        return self.stream.remote[1]

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
        self.stream.close()
        if self._sip.transport is not None:
            self._sip.transport.close()
