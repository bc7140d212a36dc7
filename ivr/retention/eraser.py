"""Erases personal data whose time is over, once an hour: files first, then the rows that name them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from ivr.announcements import heard
from ivr.clock import Clock
from ivr.desk.schema import Desk, Keeping
from ivr.errors import Unavailable
from ivr.incidents import sms_followers
from ivr.incidents.model import CLOSES_AFTER
from ivr.notify import budgets
from ivr.reports import service as reports
from ivr.retention import store
from ivr.store.engine import Store
from ivr.subscriptions import service as subscribing

log = structlog.get_logger()

_AT_ONCE = 500


class Eraser:
    """Recordings and calls by their desk's rules; what belongs to no desk by those of the main one."""

    def __init__(self, store: Store, desks: Mapping[str, Desk], clock: Clock, *, messages: Path, mails: Path) -> None:
        self._store, self._desks, self._clock = store, desks, clock
        self._messages, self._mails = messages, mails

    async def run(self, every_s: float = 3600.0, first_s: float = 120.0) -> None:
        """Erase until cancelled; at first when callers are long served."""
        await asyncio.sleep(first_s)
        while True:
            erased = 0
            try:
                erased = await self.once()
            except (Unavailable, OSError) as error:
                log.warning("personal data is erased later", error=str(error))
            # The rest of what is many, a little later.
            await asyncio.sleep(1.0 if erased else every_s)

    async def once(self) -> int:
        """Erase what is due, at most some hundred of each; how many. Raises StoreUnavailable, OSError."""
        now = self._clock()
        erased: dict[str, int] = {}
        for desk in self._desks.values():
            erased["messages"] = erased.get("messages", 0) + await self._recordings(desk, now)
            async with self._store.unit() as unit:
                before = now - timedelta(days=desk.keep.calls_days)
                for name, erase in (("calls", store.calls_of), ("callbacks", store.callbacks_of)):
                    erased[name] = erased.get(name, 0) + await erase(unit, desk.id, before)
                before = now - timedelta(days=desk.keep.tickets_days)
                erased["tickets"] = erased.get("tickets", 0) + await store.tickets_of(unit, desk.id, before)
        main: Keeping = next(iter(self._desks.values())).keep
        async with self._store.unit() as unit:
            erased["traces"] = await store.traces(unit, now - timedelta(days=main.traces_days))
            erased["languages"] = await store.languages(unit)
            erased["affected by incidents"] = await store.affected(unit, now - timedelta(days=main.tickets_days))
            erased["notices"] = await store.notices(unit, now - timedelta(days=main.notices_days))
            erased["texts"] = await store.inbound_texts(unit, now - timedelta(days=main.notices_days))
            erased["listenings"] = await store.listened(unit, now - timedelta(days=main.listenings_days))
            erased["hearings"] = await heard.erase(unit, now)
            erased["followers"] = await store.followers(unit, now - CLOSES_AFTER)
            erased["unconfirmed followers"] = await sms_followers.erase(unit, now)
            erased["subscribers"] = await subscribing.erase(unit, now)
            erased["report requests"] = await reports.erase(unit, now)
            erased["spendings"] = await budgets.erase(unit, now)
            erased["audit"] = await store.audited(unit, now - timedelta(days=main.listenings_days))
        erased["stray recordings"] = await self._strays(timedelta(days=main.messages_days))
        erased["mails"] = await self._erase_mails(now - timedelta(days=main.mails_days))
        total = sum(erased.values())
        if total:
            log.info("personal data is erased", **{name: count for name, count in erased.items() if count})
        return total

    async def _recordings(self, desk: Desk, now: datetime) -> int:
        async with self._store.reading() as unit:
            old = await store.recordings(unit, desk.id, now - timedelta(days=desk.keep.messages_days))
        for message_id, file in old:
            if Path(file).name == file:
                await asyncio.to_thread((self._messages / file).unlink, missing_ok=True)
            async with self._store.unit() as unit:
                await store.erase_message(unit, message_id)
        return len(old)

    async def _strays(self, longest: timedelta) -> int:
        """Recordings that are no message's: nobody spoke in them, or their ticket is gone. By their files' own age."""
        old = await asyncio.to_thread(_older, self._messages, time.time() - longest.total_seconds())
        async with self._store.reading() as unit:
            known = await store.known_files(unit, [path.name for path in old])
        strays = [path for path in old if path.name not in known]
        for path in strays:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return len(strays)

    async def _erase_mails(self, before: datetime) -> int:
        async with self._store.reading() as unit:
            old = await store.mails_before(unit, before)
        for mail_id, key in old:
            if Path(key).name == key:
                await asyncio.to_thread((self._mails / f"{key}.eml").unlink, missing_ok=True)
            async with self._store.unit() as unit:
                await store.erase_mail(unit, mail_id)
        return len(old)


def _older(folder: Path, than: float) -> list[Path]:
    """At most some hundred files of a folder that were last written before then, in seconds since 1970."""
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < than)
    return list(itertools.islice(files, _AT_ONCE))
