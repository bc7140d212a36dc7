"""Runs a worker for each kind of notice that is configured."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import import_module
from typing import Any, Final

import aiohttp
import structlog

from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.notify.config import NoticeConfig
from ivr.notify.health import configured
from ivr.notify.journal import Journal, JournalEnd, ReadJournal
from ivr.notify.smtp import Answered, SmtpSender
from ivr.notify.statuspage import StatuspageSender
from ivr.notify.webhooks import WebhookSender, guarded_session
from ivr.notify.worker import Worker
from ivr.store.engine import Store
from ivr.ticks import rest

log = structlog.get_logger()

#: The journal is read this often, in seconds.
_JOURNAL_S: Final = 1.0


async def run(
    config: NoticeConfig,
    store: Store,
    *,
    clock: Clock,
    bus: EventBus,
    answered: Answered,
    read_journal: ReadJournal,
    journal_end: JournalEnd,
    loopback: bool,
) -> None:
    """Send what is in the outbox until cancelled. With `loopback`, webhooks may go to this machine."""
    log.info("notice channels configured", configured=configured(config), endpoints=len(config.endpoints))
    async with contextlib.AsyncExitStack() as stack:
        parts: list[Any] = []
        if config.smtp is not None:
            mails = SmtpSender(config.smtp, replies=config.mail is not None, answered=answered)
            parts.append(Worker(store, mails, clock=clock, bus=bus).run())
        if config.twilio is not None:
            connector = aiohttp.TCPConnector(force_close=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            # Twilio's client takes long to load, and calls go on meanwhile.
            sms = await asyncio.to_thread(import_module, "ivr.notify.sms")
            texts = sms.SmsSender(config.twilio, session, store, clock=clock, public_url=config.public_url)
            parts.append(Worker(store, texts, look=texts.look, clock=clock, bus=bus).run())
        if config.statuspage is not None:
            connector = aiohttp.TCPConnector(force_close=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            pushes = StatuspageSender(config.statuspage, session)
            parts.append(Worker(store, pushes, clock=clock, bus=bus, slots=1).run())
        if config.endpoints:
            session = await stack.enter_async_context(guarded_session(loopback=loopback))
            hooks = WebhookSender(config.endpoints, session, clock=clock, loopback=loopback)
            parts.append(Worker(store, hooks, clock=clock, bus=bus, slots=8).run())
            journal = Journal(store, config.endpoints, read=read_journal, end=journal_end, clock=clock)
            parts.append(_follow(journal))
        if not parts:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)


async def _follow(journal: Journal) -> None:
    while True:
        try:
            await journal.once()
        except Unavailable as error:
            log.warning("webhooks waiting: database unavailable", error=str(error))
        except Exception:
            # Calls share this service, and none is to be lost for a webhook.
            log.exception("event journal not read; retrying")
        await rest(_JOURNAL_S)
