"""The announcements' statements."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from ivr.announcements.model import Announcement
from ivr.announcements.tables import announcements as table
from ivr.store.engine import Unit


async def not_ended(unit: Unit) -> list[Announcement]:
    """All that may be in force, now or later; those that expired long ago are among them."""
    rows = (await unit.execute(select(table).where(table.c.ended_at.is_(None)).order_by(table.c.id))).mappings()
    return [Announcement(**row) for row in rows]


async def add(unit: Unit, **values: Any) -> int:
    """Write a new one; its id."""
    added: int = (await unit.execute(unit.insert(table).values(values).returning(table.c.id))).scalar_one()
    return added


async def end(unit: Unit, announcement_id: int, *, at: datetime, who: str) -> None:
    """It is replaced, or no longer true."""
    change = update(table).where(table.c.id == announcement_id, table.c.ended_at.is_(None))
    await unit.execute(change.values(ended_at=at, ended_by=who))


async def reminded(unit: Unit, announcement_id: int, *, at: datetime) -> None:
    """Its age was brought to somebody's mind."""
    await unit.execute(update(table).where(table.c.id == announcement_id).values(reminded_at=at))


async def last_ends(unit: Unit) -> dict[str, tuple[datetime, str]]:
    """By desk, when an announcement was last ended, and by whom."""
    last = select(table.c.desk, func.max(table.c.ended_at).label("at")).group_by(table.c.desk).subquery()
    query = select(table.c.desk, table.c.ended_at, table.c.ended_by).join(
        last, (last.c.desk == table.c.desk) & (last.c.at == table.c.ended_at)
    )
    return {row.desk: (row.ended_at, row.ended_by or "") for row in await unit.execute(query.order_by(table.c.id))}
