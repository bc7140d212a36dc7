"""Webhooks are signed, repeated until taken, and go nowhere they should not."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook

from ivr.events import EventBus
from ivr.notify import admin
from ivr.notify import store as statements
from ivr.notify.config import Endpoint
from ivr.notify.journal import Journal
from ivr.notify.webhooks import WebhookSender, guarded_session
from ivr.notify.worker import Worker
from ivr.store.engine import Store
from ivr.tickets import journal
from ivr.tickets.service import Tickets
from tests.integration.notify.conftest import Now, Outbox, served

SECRET = "whsec_" + "QUJD" * 8


@dataclass
class Receiver:
    """Somebody's server."""

    url: str = ""
    answers: deque[int] = field(default_factory=deque)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.text()))
        status = self.answers.popleft() if self.answers else 204
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere", "Retry-After": "30"})

    @property
    def paths(self) -> int:
        return len(self.got)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{any:.*}", made.take)
    async with served(app) as made.url:
        yield made


@pytest.fixture
async def guarded() -> AsyncIterator[aiohttp.ClientSession]:
    async with guarded_session(loopback=True) as made:
        yield made


def endpoint(url: str, *events: str, name: str = "crm") -> Endpoint:
    return Endpoint(name=name, url=f"{url}/hook", secret=SecretStr(SECRET), events=events or ("ticket.*",))


class Line:
    """Tickets, the journal and a worker."""

    def __init__(self, store: Store, now: Now, bus: EventBus, session: aiohttp.ClientSession, *to: Endpoint) -> None:
        self.store, self.now, self.bus = store, now, bus
        self.tickets = Tickets(desks={}, bus=bus, clock=now)
        self.journal = Journal(store, to, read=journal.entries, end=journal.end, clock=now)
        self.worker = Worker(store, WebhookSender(to, session, clock=now, loopback=True), clock=now, bus=bus)

    async def ticket(self) -> int:
        fields = {"kind": "request", "desk": "omnivigil", "department": "support", "observed": "Écho"}
        async with self.store.unit() as unit:
            ticket, _ = await self.tickets.create(unit, fields, by="test")
        return ticket.number

    async def tell(self) -> None:
        await self.journal.once()
        await self.worker.once()


async def test_what_happens_is_told_once_and_signed(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver
) -> None:
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.tell()
    number = await line.ticket()
    for _ in range(3):
        await line.tell()
    ((headers, body),) = receiver.got
    told: dict[str, Any] = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "ticket.created"
    assert told["data"]["ticket"] == str(number)
    assert told["data"]["changes"]["observed"] == "Écho"


async def test_what_was_before_an_endpoint_is_not_told(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver
) -> None:
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.ticket()
    await line.tell()
    number = await line.ticket()
    await line.tell()
    await line.tell()
    assert [str(number) in body for _, body in receiver.got] == [True]


async def test_what_was_written_earlier_and_committed_later_is_told_without_waiting_for_more(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver
) -> None:
    """PostgreSQL gives out ids as it is written, not as it is committed."""
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.tell()
    if await dialect_of(store) == "sqlite":
        first = await line.ticket()
        second = await line.ticket()
    else:
        async with store.unit() as unit:
            fields = {"kind": "request", "desk": "omnivigil", "department": "support"}
            late, _ = await line.tickets.create(unit, fields, by="test")
            second = await line.ticket()
            await line.tell()
            assert [str(second) in body for _, body in receiver.got] == [True]
        first = late.number
    # Nothing more happens, and a service that was started anew knows no more than the database.
    anew = Line(store, now, bus, guarded, endpoint(receiver.url))
    await anew.tell()
    await line.tell()
    told = sorted(Webhook(SECRET).verify(body, headers)["data"]["ticket"] for headers, body in receiver.got)
    assert told == sorted([str(first), str(second)])


async def dialect_of(store: Store) -> str:
    async with store.reading() as unit:
        return unit.dialect


async def test_only_what_was_chosen_is_told(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver
) -> None:
    chosen = (endpoint(receiver.url, "ticket.changed"), endpoint(receiver.url, "*", name="all"))
    line = Line(store, now, bus, guarded, *chosen)
    await line.tell()
    number = await line.ticket()
    async with store.unit() as unit:
        await line.tickets.change(unit, number, {"level": 2}, by="test")
    await line.tell()
    types = sorted(Webhook(SECRET).verify(body, headers)["type"] for headers, body in receiver.got)
    assert types == ["ticket.changed", "ticket.changed", "ticket.created"]


@pytest.mark.parametrize("status", [500, 503, 429, 404, 302])
async def test_refusals_are_repeated_under_one_name_and_redirects_not_followed(
    store: Store,
    now: Now,
    bus: EventBus,
    guarded: aiohttp.ClientSession,
    receiver: Receiver,
    outbox: Outbox,
    status: int,
) -> None:
    receiver.answers.append(status)
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.tell()
    await line.ticket()
    await line.tell()
    row = await outbox.only()
    assert row.state == "pending"
    assert str(status) in str(row.error)
    now.later(29)
    assert await line.worker.once() == 0
    now.later(2)
    await line.worker.once()
    (first, _), (second, _) = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    assert (await outbox.only()).state == "sent"


async def test_an_endpoint_that_is_gone_is_told_no_more_until_enabled(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver, outbox: Outbox
) -> None:
    receiver.answers.append(410)
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.tell()
    await line.ticket()
    await line.tell()
    assert (await outbox.only()).state == "refused"
    await line.ticket()
    await line.tell()
    assert len(receiver.got) == 1
    async with store.unit() as unit:
        assert (await statements.endpoints(unit))["crm"]["disabled_reason"] == "the endpoint says that it is gone (410)"
        await admin.enable(unit, "crm", journal_end=await journal.end(unit))
    await line.ticket()
    await line.tell()
    assert len(receiver.got) == 2


async def test_nothing_goes_inside_without_the_demo(
    store: Store, now: Now, bus: EventBus, receiver: Receiver, outbox: Outbox
) -> None:
    async with guarded_session(loopback=False) as session:
        to = endpoint(receiver.url.replace("http://127.0.0.1", "https://localhost"))
        line = Line(store, now, bus, session, to)
        line.worker = Worker(store, WebhookSender([to], session, clock=now, loopback=False), clock=now, bus=bus)
        await line.tell()
        await line.ticket()
        await line.tell()
    row = await outbox.only()
    assert row.state == "pending"
    assert row.error == "localhost leads into a private network"
    assert receiver.got == []


async def test_an_endpoint_taken_out_of_the_configuration_gets_nothing(
    store: Store, now: Now, bus: EventBus, guarded: aiohttp.ClientSession, receiver: Receiver, outbox: Outbox
) -> None:
    line = Line(store, now, bus, guarded, endpoint(receiver.url))
    await line.journal.once()
    await line.ticket()
    await line.journal.once()
    await Worker(store, WebhookSender([], guarded, clock=now, loopback=True), clock=now, bus=bus).once()
    assert (await outbox.only()).state == "refused"
    assert receiver.got == []
