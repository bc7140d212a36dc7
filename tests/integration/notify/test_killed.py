"""A worker is killed (SIGKILL, a process of its own) wherever it hurts: nothing is lost, no text message is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from ivr.events import EventBus
from ivr.notify.sms import SmsSender
from ivr.notify.smtp import SmtpSender
from ivr.notify.worker import LEASE_S, Worker
from ivr.store.engine import Store
from tests.integration.databases import Database
from tests.integration.notify.conftest import MailServer, Now, Outbox, TwilioDouble

REPOSITORY = Path(__file__).parents[3]


async def killed(database: Database, kind: str, target: str, when: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("doomed.py")),
        database.url,
        kind,
        target,
        when,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL


async def nothing(_: int, __: str) -> None:
    return None


@pytest.mark.parametrize(
    ("when", "state", "arrived"), [("claimed", "leased", 1), ("begun", "sending", 1), ("sent", "sending", 2)]
)
async def test_an_email_arrives_at_least_once_under_one_name(
    store: Store,
    database: Database,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    mail_server: MailServer,
    when: str,
    state: str,
    arrived: int,
) -> None:
    await outbox.email()
    await killed(database, "email", str(mail_server.port), when)
    assert (await outbox.only()).state == state
    worker = Worker(store, SmtpSender(mail_server.config, replies=True, answered=nothing), clock=now, bus=bus)
    assert await worker.once() == 0
    for _ in range(3):
        now.later(LEASE_S + 1)
        await worker.once()
    assert (await outbox.only()).state == "sent"
    assert len(mail_server.arrived) == arrived
    assert len({str(one["Message-ID"]) for one in mail_server.arrived}) == 1


@pytest.mark.parametrize(("when", "state"), [("claimed", "leased"), ("begun", "sending"), ("sent", "sending")])
async def test_a_text_message_leaves_exactly_once(
    store: Store,
    database: Database,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    twilio: TwilioDouble,
    session: aiohttp.ClientSession,
    when: str,
    state: str,
) -> None:
    await outbox.sms()
    await killed(database, "sms", twilio.url, when)
    assert (await outbox.only()).state == state
    sender = SmsSender(twilio.config, session, store, clock=now, public_url=None)
    worker = Worker(store, sender, look=sender.look, clock=now, bus=bus)
    seen = set()
    for _ in range(12):
        now.later(LEASE_S + 1)
        await worker.once()
        seen.add((await outbox.only()).state)
    assert (await outbox.only()).state == "sent"
    assert len(twilio.messages) == 1
    # Where it may have left, it was looked for before anything else.
    assert ("unknown" in seen) == (when != "claimed")
    assert ("list" in twilio.asked) == (when != "claimed")


async def test_killed_while_twilio_has_it_and_has_not_answered(
    store: Store,
    database: Database,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    twilio: TwilioDouble,
    session: aiohttp.ClientSession,
) -> None:
    await outbox.sms()
    twilio.answers.append("accept-hang")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("doomed.py")),
        database.url,
        "sms",
        twilio.url,
        "never",
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    twilio.before_answer = process.kill
    await asyncio.wait_for(process.wait(), 30)
    twilio.before_answer = None
    sender = SmsSender(twilio.config, session, store, clock=now, public_url=None)
    worker = Worker(store, sender, look=sender.look, clock=now, bus=bus)
    for _ in range(6):
        now.later(LEASE_S + 1)
        await worker.once()
    row = await outbox.only()
    assert (row.state, row.provider_id) == ("sent", twilio.messages[0]["sid"])
    assert len(twilio.messages) == 1


async def test_the_database_is_lost_between_sending_and_writing_it_down(
    store: Store,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    twilio: TwilioDouble,
    session: aiohttp.ClientSession,
    database: Database,
) -> None:
    away, lost = contextlib.ExitStack(), asyncio.Event()

    def lose() -> None:
        away.enter_context(database.away())
        lost.set()

    twilio.before_answer = lose
    sender = SmsSender(twilio.config, session, store, clock=now, public_url=None)
    worker = Worker(store, sender, look=sender.look, clock=now, bus=bus)
    await outbox.sms()
    working = asyncio.create_task(worker.once())
    await asyncio.wait_for(lost.wait(), 30)
    await asyncio.sleep(1.5)
    away.close()
    await working
    assert (await outbox.only()).state == "sent"
    assert twilio.asked == ["send"]
