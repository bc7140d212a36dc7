"""Sends each update to those who asked to be told (OV-27), some at a time, and each once whatever happens.

Callers who pressed a key get one text message at each stage; subscribers of the status page get each update; when
operations want it, so do the administrators and the level 3 users of the partners that it affects. How far it has come
is written in the transaction that puts the messages into the outbox: the next process after a crash neither leaves
anybody out nor tells anybody twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import structlog
from sqlalchemy import func, select, update

from ivr.desk.schema import Desk
from ivr.directory import store as directory
from ivr.incidents.model import STAGE_NAMES, Stage
from ivr.incidents.tables import incident_followers as followers
from ivr.incidents.tables import incident_mailings as mailings
from ivr.incidents.tables import incident_updates, incidents
from ivr.notify.outbox import Sms, put_sms
from ivr.notify.store import left_to_send
from ivr.store.engine import Store, Unit
from ivr.subscriptions import delivery

log = structlog.get_logger()

Audience = Literal["followers", "subscribers", "partners"]

#: No more messages than these wait to leave at a time, so that the one that pages a technician is not the
#: five-thousandth.
AT_A_TIME = 50
#: What each is written to by.
_BY: Final[Mapping[Audience, tuple[str, ...]]] = {
    "followers": ("sms",),
    "subscribers": ("email", "sms"),
    "partners": ("sms",),
}
#: Databases take no statement with more values than these.
_IN_ONE: Final = 500
#: What could not be written to all within this is old news; ops read of it in the log.
_WORTH: Final = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class _Mailing:
    update_id: int
    audience: Audience
    after_id: int
    until_id: int
    incident_id: int
    stage: Stage
    texts: Mapping[str, str]
    at: datetime
    desk: str
    title: Mapping[str, str]
    services: Sequence[str]
    affected: Mapping[str, Sequence[Any]]


async def begin(
    unit: Unit, desk: str, incident_id: int, update_id: int, *, new_stage: bool, partners: bool = False
) -> None:
    """Have all who asked for it by now be told of an update, in the transaction that writes it.

    `partners` when partners are to be warned by text message.
    """
    lasts: dict[Audience, int | None] = {"subscribers": (await unit.execute(delivery.last(desk))).scalar_one()}
    if new_stage:
        last = select(func.max(followers.c.id)).where(followers.c.incident_id == incident_id)
        lasts["followers"] = (await unit.execute(last)).scalar_one()
    if partners:
        lasts["partners"] = await directory.last_person(unit)
    for audience, until in lasts.items():
        if until is not None:
            row = {"update_id": update_id, "audience": audience, "after_id": 0, "until_id": until}
            await unit.execute(unit.insert(mailings).values(row))


async def go_on(store: Store, desks: Mapping[str, Desk], now: datetime, *, public_url: str | None = None) -> int:
    """Put the next messages into the outbox; how many. `public_url` is where readers find us.

    Raises StoreUnavailable.
    """
    # One audience does not wait for the other: their messages leave by different ways.
    return sum([await _go_on(store, desks, now, public_url or "", audience) for audience in _BY])


async def is_left(store: Store) -> bool:
    """Return whether somebody is still to be written to. Raises StoreUnavailable."""
    async with store.reading() as unit:
        return any([await _next(unit, audience) is not None for audience in _BY])


async def _go_on(store: Store, desks: Mapping[str, Desk], now: datetime, public_url: str, audience: Audience) -> int:
    async with store.reading() as unit:
        if await _next(unit, audience) is None:
            return 0
    async with store.unit() as unit:
        await unit.alone("incident mailings", audience)
        one = await _next(unit, audience)
        if one is None:
            return 0
        if now - one.at > _WORTH or one.desk not in desks:
            await _reach(unit, one, one.after_id, now)
            log.error(
                "incident update not delivered to everybody in time",
                event_id="OV1901",
                incident=one.incident_id,
                audience=audience,
            )
            return 0
        free = AT_A_TIME - await left_to_send(unit, _BY[audience])
        if free <= 0:
            return 0
        if audience == "followers":
            found = await _to_followers(unit, one, desks[one.desk], free, now)
        elif audience == "partners":
            found = await _to_partners(unit, one, desks[one.desk], free, now)
        else:
            found = await _to_subscribers(unit, one, desks[one.desk], free, now, public_url)
        reached = found[-1] if found else one.until_id
        await _reach(unit, one, reached, now if reached >= one.until_id else None)
    return len(found)


async def _to_followers(unit: Unit, one: _Mailing, desk: Desk, most: int, now: datetime) -> list[int]:
    mine = (followers.c.incident_id == one.incident_id) & followers.c.id.between(one.after_id + 1, one.until_id)
    mine &= followers.c.confirmed_at.is_not(None)
    found = (await unit.execute(select(followers).where(mine).order_by(followers.c.id).limit(most))).all()
    for follower in found:
        language = _language(one, desk, follower.language)
        body = delivery.message(desk.name, one.texts[language], language)
        await put_sms(unit, Sms(to=follower.number, body=body, language=language), at=now)
    return [follower.id for follower in found]


async def _to_partners(unit: Unit, one: _Mailing, desk: Desk, most: int, now: datetime) -> list[int]:
    """Those of the partners that are named, or whose customers or numbers are; of all when nobody is."""
    named = None
    if any(one.affected.values()):
        named = await _partners(unit, one.affected, desk.provider)
    found = await directory.warned(
        unit, desk.provider, after_id=one.after_id, until_id=one.until_id, limit=most, partners=named
    )
    for person in found:
        language = _language(one, desk, person.language)
        body = delivery.message(desk.name, one.texts[language], language)
        await put_sms(unit, Sms(to=person.mobile, body=body, language=language), at=now)
    return [person.id for person in found]


def _language(one: _Mailing, desk: Desk, wanted: str | None) -> str:
    """Theirs, or the first of the desk's in which it was said: databases keep no order of the texts."""
    return next(each for each in (wanted, *desk.languages, *one.texts) if each is not None and each in one.texts)


async def _partners(unit: Unit, affected: Mapping[str, Sequence[Any]], provider: str) -> set[int]:
    touched = {*affected.get("customers", ())}
    dialled = list(affected.get("numbers", ()))
    for n in range(0, len(dialled), _IN_ONE):
        touched |= await directory.owners_of(unit, provider, dialled[n : n + _IN_ONE])
    found, left = {*affected.get("partners", ())}, list(touched)
    for n in range(0, len(left), _IN_ONE):
        found |= await directory.partners_of(unit, left[n : n + _IN_ONE])
    return found


async def _to_subscribers(
    unit: Unit, one: _Mailing, desk: Desk, most: int, now: datetime, public_url: str
) -> list[int]:
    news = delivery.News(
        desk=desk.id,
        desk_name=desk.name,
        stage={language: names[one.stage] for language, names in STAGE_NAMES.items()},
        title=one.title,
        texts=one.texts,
        services=one.services,
        path=f"incidents/{one.incident_id}",
    )
    return await delivery.tell(
        unit, news, after_id=one.after_id, until_id=one.until_id, most=most, now=now, public_url=public_url
    )


async def _next(unit: Unit, audience: Audience) -> _Mailing | None:
    """The oldest mailing that is not done: updates are told in their order."""
    query = (
        select(
            mailings.c.update_id,
            mailings.c.audience,
            mailings.c.after_id,
            mailings.c.until_id,
            incident_updates.c.incident_id,
            incident_updates.c.stage,
            incident_updates.c.texts,
            incident_updates.c.at,
            incidents.c.desk,
            incidents.c.title,
            incidents.c.services,
            incidents.c.affected,
        )
        .join(incident_updates, incident_updates.c.id == mailings.c.update_id)
        .join(incidents, incidents.c.id == incident_updates.c.incident_id)
        .where(mailings.c.done_at.is_(None), mailings.c.audience == audience)
        .order_by(mailings.c.update_id)
        .limit(1)
    )
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is not None:
        return _Mailing(**row)
    return None


async def _reach(unit: Unit, one: _Mailing, reached: int, done_at: datetime | None) -> None:
    mine = (mailings.c.update_id == one.update_id) & (mailings.c.audience == one.audience)
    await unit.execute(update(mailings).where(mine).values(after_id=reached, done_at=done_at))
