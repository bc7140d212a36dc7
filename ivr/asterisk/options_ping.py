"""Asks a SIP address whether it is there, as any phone would: OPTIONS over UDP (RFC 3261, section 11)."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import secrets
import socket

from ivr.settings import Address

#: Where a line that listens everywhere is asked.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is looked for, not listened on


class Answer(enum.Enum):
    """What came back."""

    #: Any response at all, a refusal too: what refuses is there.
    YES = "answered"
    #: Nothing in time.
    NO = "not answered"
    #: The kernel says that nobody listens there.
    NOBODY = "nobody listens"


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, call_id: bytes) -> None:
        self._call_id = call_id
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.startswith(b"SIP/2.0 ") and self._call_id in data:
            self._settle(Answer.YES)

    def error_received(self, exc: Exception) -> None:
        self._settle(Answer.NOBODY)

    def _settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


async def ask(address: Address, within_s: float) -> Answer:
    """Send one OPTIONS to a UDP address and wait `within_s` seconds at most for its response. Raises nothing."""
    host = _EVERYWHERE.get(address.host, address.host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    call_id = secrets.token_hex(12)
    loop = asyncio.get_running_loop()
    probe = socket.socket(family, socket.SOCK_DGRAM)
    try:
        probe.setblocking(False)
        with contextlib.suppress(OSError):
            # From loopback, whatever the address: the line knows it, and does not take us for a stranger who tries.
            probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        probe.connect((host, address.port))
        transport, waiting = await loop.create_datagram_endpoint(lambda: _Waiting(call_id.encode()), sock=probe)
    except OSError:
        probe.close()
        return Answer.NO
    try:
        transport.sendto(_message(Address(host=host, port=address.port), probe.getsockname(), call_id))
        async with asyncio.timeout(within_s):
            return await waiting.answer
    except (OSError, TimeoutError):
        return Answer.NO
    finally:
        transport.close()


def _message(to: Address, ours: tuple[str, int], call_id: str) -> bytes:
    here = Address(host=ours[0], port=ours[1])
    lines = (
        f"OPTIONS sip:{to} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{call_id}",
        "Max-Forwards: 1",
        f"From: <sip:watch@{here}>;tag={call_id[:8]}",
        f"To: <sip:{to}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:watch@{here}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
