"""Everything that is configured is sent side by side; what is not waits, and that is said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from aiohttp import web
from pydantic import SecretStr

from ivr.events import EventBus
from ivr.notify import health, workers
from ivr.notify.config import Endpoint, NoticeConfig
from ivr.notify.store import Notice
from ivr.store.engine import Store
from ivr.tickets import journal
from ivr.tickets.service import Tickets
from tests.integration.notify.conftest import MailServer, Now, Outbox, TwilioDouble, served

SECRET = SecretStr("whsec_" + "QUJD" * 8)


async def nothing(_: int, __: str) -> None:
    return None


@contextlib.asynccontextmanager
async def running(config: NoticeConfig, store: Store, now: Now, bus: EventBus) -> AsyncIterator[None]:
    work = workers.run(
        config,
        store,
        clock=now,
        bus=bus,
        answered=nothing,
        read_journal=journal.entries,
        journal_end=journal.end,
        loopback=True,
    )
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(outbox: Outbox, holds: Callable[[list[Notice]], bool]) -> list[Notice]:
    async with asyncio.timeout(15):
        while not holds(rows := await outbox.rows()):  # noqa: ASYNC110 - another process might change them
            await asyncio.sleep(0.05)
        return rows


async def told(store: Store, config: NoticeConfig, now: datetime | None = None) -> str:
    async with store.reading() as unit:
        return await health.told(unit, config, now or datetime.now(UTC))


async def test_every_kind_leaves(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer, twilio: TwilioDouble
) -> None:
    got: list[str] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.text())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    async with served(app) as url:
        config = NoticeConfig(
            smtp=mail_server.config,
            twilio=twilio.config,
            endpoints=(Endpoint(name="crm", url=f"{url}/", secret=SECRET, events=("*",)),),
        )
        async with running(config, store, now, bus):
            await asyncio.sleep(1.5)
            await outbox.email()
            await outbox.sms()
            async with store.unit() as unit:
                fields = {"kind": "request", "desk": "omnivigil", "department": "support"}
                await Tickets(desks={}, bus=bus, clock=now).create(unit, fields, by="test")
            rows = await until(outbox, lambda rows: len(rows) == 3 and {row.state for row in rows} == {"sent"})
        assert {row.kind for row in rows} == {"email", "sms", "webhook"}
        assert (len(mail_server.arrived), len(twilio.messages), len(got)) == (1, 1, 1)
        assert await told(store, config) == "ok"


async def test_without_a_configuration_rows_wait_and_leave_once_there_is_one(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    await outbox.email()
    await outbox.sms()
    async with running(NoticeConfig(), store, now, bus):
        await asyncio.sleep(0.8)
    assert {row.state for row in await outbox.rows()} == {"pending"}
    assert await told(store, NoticeConfig()) == "not configured: e-mail and SMS; these notices wait"
    config = NoticeConfig(smtp=mail_server.config)
    async with running(config, store, now, bus):
        await until(outbox, lambda rows: [row.state for row in rows] == ["sent", "pending"])
    assert await told(store, config) == "not configured: SMS; these notices wait"


async def test_what_has_to_be_looked_at_is_counted(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer, twilio: TwilioDouble
) -> None:
    config = NoticeConfig(smtp=mail_server.config, twilio=twilio.config)
    mail_server.rcpt.append("550 No such user")
    twilio.answers.append("drop")
    await outbox.email()
    await outbox.sms()
    async with running(config, store, now, bus):
        await until(outbox, lambda rows: [row.state for row in rows] == ["dead", "unknown"])
    assert await told(store, config) == "1 e-mail dead; 1 SMS unknown"
    assert await told(store, config, now() + timedelta(days=8)) == "ok"


async def test_an_outage_of_the_database_is_waited_out(
    store: Store,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    mail_server: MailServer,
    database_away: Callable[[], contextlib.AbstractContextManager[None]],
) -> None:
    await outbox.email()
    with database_away():
        async with running(NoticeConfig(smtp=mail_server.config), store, now, bus):
            await asyncio.sleep(0.6)
    async with running(NoticeConfig(smtp=mail_server.config), store, now, bus):
        await until(outbox, lambda rows: rows[0].state == "sent")
    assert len(mail_server.arrived) == 1


async def test_at_the_end_what_is_under_way_is_finished(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    arrived = asyncio.Event()
    mail_server.before_answer = arrived.set
    await outbox.email()
    async with running(NoticeConfig(smtp=mail_server.config), store, now, bus):
        await asyncio.wait_for(arrived.wait(), 10)
    assert (await outbox.only()).state == "sent"
