"""What becomes of maintenance, to the subscribers of the status page: some at a time, each once (OV-29)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from babel.dates import format_date
from sqlalchemy import select, update

from ivr import wording
from ivr.desk.schema import Desk
from ivr.maintenance import store as statements
from ivr.maintenance.model import STATE_NAMES, Maintenance, News
from ivr.maintenance.tables import maintenance_mailings as table
from ivr.notify.store import left_to_send
from ivr.store.engine import Store, Unit
from ivr.subscriptions import delivery
from ivr.typography import time_of_day

log = structlog.get_logger()

#: No more messages than these wait to leave at a time.
AT_A_TIME = 50
#: What could not be written to all within this is old news.
_WORTH: Final = timedelta(hours=6)
#: In English "p.m." brings its own stop.
_WINDOW: Final = wording.text("maintenance.window")
_OVER: Final = "{stage}. {text}"
_FORMATS: Final = wording.text("maintenance.day_format")


async def begin(unit: Unit, one: Maintenance, news: News, now: datetime) -> None:
    """Have all who are subscribed now be told, in the transaction that changes it."""
    until = (await unit.execute(delivery.last(one.desk))).scalar_one()
    if until is not None:
        row = {"maintenance_id": one.id, "news": news, "at": now, "after_id": 0, "until_id": until}
        await unit.execute(unit.insert(table).values(row))


async def go_on(store: Store, desks: Mapping[str, Desk], now: datetime, *, public_url: str) -> bool:
    """Put the next messages into the outbox; whether somebody is still to be written to. Raises StoreUnavailable."""
    waits = select(table).where(table.c.done_at.is_(None)).order_by(table.c.id).limit(1)
    async with store.reading() as unit:
        if (await unit.execute(waits)).first() is None:
            return False
    async with store.unit() as unit:
        await unit.alone("maintenance mailings")
        row = (await unit.execute(waits)).one_or_none()
        if row is None:
            return False
        one = await statements.get(unit, row.maintenance_id)
        reached, done = row.after_id, True
        if one is None or one.desk not in desks or now - row.at > _WORTH:
            log.error(
                "maintenance notice not delivered to everybody in time",
                event_id="OV1901",
                maintenance=row.maintenance_id,
            )
        else:
            free = AT_A_TIME - await left_to_send(unit, ("sms", "email"))
            if free <= 0:
                return True
            news = news_of(one, desks[one.desk], row.news)
            found = await delivery.tell(
                unit,
                news,
                after_id=row.after_id,
                until_id=row.until_id,
                most=free,
                now=now,
                public_url=public_url,
            )
            reached = found[-1] if found else row.until_id
            done = reached >= row.until_id
        change = update(table).where(table.c.id == row.id)
        await unit.execute(change.values(after_id=reached, done_at=now if done else None))
    return True


def news_of(one: Maintenance, desk: Desk, news: News) -> delivery.News:
    """Return what subscribers read: the state, the text, and the window in the desk's own time."""
    texts = {}
    for language, text in one.texts.items():
        stage = STATE_NAMES[language][news]
        if news in ("scheduled", "changed", "in_progress"):
            form = _WINDOW[language]
        else:
            form = _OVER
        start, end = (_said(at, desk, language) for at in (one.starts_at, one.ends_at))
        texts[language] = form.format(stage=stage, text=text, start=start, end=end)
    return delivery.News(
        desk=desk.id,
        desk_name=desk.name,
        stage={language: names[news] for language, names in STATE_NAMES.items()},
        title=one.title,
        texts=texts,
        services=one.services,
        path=f"maintenances/{one.id}",
        sms=one.sms,
    )


def _said(at: datetime, desk: Desk, language: str) -> str:
    day = format_date(at.astimezone(desk.zone), _FORMATS[language], locale=f"{language}_CA")
    return day + time_of_day(at, desk.zone, language)
