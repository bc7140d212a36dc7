"""Retention of the numbers of callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update

from ivr.callbacks.tables import callback_offers, callbacks
from ivr.retention.declarations import DeskSweep, PersonalData, Retention, Row
from ivr.store.engine import Unit, batches


async def erase(unit: Unit, desk: str, before: datetime) -> int:
    """Erase the numbers of callbacks that are over. How many."""
    old = (callbacks.c.desk == desk) & (callbacks.c.requested_at < before) & callbacks.c.ended_at.is_not(None)
    blank = update(callbacks).where(old, callbacks.c.number != "").values(number="", identity={})
    return (await unit.execute(blank)).rowcount


async def forget_callbacks(unit: Unit, ids: Sequence[Any]) -> None:
    """Erase the numbers of callbacks that are over."""
    for some in batches(ids):
        await unit.execute(update(callbacks).where(callbacks.c.id.in_(some)).values(number="", identity={}))


def _to_be_made(row: Row) -> bool:
    return row["ended_at"] is None


PERSONAL = PersonalData(
    tables=(
        Retention(
            table=callbacks,
            keep="calls_days",
            whose=("number", "identity"),
            forget=forget_callbacks,
            waits=(_to_be_made, "are still to be made: cancel them, or repeat this later"),
        ),
    ),
    impersonal=(callback_offers,),
    desk_sweeps=(DeskSweep(name="callbacks", erase=erase, keep="calls_days"),),
)
