"""The outside of a line that is hurt: a carrier, a mail server and Twilio, which misbehave when told to and count."""

from __future__ import annotations

import asyncio
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

SID = "AC" + "5" * 32
TOKEN = "a-token-of-nobody"  # noqa: S105 - of the double
SENDER = "332211"


def _kept(message: str) -> list[str]:
    wanted = ("via", "from", "to", "call-id", "cseq", "record-route")
    lines = message.split("\r\n\r\n")[0].split("\r\n")[1:]
    return [line for line in lines if line.partition(":")[0].strip().lower() in wanted]


@dataclass
class Carrier:
    """Answers what the line sends to the outside, presses 1 a few times, and hangs up when the line does."""

    port: int
    #: INVITEs by number, each dialogue once.
    dialled: Counter[str] = field(default_factory=Counter)
    _calls: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _socket: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Listen."""
        carrier = self

        class Listener(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                carrier._received(data.decode(errors="replace"), addr)

        loop = asyncio.get_running_loop()
        made, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", self.port))
        self._socket = made

    def close(self) -> None:
        """Be gone."""
        for call in self._calls.values():
            call.cancel()
        if self._socket is not None:
            self._socket.close()

    def _received(self, message: str, addr: tuple[str, int]) -> None:
        method = message.partition(" ")[0]
        call = next(
            (line.partition(":")[2].strip() for line in _kept(message) if line.lower().startswith("call-id")), ""
        )
        if method == "INVITE" and call not in self._calls:
            self.dialled[message.split(" ", 2)[1].partition(":")[2].partition("@")[0].lstrip("+")] += 1
            self._calls[call] = asyncio.create_task(self._answer(message, addr))
        elif method in ("BYE", "CANCEL"):
            if (answering := self._calls.get(call)) is not None:
                answering.cancel()
            self._reply(message, addr)
        elif method == "OPTIONS":
            self._reply(message, addr)

    async def _answer(self, invite: str, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        media, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        try:
            await asyncio.sleep(0.5)
            port = media.get_extra_info("sockname")[1]
            self._reply(
                invite,
                addr,
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
                "a=fmtp:101 0-15\r\na=sendrecv\r\n",
            )
            there = re.search(r"^m=audio (\d+)", invite, re.M)
            remote = ("127.0.0.1", int(there[1])) if there else None
            for n in range(15_000):
                # A person: talks all the time, and confirms when asked, now and then.
                head = struct.pack("!BBHII", 0x80, 0, n & 0xFFFF, n * 160, 0x0C0FFEE)
                body = b"\xd5" * 160
                if n % 150 >= 140:
                    ended = 0x80 if n % 150 >= 146 else 0
                    stamp = (n - n % 150 + 140) * 160
                    head = struct.pack(
                        "!BBHII", 0x80, 101 | (0x80 if n % 150 == 140 else 0), n & 0xFFFF, stamp, 0x0C0FFEE
                    )
                    body = struct.pack("!BBH", 1, 10 | ended, min(n % 150 - 139, 7) * 160)
                if remote is not None:
                    media.sendto(head + body, remote)
                await asyncio.sleep(0.02)
        finally:
            media.close()

    def _reply(self, message: str, addr: tuple[str, int], body: str = "") -> None:
        lines = [
            f"{one};tag=c" if one.lower().startswith("to:") and ";tag=" not in one else one for one in _kept(message)
        ]
        lines.append(f"Contact: <sip:carrier@127.0.0.1:{self.port}>")
        if body:
            lines.append("Content-Type: application/sdp")
        head = "\r\n".join(["SIP/2.0 200 OK", *lines, f"Content-Length: {len(body)}", "", ""])
        if self._socket is not None and not self._socket.is_closing():
            self._socket.sendto((head + body).encode(), addr)


@dataclass
class Mail:
    """A mail server. `how` is "" for well, or 4xx, drop, hang or down."""

    how: str = ""
    port: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="mx.example", loop=loop), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.close()

    async def handle_MAIL(  # noqa: N802 - as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The first word of an e-mail."""
        if self.how == "hang":
            await asyncio.sleep(20)
        if self.how in ("down", "drop") and server.transport is not None:
            server.transport.close()
        if self.how:
            return "451 Try again later"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """It is here."""
        content = envelope.content
        if isinstance(content, bytes):
            told = message_from_bytes(content, policy=default)
            self.arrived[f"{told['Message-ID']} {','.join(envelope.rcpt_tos)}"] += 1
        return "250 OK"


@dataclass
class Twilio:
    """Twilio's API of messages. `how` is "" for well, or 500, 429, drop, hang, or accept- with 500, hang or drop."""

    how: str = ""
    port: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen."""
        app = web.Application()
        path = f"/2010-04-01/Accounts/{SID}/Messages"
        app.router.add_post(f"{path}.json", self._send)
        app.router.add_get(f"{path}.json", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Be gone."""
        if self._runner is not None:
            await self._runner.cleanup()

    def sent(self) -> Counter[tuple[str, str]]:
        """Messages by number and text."""
        return Counter((one["to"], one["body"]) for one in self.messages)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        form, how = await request.post(), self.how
        message: dict[str, Any] = {}
        if how == "" or how.startswith("accept"):
            message = {
                "sid": f"SM{len(self.messages):032x}",
                "account_sid": SID,
                "to": str(form["To"]),
                "from": str(form["From"]),
                "body": str(form["Body"]),
                "status": "queued",
                "direction": "outbound-api",
                "date_created": format_datetime(datetime.now(UTC)),
                "date_sent": None,
                "uri": "",
            }
            self.messages.append(message)
        if how == "":
            return web.json_response(message, status=201)
        if how == "429":
            said = {"code": 20429, "message": "Too many", "status": 429}
            return web.json_response(said, status=429, headers={"Retry-After": "5"})
        if how in ("500", "accept-500"):
            return web.Response(status=500, text="oops")
        if how.endswith("hang"):
            await asyncio.sleep(20)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query
        found = [
            one
            for one in reversed(self.messages)
            if one["to"] == wanted.get("To", one["to"]) and one["from"] == wanted.get("From", one["from"])
        ]
        size, page = int(wanted.get("PageSize", "50")), int(wanted.get("Page", "0"))
        more = len(found) > (page + 1) * size
        following = None
        if more:
            following = str(request.rel_url.with_query({**wanted, "Page": str(page + 1)}))
        shown = found[page * size : (page + 1) * size]
        rest = {"first_page_uri": "", "uri": "", "previous_page_uri": None, "next_page_uri": following}
        return web.json_response({"messages": shown, "page": page, "page_size": size, **rest})
