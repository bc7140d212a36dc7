"""A phone that is written packet by packet: it registers, calls, is called, and says whatever phones in the field say.

SIP by UDP or TCP (RFC 3261), digest (RFC 2617). It answers what the line asks within a call, and keeps it to be looked
at. PJSIP's phones (`sipsim.phones`) are polite; this one says what it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import re
from collections.abc import Mapping
from typing import Literal, cast

from sipsim.message import Message, sdp, uri_of
from sipsim.patience import patient
from sipsim.raw import CallFailed, refusal
from sipsim.stream import Stream

#: Seconds for an answer to a request; an answered one is there within milliseconds.
_ANSWER_S = 6.0
#: And for a call that should come in.
_RUNG_S = patient(10.0)


class Handset:
    """One device. Use as an asynchronous context manager.

    `address` is what its Contact names instead of its own address, as behind NAT; `instance` its identity (RFC 5626). A
    `deaf` one answers nothing that it is asked outside of a call, as one whose network lets nothing in.
    """

    def __init__(
        self,
        server: tuple[str, int],
        name: str,
        password: str,
        *,
        transport: Literal["udp", "tcp"] = "udp",
        address: str = "",
        instance: str = "",
        call_id: str = "",
        deaf: bool = False,
    ) -> None:
        self.server, self.name, self._password, self.transport = server, name, password, transport
        self._named, self._instance, self._deaf = address, instance, deaf
        self._registration = call_id or f"{random.getrandbits(96):x}"
        self._sequence = random.randrange(1, 1000)
        self._link: asyncio.BaseTransport | None = None
        self._unread = b""
        self._waiting: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._talks: dict[str, Talk] = {}
        self._rung: asyncio.Queue[Talk] = asyncio.Queue()
        #: Requests outside of a call, as OPTIONS.
        self.asked: list[Message] = []
        #: Whether it was cut off.
        self.gone = False

    async def __aenter__(self) -> Handset:
        loop = asyncio.get_running_loop()
        if self.transport == "tcp":
            self._link, _ = await loop.create_connection(lambda: _Tcp(self), *self.server)
        else:
            self._link, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(self.server[0], 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        for talk in list(self._talks.values()):
            with contextlib.suppress(TimeoutError):
                await talk.hang_up()
        self.cut()

    def cut(self) -> None:
        """Vanish, as by a cut cord."""
        self.gone = True
        for talk in self._talks.values():
            talk.stream.close()
        self._talks.clear()
        if self._link is not None:
            self._link.close()

    @property
    def own(self) -> str:
        """Its address and port."""
        assert self._link is not None  # noqa: S101 - open from __aenter__ on
        return "{}:{}".format(*self._link.get_extra_info("sockname")[:2])

    @property
    def host(self) -> str:
        return self.own.rpartition(":")[0]

    @property
    def contact(self) -> str:
        """The Contact header's value."""
        more = f';+sip.instance="<urn:uuid:{self._instance}>"' if self._instance else ""
        by = ";transport=tcp" if self.transport == "tcp" else ""
        return f"<sip:{self.name}@{self._named or self.own}{by}>{more}"

    # Receiving -------------------------------------------------------------------------------------------

    def received(self, message: Message) -> None:
        """One message of the line's."""
        if message.status:
            number = message.header("CSeq").partition(" ")[0]
            waiting = self._waiting.get((message.header("Call-ID"), number))
            if waiting is not None:
                waiting.put_nowait(message)
            return
        if self._deaf and message.method in ("INVITE", "OPTIONS"):
            self.asked.append(message)
            return
        talk = self._talks.get(message.header("Call-ID"))
        if talk is not None:
            talk.was_asked(message)
        elif message.method == "INVITE":
            talk = self._talks[message.header("Call-ID")] = Talk(self, message)
            self.answer(message, 180, tag=talk.tag)
            self._rung.put_nowait(talk)
        elif message.method != "ACK":
            self.asked.append(message)
            self.answer(message, 200)

    def fed(self, data: bytes) -> None:
        """Bytes of a stream, which has no borders between messages (RFC 3261, section 18.3)."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = Message(self._unread[: end + 4].decode(errors="replace"))
            whole = end + 4 + int(head.header("Content-Length") or 0)
            if len(self._unread) < whole:
                return
            text, self._unread = self._unread[:whole].decode(errors="replace"), self._unread[whole:]
            if text.strip():
                self.received(Message(text.lstrip("\r\n")))

    # Sending ---------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self.transport == "tcp":
            cast("asyncio.WriteTransport", self._link).write(data)
        else:
            cast("asyncio.DatagramTransport", self._link).sendto(data, self.server)

    def answer(self, request: Message, status: int, *, tag: str = "", body: str = "", headers: str = "") -> None:
        """Respond."""
        kept = ("via", "from", "to", "call-id", "cseq", "record-route")
        head = request.text.partition("\r\n\r\n")[0].split("\r\n")[1:]
        lines = [line for line in head if line.partition(":")[0].strip().lower() in kept]
        if tag:
            lines = [f"{one};tag={tag}" if re.match("To:(?!.*;tag=)", one, re.I) else one for one in lines]
        lines += [f"Contact: {self.contact}", *headers.split("\n")] if headers else [f"Contact: {self.contact}"]
        lines += ["Content-Type: application/sdp"] if body else []
        text = "\r\n".join([f"SIP/2.0 {status} .", *lines, f"Content-Length: {len(body)}", "", body])
        self.send(text.encode())

    async def register(self, expires_s: int = 60) -> Message:
        """Register; the line's last word."""
        where = f"sip:{self.server[0]}:{self.server[1]}"
        to, headers = f"<sip:{self.name}@{self.server[0]}>", {"Expires": str(expires_s)}
        return await self.ask("REGISTER", where, call_id=self._registration, to=to, headers=headers)

    async def ask(
        self,
        method: str,
        uri: str,
        *,
        call_id: str = "",
        to: str = "",
        tag: str = "",
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> Message:
        """Send a request, with the proof when it is asked for; the final response. Raises TimeoutError."""
        call_id, tag = call_id or f"{random.getrandbits(96):x}", tag or f"{random.getrandbits(48):x}"
        proof: dict[str, str] = {}
        while True:
            self._sequence += 1
            number = self._sequence
            more = {**(headers or {}), **proof}
            request = self._request(method, uri, number, call_id, to or f"<{uri}>", tag, more, body)
            reply = await self._exchange(request, call_id, number)
            if method == "INVITE" and reply.status >= 300:
                self.acknowledge(uri, reply, "", branch=self._branch(request))
            if reply.status not in (401, 407) or proof:
                return reply
            proof = {"Authorization": self._proof(reply.header("WWW-Authenticate"), method, uri)}

    async def _exchange(self, request: bytes, call_id: str, number: int) -> Message:
        waiting = self._waiting[call_id, str(number)] = asyncio.Queue()
        answered = False
        try:
            async with asyncio.timeout(30 if request.startswith(b"INVITE") else _ANSWER_S):
                while True:
                    if not answered or self.transport == "udp":
                        self.send(request)
                    with contextlib.suppress(TimeoutError):
                        while True:
                            reply = await asyncio.wait_for(waiting.get(), None if answered else 0.5)
                            answered = True
                            if reply.status >= 200:
                                return reply
                    # By TCP nothing is sent twice.
                    answered = answered or self.transport == "tcp"
        finally:
            del self._waiting[call_id, str(number)]

    @staticmethod
    def _branch(request: bytes) -> str:
        found = re.search(rb"branch=(\w+)", request)
        if found:
            return found[1].decode()
        return ""

    def _request(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        method: str,
        uri: str,
        number: int,
        call_id: str,
        to: str,
        tag: str,
        headers: Mapping[str, str],
        body: str,
        *,
        branch: str = "",
    ) -> bytes:
        branch = branch or f"z9hG4bK{random.getrandbits(64):x}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {self.own};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:{self.name}@{self.server[0]}>;tag={tag}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            f"Contact: {self.contact}",
            "User-Agent: handset",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if body and "Content-Type" not in headers:
            lines.append("Content-Type: application/sdp")
        encoded = body.encode()
        return "\r\n".join([*lines, f"Content-Length: {len(encoded)}", "", ""]).encode() + encoded

    def acknowledge(self, uri: str, reply: Message, body: str, *, branch: str = "") -> None:
        """ACK a final response."""
        number = int(reply.header("CSeq").split(" ")[0])
        found = re.search(r";tag=([^;>]+)", reply.header("From"))
        tag, call_id = found[1] if found else "", reply.header("Call-ID")
        self.send(self._request("ACK", uri, number, call_id, reply.header("To"), tag, {}, body, branch=branch))

    def _proof(self, challenge: str, method: str, uri: str) -> str:
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        user, request = md5(f"{self.name}:{asked['realm']}:{self._password}"), md5(f"{method}:{uri}")
        response = md5(f"{user}:{asked['nonce']}:00000001:abcd:auth:{request}")
        opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
        return (
            f'Digest username="{self.name}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abcd"{opaque}'
        )

    # Calls -----------------------------------------------------------------------------------------------

    async def dial(
        self, number: str, *, formats: str = "", late: bool = False, headers: Mapping[str, str] | None = None
    ) -> Talk:
        """Call a number; once it is answered. `late` offers nothing itself (RFC 3261, section 13.2.1).

        Raises CallFailed with the refusal.
        """
        talk = Talk(self)
        await talk.dial(f"sip:{number}@{self.server[0]}:{self.server[1]}", formats, late, headers or {})
        return talk

    def keep(self, talk: Talk) -> None:
        """A call of ours has begun."""
        self._talks[talk.call_id] = talk

    def forget(self, talk: Talk) -> None:
        """It is over."""
        self._talks.pop(talk.call_id, None)

    async def rung(self, within_s: float = _RUNG_S) -> Talk:
        """The next call that comes in, which rings. Raises TimeoutError."""
        return await asyncio.wait_for(self._rung.get(), within_s)

    @property
    def was_rung(self) -> bool:
        """Whether a call waits to be taken by `rung`."""
        return not self._rung.empty()


class Talk:
    """One call of a handset."""

    def __init__(self, phone: Handset, invite: Message | None = None) -> None:
        self.phone = phone
        self._invite = invite
        self.call_id = invite.header("Call-ID") if invite else f"{random.getrandbits(96):x}"
        self.tag = f"{random.getrandbits(48):x}"
        self.stream = Stream()
        self._port = 0
        self._version = 1
        self._formats = ""
        self._to = invite.header("From") if invite else ""
        self._target = uri_of(invite.header("Contact")) if invite else ""
        #: What the line asked within the call, in order.
        self.requests: list[Message] = []
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        #: The line's last word to our INVITE, or to the last one within the call.
        self.reply = Message("")

    @property
    def replaces(self) -> str:
        """What names this call in a Replaces parameter (RFC 3891), escaped."""
        theirs = re.search(r";tag=([^;>]+)", self._to)
        return f"{self.call_id}%3Bto-tag%3D{theirs[1] if theirs else ''}%3Bfrom-tag%3D{self.tag}"

    async def dial(self, uri: str, formats: str, late: bool, headers: Mapping[str, str]) -> None:
        """Call, and wait for the answer. Raises CallFailed."""
        self.phone.keep(self)
        self._formats, self._target, self._to = formats, uri, f"<{uri}>"
        offer = "" if late else await self._sdp()
        try:
            reply = await self.phone.ask("INVITE", uri, call_id=self.call_id, tag=self.tag, headers=headers, body=offer)
            if reply.status != 200:
                raise refusal(reply.text)
        except BaseException:
            self.phone.forget(self)
            self.stream.close()
            raise
        await self._agreed(reply, late=late)

    async def _agreed(self, reply: Message, *, late: bool) -> None:
        self.reply = reply
        self._to, self._target = reply.header("To"), uri_of(reply.header("Contact")) or self._target
        self.phone.acknowledge(self._target, reply, await self._sdp() if late else "")
        if reply.media is None:
            raise CallFailed(200, "without media")
        self.stream.start((self.phone.server[0], reply.media[1]))

    async def _sdp(self, way: str = "sendrecv", host: str = "") -> str:
        if not self._port:
            self._port = await self.stream.open(self.phone.host)
        text = sdp(host or self.phone.host, self._port, way=way, formats=self._formats, version=self._version)
        self._version += 1
        return text

    async def pick_up(self, *, formats: str = "") -> None:
        """Answer."""
        assert self._invite is not None  # noqa: S101 - it is a call that came
        self._formats = formats
        self.phone.answer(self._invite, 200, tag=self.tag, body=await self._sdp())
        if self._invite.media is not None:
            self.stream.start((self.phone.server[0], self._invite.media[1]))

    def refuse(self, status: int = 486) -> None:
        """Do not answer."""
        assert self._invite is not None  # noqa: S101 - it is a call that came
        self.phone.answer(self._invite, status, tag=self.tag)
        self.phone.forget(self)

    async def ask(self, method: str, *, headers: Mapping[str, str] | None = None, body: str = "") -> Message:
        """A request within the call; its final response. Raises TimeoutError for none."""
        return await self.phone.ask(
            method, self._target, call_id=self.call_id, to=self._to, tag=self.tag, headers=headers, body=body
        )

    async def refer(self, to: str, *, headers: Mapping[str, str] | None = None) -> Message:
        """Transfer the other side: REFER (RFC 3515)."""
        return await self.ask("REFER", headers={"Refer-To": to, **(headers or {})})

    async def offer(self, way: str = "sendrecv", *, host: str = "", formats: str = "", late: bool = False) -> Message:
        """Change the call by a re-INVITE, such as hold and back; the final response."""
        self._formats = formats or self._formats
        reply = await self.ask("INVITE", body="" if late else await self._sdp(way, host))
        if reply.status == 200:
            await self._agreed(reply, late=late)
        return reply

    def was_asked(self, message: Message) -> None:
        """Something of the line's within the call."""
        if message.method == "ACK":
            return
        if message.text.startswith("INVITE") and self._invite is not None and message.text == self._invite.text:
            return
        again = any(one.header("CSeq") == message.header("CSeq") for one in self.requests)
        if message.method == "INVITE":
            body = sdp(self.phone.host, self._port, formats=self._formats, version=self._version)
            self.phone.answer(message, 200, tag=self.tag, body=body)
            if message.media is not None:
                self.stream.remote = (self.phone.server[0], message.media[1])
        elif message.method == "UPDATE" and message.body:
            self.phone.answer(message, 200, tag=self.tag, body=sdp(self.phone.host, self._port, version=self._version))
        else:
            self.phone.answer(message, 200, tag=self.tag)
            if message.method == "CANCEL" and self._invite is not None:
                self.phone.answer(self._invite, 487, tag=self.tag)
        if message.method in ("BYE", "CANCEL"):
            self.ended.set()
            self.stream.close()
            self.phone.forget(self)
        if not again:
            self.requests.append(message)
            self._news.set()

    async def told(self, method: str, holds: str = "", within_s: float = _RUNG_S) -> Message:
        """The first request of this method, which has a text in it, that the line made. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                for one in self.requests:
                    if one.method == method and holds in one.text:
                        return one
                self._news.clear()
                await self._news.wait()

    async def hang_up(self) -> None:
        """BYE, or CANCEL's kin for a call that was not answered."""
        if self.ended.is_set():
            return
        if self._invite is not None and not self._port:
            self.refuse(480)
            return
        await self.ask("BYE")
        self.ended.set()
        self.stream.close()
        self.phone.forget(self)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, phone: Handset) -> None:
        self._phone = phone

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._phone.received(Message(data.decode(errors="replace")))


class _Tcp(asyncio.Protocol):
    def __init__(self, phone: Handset) -> None:
        self._phone = phone

    def data_received(self, data: bytes) -> None:
        self._phone.fed(data)
