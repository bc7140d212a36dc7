"""A thief with one phone's password, and the carrier that must not hear of it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Sequence


class Carrier(asyncio.DatagramProtocol):
    """Where calls to the outside go: writes down every INVITE, and answers each alike. It has no media."""

    def __init__(self, status: str = "486 Busy Here", *headers: str) -> None:
        self._status, self._headers = status, headers
        #: Request-URIs, once for each call.
        self.invited: list[str] = []
        self._calls: set[str] = set()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", port))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        method, _, rest = text.partition(" ")
        if method == "ACK" or text.startswith("SIP/2.0") or self._transport is None:
            return
        if method == "INVITE" and (call := header(text, "call-id")) not in self._calls:
            self._calls.add(call)
            self.invited.append(rest.partition(" ")[0])
        self._transport.sendto(
            answer(text, self._status, *self._headers) if method == "INVITE" else answer(text, "200 OK"), addr
        )


class Thief(asyncio.DatagramProtocol):
    """A device that registers what it likes for an account whose password it has (RFC 3261 section 10.2).

    `{}` in a contact stands for its own address. Calls that reach it are counted, and answered as busy.
    """

    def __init__(self, server: tuple[str, int], name: str) -> None:
        self._server, self._name = server, name
        self._token = f"{random.getrandbits(64):x}"
        self._replies: asyncio.Queue[str] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence = 0
        self._proof: dict[str, str] | None = None
        self._uses = 0
        #: How many calls came.
        self.asked = 0
        #: What the line says to be registered for the account now.
        self.bound: list[str] = []

    async def __aenter__(self) -> Thief:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._server[0], 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.register(["*"], expires_s=0)
        if self._transport is not None:
            self._transport.close()

    @property
    def own(self) -> str:
        """Its address."""
        assert self._transport is not None
        return "{}:{}".format(*self._transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        if text.startswith("SIP/2.0"):
            self._replies.put_nowait(text)
        elif self._transport is not None and not text.startswith("ACK"):
            self.asked += text.startswith("INVITE")
            self._transport.sendto(answer(text, "486 Busy Here" if text.startswith("INVITE") else "200 OK"), addr)

    async def register(
        self, contacts: Sequence[str], *, expires_s: int = 60, via: str | None = None, more: Sequence[str] = ()
    ) -> int:
        """One REGISTER with these values of Contact headers, as they are; the answer's status, 0 for none."""
        values = [one.replace("{}", self.own) for one in contacts]
        reply = await self._ask(values, expires_s, via, more)
        if reply.startswith("SIP/2.0 401"):
            self._proof = dict(re.findall(r'(\w+)="?([^",\r]+)"?', reply.partition("WWW-Auth")[2]))
            self._uses = 0
            reply = await self._ask(values, expires_s, via, more)
        self.bound = re.findall(r"^Contact: *(.*?)\r?$", reply, re.M | re.I)
        return int(reply.split(" ")[1]) if reply else 0

    async def _ask(self, contacts: Sequence[str], expires_s: int, via: str | None, more: Sequence[str]) -> str:
        self._sequence += 1
        server = f"{self._server[0]}:{self._server[1]}"
        while not self._replies.empty():
            self._replies.get_nowait()
        lines = [
            f"REGISTER sip:{server} SIP/2.0",
            f"Via: SIP/2.0/UDP {via or self.own};branch=z9hG4bK{self._token}{self._sequence};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._name}@{server}>;tag={self._token}",
            f"To: <sip:{self._name}@{server}>",
            f"Call-ID: {self._token}",
            f"CSeq: {self._sequence} REGISTER",
            *(f"Contact: {one}" for one in contacts),
            f"Expires: {expires_s}",
            *more,
            *self._authorised(f"sip:{server}"),
            "Content-Length: 0",
        ]
        assert self._transport is not None
        self._transport.sendto("\r\n".join([*lines, "", ""]).encode(), self._server)
        try:
            return await asyncio.wait_for(self._replies.get(), 2)
        except TimeoutError:
            return ""

    def _authorised(self, uri: str) -> list[str]:
        if (asked := self._proof) is None:
            return []
        self._uses += 1
        count = f"{self._uses:08x}"
        user = md5(f"{self._name}:{asked['realm']}:demo-{self._name}")
        response = md5(f"{user}:{asked['nonce']}:{count}:ab:auth:{md5(f'REGISTER:{uri}')}")
        opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
        return [
            f'Authorization: Digest username="{self._name}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", '
            f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc={count}, cnonce="ab"{opaque}'
        ]


def answer(request: str, status: str, *headers: str) -> bytes:
    """A response without a body."""
    kept = ("via", "from", "to", "call-id", "cseq")
    lines = [line for line in request.split("\r\n")[1:] if line.partition(":")[0].lower() in kept]
    lines = [f"{one};tag=f" if one.lower().startswith("to:") and "tag=" not in one else one for one in lines]
    return "\r\n".join([f"SIP/2.0 {status}", *lines, *headers, "Content-Length: 0", "", ""]).encode()


def header(message: str, name: str) -> str:
    """The first header of this name (lower case); empty for none."""
    found = re.search(rf"^{name}:\s*(.*?)\r?$", message, re.M | re.I)
    return found[1] if found is not None else ""


def md5(text: str) -> str:
    """As digests of RFC 2617 have it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
