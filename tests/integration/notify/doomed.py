"""A worker in a process of its own that kills itself: DATABASE KIND TARGET WHEN; TARGET is a port or an address."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import aiohttp
from pydantic import SecretStr

from ivr.events import EventBus
from ivr.notify.config import Smtp, Twilio
from ivr.notify.sms import SmsSender
from ivr.notify.smtp import SmtpSender
from ivr.notify.worker import Worker
from ivr.store.engine import open_store


async def die(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def nothing(_: int, __: str) -> None:
    return None


def now() -> datetime:
    return datetime.now(UTC)


async def main(database: str, kind: str, target: str, when: str) -> None:
    store = open_store(database)
    async with aiohttp.ClientSession() as session:
        sender: SmtpSender | SmsSender
        if kind == "email":
            server = Smtp(
                host="127.0.0.1", port=int(target), security="none", sender="support@omnivigil.example", sender_name="O"
            )
            sender = SmtpSender(server, replies=True, answered=nothing)
        else:
            account = Twilio(
                account_sid="AC" + "0" * 32, auth_token=SecretStr("not-a-secret"), sender="332211", api=target
            )
            sender = SmsSender(account, session, store, clock=now, public_url=None)
        worker = Worker(store, sender, clock=now, bus=EventBus())
        match when:
            case "claimed":
                worker._begin = die  # type: ignore[method-assign, assignment]
            case "begun":
                sender.send = die  # type: ignore[method-assign, assignment]
            case "sent":
                worker._settle = die  # type: ignore[method-assign, assignment]
        await worker.once()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
