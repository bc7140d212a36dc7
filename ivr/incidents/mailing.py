"""One text message for each follower at each stage (OV-27), some at a time, and each once whatever happens.

How far it has come is written in the transaction that puts the messages into the outbox: whoever goes on after a crash
neither leaves anybody out nor tells anybody twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select, update

from ivr.desk.schema import Desk
from ivr.incidents.tables import incident_followers as followers
from ivr.incidents.tables import incident_mailings as mailings
from ivr.incidents.tables import incident_updates, incidents
from ivr.notify.outbox import Sms, put_sms
from ivr.notify.tables import outbox
from ivr.store.engine import Store, Unit

log = structlog.get_logger()

#: No more text messages than these wait for the provider at a time, so that one that pages a technician is not the
#: five-thousandth.
AT_A_TIME = 50
#: What could not be written to all within this is old news; ops read of it in the log.
_WORTH: Final = timedelta(hours=6)

_STOP: Final = {"fr": "Répondez ARRET pour ne plus recevoir de textos.", "en": "Reply STOP to opt out."}
_COLON: Final = {"fr": " : ", "en": ": "}


@dataclass(frozen=True, kw_only=True)
class _Mailing:
    update_id: int
    incident_id: int
    desk: str
    texts: Mapping[str, str]
    after_id: int
    until_id: int
    at: datetime


async def begin(unit: Unit, incident_id: int, update_id: int) -> None:
    """Have all who follow an incident now be told of an update, in the transaction that writes it."""
    last = select(func.max(followers.c.id)).where(followers.c.incident_id == incident_id)
    until = (await unit.execute(last)).scalar_one()
    if until is not None:
        await unit.execute(unit.insert(mailings).values(update_id=update_id, after_id=0, until_id=until))


async def go_on(store: Store, desks: Mapping[str, Desk], now: datetime) -> int:
    """Put the next messages into the outbox; how many. Raises StoreUnavailable."""
    async with store.reading() as unit:
        if await _next(unit) is None:
            return 0
    async with store.unit() as unit:
        await unit.alone("incident mailings")
        one = await _next(unit)
        if one is None:
            return 0
        if now - one.at > _WORTH:
            await _reach(unit, one, one.after_id, now)
            log.error("followers not told of an update: text messages did not leave in time", incident=one.incident_id)
            return 0
        waiting = (outbox.c.kind == "sms") & outbox.c.state.in_(("pending", "leased", "sending"))
        free = AT_A_TIME - (await unit.execute(select(func.count()).select_from(outbox).where(waiting))).scalar_one()
        if free <= 0:
            return 0
        mine = (followers.c.incident_id == one.incident_id) & followers.c.id.between(one.after_id + 1, one.until_id)
        found = (await unit.execute(select(followers).where(mine).order_by(followers.c.id).limit(free))).all()
        for follower in found:
            language = follower.language if follower.language in one.texts else next(iter(one.texts))
            text = message(desks[one.desk].name, one.texts[language], language)
            await put_sms(unit, Sms(to=follower.number, body=text, language=language), at=now)
        reached = found[-1].id if found else one.until_id
        await _reach(unit, one, reached, now if reached >= one.until_id else None)
    return len(found)


def message(sender: str, text: str, language: str) -> str:
    """What a follower reads."""
    known = language if language in _STOP else "fr"
    return f"{sender}{_COLON[known]}{text} {_STOP[known]}"


async def _next(unit: Unit) -> _Mailing | None:
    """The oldest mailing that is not done: stages are told in their order."""
    query = (
        select(
            mailings.c.update_id,
            mailings.c.after_id,
            mailings.c.until_id,
            incident_updates.c.incident_id,
            incident_updates.c.texts,
            incident_updates.c.at,
            incidents.c.desk,
        )
        .join(incident_updates, incident_updates.c.id == mailings.c.update_id)
        .join(incidents, incidents.c.id == incident_updates.c.incident_id)
        .where(mailings.c.done_at.is_(None))
        .order_by(mailings.c.update_id)
        .limit(1)
    )
    row = (await unit.execute(query)).mappings().one_or_none()
    return _Mailing(**row) if row is not None else None


async def _reach(unit: Unit, one: _Mailing, reached: int, done_at: datetime | None) -> None:
    mine = mailings.c.update_id == one.update_id
    await unit.execute(update(mailings).where(mine).values(after_id=reached, done_at=done_at))
