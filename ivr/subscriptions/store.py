"""The subscribers' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, select, update

from ivr.store.engine import Unit
from ivr.subscriptions.rules import Kind
from ivr.subscriptions.tables import status_subscribers as table


async def find(unit: Unit, desk: str, kind: Kind, address: str) -> RowMapping | None:
    """Return the row of an address at a desk."""
    return (await unit.execute(select(table).where(_of(desk, kind, address)))).mappings().one_or_none()


async def add(unit: Unit, values: Mapping[str, Any]) -> None:
    """Write a new subscriber."""
    await unit.execute(unit.insert(table).values(values))


async def change(unit: Unit, subscriber_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a subscriber."""
    await unit.execute(update(table).where(table.c.id == subscriber_id).values(values))


async def confirmed_reader(unit: Unit, desk: str, secret: str) -> int | None:
    """Return the id of the confirmed e-mail address whose secret's digest this is."""
    mine = (table.c.desk == desk) & (table.c.kind == "email") & (table.c.secret == secret)
    query = select(table.c.id).where(mine, table.c.confirmed_at.is_not(None))
    found: int | None = (await unit.execute(query)).scalar_one_or_none()
    return found


async def count_try(unit: Unit, desk: str, number: str, *, most: int) -> bool:
    """Count a try of a number's code; return False when there were `most` already, or no code waits."""
    left = _of(desk, "sms", number) & table.c.secret.is_not(None) & (table.c.tries < most)
    return (await unit.execute(update(table).where(left).values(tries=table.c.tries + 1))).rowcount == 1


async def confirm(
    unit: Unit, desk: str, kind: Kind, secret: str, *, asked_after: datetime, at: datetime, address: str | None = None
) -> bool:
    """Confirm who has this secret's digest, of one address or of any, if they asked lately; return whether one did.

    An e-mail's link stays good, so that following it twice does no harm.
    """
    mine = (table.c.desk == desk) & (table.c.kind == kind) & (table.c.secret == secret)
    if address is not None:
        mine &= table.c.address == address
    fresh = table.c.asked_at > asked_after
    return (await unit.execute(update(table).where(mine, fresh).values(confirmed_at=at))).rowcount == 1


async def leave(unit: Unit, token: str) -> bool:
    """Remove the subscriber with this token; return whether there was one."""
    return (await unit.execute(delete(table).where(table.c.leave == token))).rowcount > 0


async def forget(unit: Unit, subscriber_id: int) -> bool:
    """Remove a subscriber; return whether there was one."""
    return (await unit.execute(delete(table).where(table.c.id == subscriber_id))).rowcount > 0


async def page(unit: Unit, *, desk: str | None, after: int, limit: int) -> Sequence[RowMapping]:
    """Return subscribers with ids above `after`, the oldest first."""
    query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    if desk is not None:
        query = query.where(table.c.desk == desk)
    return (await unit.execute(query)).mappings().all()


async def erase_unconfirmed(unit: Unit, asked_before: datetime) -> int:
    """Erase those who asked before then and never confirmed; return how many."""
    old = table.c.confirmed_at.is_(None) & (table.c.asked_at <= asked_before)
    return int((await unit.execute(delete(table).where(old))).rowcount)


def _of(desk: str, kind: Kind, address: str) -> ColumnElement[bool]:
    return (table.c.desk == desk) & (table.c.kind == kind) & (table.c.address == address)
