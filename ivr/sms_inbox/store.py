"""The statements of text messages that came in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from ivr.sms_inbox.tables import texts
from ivr.store.engine import Unit


async def reply_to(unit: Unit, key: str) -> str | None:
    """Return what the message of this key was answered; empty for nothing, None for one that is not known."""
    found: str | None = (await unit.execute(select(texts.c.reply).where(texts.c.key == key))).scalar_one_or_none()
    return found


async def add(unit: Unit, values: Mapping[str, Any]) -> None:
    """Write a message, unless its key has one already."""
    await unit.execute(unit.insert(texts).values(values).on_conflict_do_nothing())


async def count_answered(unit: Unit, *, since: datetime, sender: str | None = None) -> int:
    """Count the messages that came in after `since` and were answered, of one sender or of all."""
    query = select(func.count()).select_from(texts).where(texts.c.reply != "", texts.c.at > since)
    if sender is not None:
        query = query.where(texts.c.sender == sender)
    return int((await unit.execute(query)).scalar_one())


async def page(unit: Unit, *, sender: str | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Texts that came in, from one sender or from all, the newest first, with ids below `before`."""
    query = select(texts).order_by(texts.c.id.desc()).limit(limit)
    if sender is not None:
        query = query.where(texts.c.sender == sender)
    if before is not None:
        query = query.where(texts.c.id < before)
    return [dict(row) for row in (await unit.execute(query)).mappings()]
