"""A registered phone that answers no call but sends it elsewhere (RFC 3261 section 21.3.3), as toll fraud does."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from typing import cast


class Forwarder(asyncio.DatagramProtocol):
    """An account's device, registered under any contact; every call to it is answered with 302 and `moved_to`.

    `{}` in `contact` and `moved_to` stands for its own address. Use as an asynchronous context manager.
    """

    def __init__(self, server: tuple[str, int], name: str, *, moved_to: str, contact: str = "sip:{}") -> None:
        self._server, self._name, self._moved_to, self._contact = server, name, moved_to, contact
        self._token = f"{random.getrandbits(64):x}"
        self._replies: asyncio.Queue[str] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence = 0
        #: How many calls came.
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self._replies.put_nowait(text)
        elif text.startswith("INVITE"):
            self.asked += 1
            self._answer(text, "302 Moved Temporarily", [f"Contact: <{self._moved_to.format(self._own)}>"], addr)
        elif not text.startswith("ACK"):
            self._answer(text, "200 OK", [], addr)

    @property
    def _own(self) -> str:
        assert self._transport is not None
        return "{}:{}".format(*self._transport.get_extra_info("sockname")[:2])

    def _answer(self, request: str, status: str, more: list[str], addr: tuple[str, int]) -> None:
        kept = ("via", "from", "to", "call-id", "cseq")
        lines = [line for line in request.split("\r\n")[1:] if line.partition(":")[0].lower() in kept]
        lines = [f"{one};tag=f" if one.lower().startswith("to:") and "tag=" not in one else one for one in lines]
        answer = "\r\n".join([f"SIP/2.0 {status}", *lines, *more, "Content-Length: 0", "", ""])
        assert self._transport is not None
        self._transport.sendto(answer.encode(), addr)

    async def __aenter__(self) -> Forwarder:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(self._server[0], 0))
        await self._register(60)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._register(0)
        if self._transport is not None:
            self._transport.close()

    async def _register(self, expires_s: int) -> None:
        asked = dict(re.findall(r'(\w+)="?([^",\r]+)"?', (await self._ask(expires_s, [])).partition("WWW-Auth")[2]))
        uri = f"sip:{self._server[0]}:{self._server[1]}"
        user = _md5(f"{self._name}:{asked['realm']}:demo-{self._name}")
        response = _md5(f"{user}:{asked['nonce']}:00000001:ab:auth:{_md5(f'REGISTER:{uri}')}")
        opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
        proof = (
            f'Authorization: Digest username="{self._name}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", '
            f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="ab"{opaque}'
        )
        answer = await self._ask(expires_s, [proof])
        if not answer.startswith("SIP/2.0 200"):
            raise AssertionError(answer.partition("\r\n")[0])

    async def _ask(self, expires_s: int, more: list[str]) -> str:
        self._sequence += 1
        server = f"{self._server[0]}:{self._server[1]}"
        lines = [
            f"REGISTER sip:{server} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._own};branch=z9hG4bK{self._token}{self._sequence};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._name}@{server}>;tag={self._token}",
            f"To: <sip:{self._name}@{server}>",
            f"Call-ID: {self._token}",
            f"CSeq: {self._sequence} REGISTER",
            f"Contact: <{self._contact.format(self._own)}>",
            f"Expires: {expires_s}",
            *more,
            "Content-Length: 0",
        ]
        assert self._transport is not None
        self._transport.sendto("\r\n".join([*lines, "", ""]).encode(), self._server)
        return await asyncio.wait_for(self._replies.get(), 5)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
