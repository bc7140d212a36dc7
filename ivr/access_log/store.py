"""The listenings' statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select, tuple_

from ivr.access_log.tables import listenings
from ivr.store.engine import Unit

Kind = Literal["message", "call-trace", "mail"]

#: A player asks for a recording piece by piece: what one person hears of it within this is one listening.
ONE_LISTENING = timedelta(minutes=5)


async def note(unit: Unit, *, kind: Kind, subject: str, who: str, at: datetime) -> None:
    """Note that somebody listens, before they hear anything."""
    mine = (listenings.c.kind == kind) & (listenings.c.subject == subject) & (listenings.c.who == who)
    recent = select(listenings.c.id).where(mine, listenings.c.at > at - ONE_LISTENING).limit(1)
    if (await unit.execute(recent)).first() is None:
        await unit.execute(unit.insert(listenings).values(kind=kind, subject=subject, who=who, at=at))


async def page(
    unit: Unit, *, kind: str | None, subject: str | None, before: tuple[datetime, int] | None, limit: int
) -> list[dict[str, Any]]:
    """Listenings, the latest first."""
    query = select(listenings).order_by(listenings.c.at.desc(), listenings.c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(listenings.c.kind == kind)
    if subject is not None:
        query = query.where(listenings.c.subject == subject)
    if before is not None:
        query = query.where(tuple_(listenings.c.at, listenings.c.id) < before)
    return [dict(row) for row in (await unit.execute(query)).mappings()]
