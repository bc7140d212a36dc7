"""An outbox in a real database, and who receives what is in it, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from ivr.events import EventBus
from ivr.notify import store as statements
from ivr.notify.config import Smtp, Twilio
from ivr.notify.outbox import Email, Sms, put_email, put_sms
from ivr.notify.store import Notice
from ivr.store.engine import Store

SID = "AC" + "0" * 32
TOKEN = "not-a-secret"
SENDER = "332211"


@dataclass
class Now:
    """A clock that is moved by hand; the real one besides, so that what is real compares with it."""

    shift: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def later(self, seconds: float) -> None:
        self.shift += timedelta(seconds=seconds)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


class Outbox:
    """What a test puts in and sees."""

    def __init__(self, store: Store, now: Now) -> None:
        self.store = store
        self.now = now

    async def email(self, to: str = "julie@clinique.example", *, subject: str = "Billet", body: str = "Reçu.") -> None:
        async with self.store.unit() as unit:
            await put_email(unit, Email(to=to, subject=subject, body=body, language="fr"), at=self.now())

    async def sms(self, to: str = "14185550101", *, body: str = "Panne : un technicien arrive.") -> None:
        async with self.store.unit() as unit:
            await put_sms(unit, Sms(to=to, body=body, language="fr"), at=self.now())

    async def rows(self) -> list[Notice]:
        """The oldest first."""
        async with self.store.reading() as unit:
            return (await statements.page(unit, filters={}, before=None, limit=100))[::-1]

    async def only(self) -> Notice:
        rows = await self.rows()
        assert len(rows) == 1
        return rows[0]


@pytest.fixture
def outbox(store: Store, now: Now) -> Outbox:
    return Outbox(store, now)


@dataclass
class MailServer:
    """A real SMTP server. `answers` are given to RCPT or DATA, in order; then everything is taken."""

    port: int = 0
    rcpt: deque[str] = field(default_factory=deque)
    data: deque[str] = field(default_factory=deque)
    arrived: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    #: Called when an e-mail is there, before it is answered.
    before_answer: Callable[[], object] | None = None

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt.popleft() if self.rcpt else "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.data.popleft() if self.data else "250 OK"
        if answer.startswith("2") or answer == "drop":
            assert isinstance(envelope.content, bytes)
            parsed = message_from_bytes(envelope.content, policy=default)
            assert isinstance(parsed, EmailMessage)
            self.arrived.append(parsed)
            self.envelopes.append(envelope)
        if self.before_answer is not None:
            self.before_answer()
        if answer == "drop":
            assert server.transport is not None
            server.transport.abort()  # type: ignore[attr-defined]
        return answer

    @property
    def config(self) -> Smtp:
        return Smtp(
            host="127.0.0.1",
            port=self.port,
            security="none",
            sender="support@omnivigil.example",
            sender_name="OMNIVIGIL",
        )


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    made = MailServer()
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(made, hostname="mx.example", loop=loop)

    server = await loop.create_server(connection, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@dataclass
class TwilioDouble:
    """Speaks the Messages part of Twilio's API. `answers` are given to sends, in order; then everything is taken.

    429, 500 and codes of errors do what they say; `accept-500`, `accept-hang` and `accept-drop` take the message
    and never say so; `drop` loses the request.
    """

    url: str = ""
    answers: deque[int | str] = field(default_factory=deque)
    list_answers: deque[int] = field(default_factory=deque)
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    before_answer: Callable[[], object] | None = None

    def put(
        self, to: str, body: str, *, sender: str = SENDER, status: str = "queued", age_s: float = 0
    ) -> dict[str, Any]:
        message = {
            "sid": f"SM{len(self.messages):032x}",
            "account_sid": SID,
            "to": to,
            "from": sender,
            "body": body,
            "status": status,
            "direction": "outbound-api",
            "date_created": format_datetime(datetime.now(UTC) - timedelta(seconds=age_s)),
            "date_sent": None,
            "uri": "",
        }
        self.messages.append(message)
        return message

    async def send(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.asked.append("send")
        answer = self.answers.popleft() if self.answers else 201
        message: dict[str, Any] = {}
        if answer == 201 or str(answer).startswith("accept"):
            message = self.put(str(form["To"]), str(form["Body"]), sender=str(form["From"]))
            message["callback"] = form.get("StatusCallback")
        if self.before_answer is not None:
            self.before_answer()
        match answer:
            case 201:
                return web.json_response(message, status=201)
            case 429:
                headers = {"Retry-After": "90"}
                return web.json_response(
                    {"code": 20429, "message": "Too many", "status": 429}, status=429, headers=headers
                )
            case 500 | "accept-500":
                return web.Response(status=500, text="oops")
            case 401:
                return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
            case int(code):
                return web.json_response({"code": code, "message": "No", "status": 400}, status=400)
            case "accept-hang":
                await asyncio.sleep(60)
            case "accept-garbage":
                return web.Response(status=201, text="<html>")
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def list(self, request: web.Request) -> web.Response:
        self.asked.append("list")
        if self.list_answers and (status := self.list_answers.popleft()) != 200:
            return web.Response(status=status)
        found = [
            message
            for message in reversed(self.messages)
            if message["to"] == request.query.get("To", message["to"])
            and message["from"] == request.query.get("From", message["from"])
        ]
        size, page = int(request.query["PageSize"]), int(request.query.get("Page", "0"))
        shown = found[page * size : (page + 1) * size]
        query = {**request.query, "Page": str(page + 1)}
        following = str(request.rel_url.with_query(query)) if len(found) > (page + 1) * size else None
        return web.json_response(
            {
                "messages": shown,
                "page": page,
                "page_size": size,
                "first_page_uri": "",
                "uri": "",
                "previous_page_uri": None,
                "next_page_uri": following,
            }
        )

    @property
    def config(self) -> Twilio:
        return Twilio(account_sid=SID, auth_token=SecretStr(TOKEN), sender=SENDER, api=self.url)


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """The address of an HTTP server."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioDouble]:
    made = TwilioDouble()

    @web.middleware
    async def authenticate(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(SID, TOKEN):
            return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(middlewares=[authenticate])
    path = f"/2010-04-01/Accounts/{SID}/Messages.json"
    app.router.add_post(path, made.send)
    app.router.add_get(path, made.list)
    async with served(app) as made.url:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as made:
        yield made


def free_port() -> int:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def header(message: Message, name: str) -> str:
    value = message[name]
    assert value is not None
    return str(value)
