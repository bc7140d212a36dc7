"""Takes a phone's registrations away, as the phone itself could: REGISTER with `Contact: *` (RFC 3261 section 10.2.2).

Asterisk has no command for it, and what is only deleted from its database it goes on taking for a phone that can be
rung. We prove to be the phone by the digest that the directory keeps (RFC 2617 section 3.2.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
import socket

from ivr.settings import Address

#: Where a line that listens everywhere is asked.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is asked, not listened on
#: Seconds until a request without an answer is sent again, and how often in all.
_AGAIN_S, _TIMES = 1.0, 5
_SAID = re.compile(r'(\w+)="?([^",\r\n]*)"?')


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self.finals: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0 ") and self._call_id in text and not text.startswith("SIP/2.0 1"):
            self.finals.put_nowait(text)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens: it is sent again."""


async def unregister(address: Address, phone: str, ha1: str) -> bool:
    """Return whether the line at a UDP address has forgotten every place where the phone was registered.

    Raises nothing.
    """
    host = _EVERYWHERE.get(address.host, address.host)
    call_id = secrets.token_hex(12)
    ours = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        ours.setblocking(False)
        with contextlib.suppress(OSError):
            # From loopback, whatever the address: the line does not take us for a stranger who tries.
            ours.bind(("::1" if ours.family == socket.AF_INET6 else "127.0.0.1", 0))
        ours.connect((host, address.port))
        loop = asyncio.get_running_loop()
        transport, answers = await loop.create_datagram_endpoint(lambda: _Answers(call_id), sock=ours)
    except OSError:
        ours.close()
        return False
    to = Address(host=host, port=address.port)
    here = Address(host=ours.getsockname()[0], port=ours.getsockname()[1])
    try:
        proof = ""
        for sequence in (1, 2):
            request = _request(to, here, phone, call_id, sequence, proof)
            answer = await _ask(transport, answers, request, f"CSeq: {sequence} REGISTER")
            if answer.startswith("SIP/2.0 200"):
                return True
            if not answer.startswith("SIP/2.0 401"):
                return False
            proof = _proof(answer, phone, ha1, f"sip:{to}")
        return False
    finally:
        transport.close()


async def _ask(transport: asyncio.DatagramTransport, answers: _Answers, request: bytes, sequence: str) -> str:
    for _ in range(_TIMES):
        with contextlib.suppress(OSError):
            transport.sendto(request)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S):
                while True:
                    answer = await answers.finals.get()
                    # One that was sent again is answered again.
                    if sequence in answer:
                        return answer
    return ""


def _request(to: Address, here: Address, phone: str, call_id: str, sequence: int, proof: str) -> bytes:
    lines = (
        f"REGISTER sip:{to} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{call_id}{sequence}",
        "Max-Forwards: 1",
        f"From: <sip:{phone}@{to}>;tag={call_id[:8]}",
        f"To: <sip:{phone}@{to}>",
        f"Call-ID: {call_id}",
        f"CSeq: {sequence} REGISTER",
        "Contact: *",
        "Expires: 0",
        *([proof] if proof else []),
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _proof(challenge: str, phone: str, ha1: str, uri: str) -> str:
    asked = dict(_SAID.findall(challenge.partition("WWW-Authenticate:")[2].partition("\r\n")[0]))
    nonce, ours, count = asked.get("nonce", ""), secrets.token_hex(8), "00000001"
    response = _md5(f"{ha1}:{nonce}:{count}:{ours}:auth:{_md5(f'REGISTER:{uri}')}")
    opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
    return (
        f'Authorization: Digest username="{phone}", realm="{asked.get("realm", "")}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, qop=auth, nc={count}, cnonce="{ours}"{opaque}'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
