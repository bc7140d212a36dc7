"""The statements of e-mails that came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from ivr.mail.tables import mails
from ivr.notify.store import emails_sent
from ivr.store.engine import Unit

_BRIEF = [column for column in mails.c if column.name not in ("body", "key", "copied")]

#: Whoever answers an e-mail of ours within this time does so at once, as programs do.
AT_ONCE = timedelta(minutes=2)


async def add(unit: Unit, values: Mapping[str, Any]) -> int | None:
    """A new e-mail's id; None when it came in before."""
    statement = unit.insert(mails).values(values).on_conflict_do_nothing().returning(mails.c.id)
    found: int | None = (await unit.execute(statement)).scalar_one_or_none()
    return found


async def by_key(unit: Unit, key: str) -> dict[str, Any] | None:
    """The e-mail that came in under this key."""
    row = (await unit.execute(select(*_BRIEF).where(mails.c.key == key))).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None


async def get(unit: Unit, mail_id: int) -> dict[str, Any] | None:
    """An e-mail with its text and key."""
    row = (await unit.execute(select(mails).where(mails.c.id == mail_id))).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None


async def page(
    unit: Unit,
    *,
    filters: Mapping[str, Any],
    before: int | None,
    limit: int,
    outcomes: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """E-mails that match every filter, the newest first, with ids below `before`; of some `outcomes` only."""
    query = select(*_BRIEF).order_by(mails.c.id.desc()).limit(limit)
    if outcomes is not None:
        query = query.where(mails.c.outcome.in_(outcomes))
    for name, value in filters.items():
        query = query.where(mails.c[name] == value)
    if before is not None:
        query = query.where(mails.c.id < before)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def count_since(unit: Unit, since: datetime, sender: str | None = None) -> int:
    """Return how many came in since then, from one sender or from all."""
    query = select(func.count()).select_from(mails).where(mails.c.at > since)
    if sender is not None:
        query = query.where(mails.c.sender == sender)
    return int((await unit.execute(query)).scalar_one())


async def bytes_since(unit: Unit, since: datetime) -> int:
    """Return how many bytes came in since then."""
    query = select(func.coalesce(func.sum(mails.c.size), 0)).where(mails.c.at > since)
    return int((await unit.execute(query)).scalar_one())


async def of_ticket(unit: Unit, ticket_number: int, limit: int) -> list[dict[str, Any]]:
    """The latest e-mails of a ticket with their texts, the oldest first."""
    query = select(mails).where(mails.c.ticket_number == ticket_number).order_by(mails.c.id.desc()).limit(limit)
    return [dict(row) for row in (await unit.execute(query)).mappings()][::-1]


async def with_message_ids(unit: Unit, message_ids: Sequence[str]) -> list[dict[str, Any]]:
    """E-mails about tickets that have one of these Message-IDs: ticket, sender and whom else they were sent to."""
    query = (
        select(mails.c.ticket_number, mails.c.sender, mails.c.copied)
        .where(mails.c.message_id.in_(message_ids), mails.c.ticket_number.is_not(None))
        .order_by(mails.c.id.desc())
        .limit(20)
    )
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def opened_by(unit: Unit, sender: str, *, reason: str | None = None, since: datetime | None = None) -> int | None:
    """The last ticket that an e-mail of this sender opened, for a reason or since then."""
    query = select(mails.c.ticket_number).where(mails.c.sender == sender, mails.c.outcome == "opened")
    query = query.where(mails.c.ticket_number.is_not(None))
    if reason is not None:
        query = query.where(mails.c.reason == reason)
    if since is not None:
        query = query.where(mails.c.at > since)
    found: int | None = (await unit.execute(query.order_by(mails.c.id.desc()).limit(1))).scalar_one_or_none()
    return found


async def answers_at_once(unit: Unit, sender: str, *, since: datetime, now: datetime) -> int:
    """Return how many e-mails of this sender, one that comes now among them, came right after one of ours had left."""
    sent = await emails_sent(unit, sender, since=since - AT_ONCE, limit=500)
    if not sent:
        return 0
    came = select(mails.c.at).where(mails.c.sender == sender, mails.c.at > since, mails.c.outcome != "ignored")
    moments = [*(await unit.execute(came.limit(500))).scalars(), now]
    return sum(1 for at in moments if any(moment <= at <= moment + AT_ONCE for moment in sent))


async def last_from(unit: Unit, ticket_number: int, sender: str) -> str | None:
    """Message-ID of what this address last wrote about this ticket."""
    query = (
        select(mails.c.message_id)
        .where(mails.c.ticket_number == ticket_number, mails.c.sender == sender.lower())
        .order_by(mails.c.id.desc())
        .limit(1)
    )
    found: str | None = (await unit.execute(query)).scalar_one_or_none()
    return found
