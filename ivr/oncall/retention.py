"""The numbers of emergencies go with their voice messages; who was on call stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from ivr.oncall.tables import emergencies, oncall_events, oncall_overrides, page_calls
from ivr.retention.declarations import Belongs, PersonalData, Retention
from ivr.store.engine import Unit, batches


async def forget_of_messages(unit: Unit, ids: Sequence[Any]) -> None:
    """Erase the numbers in emergencies of these voice messages, and those that were called for them."""
    for some in batches(ids):
        mine = emergencies.c.message_id.in_(some)
        await unit.execute(update(emergencies).where(mine).values(number=None))
        called = page_calls.c.emergency_id.in_(select(emergencies.c.id).where(mine))
        await unit.execute(update(page_calls).where(called).values(number=""))


PERSONAL = PersonalData(
    tables=(
        Retention(
            table=emergencies,
            keep="messages_days",
            whose=("number",),
            belongs=(Belongs(column="message_id", table="messages", key="id"),),
            forget=forget_of_messages,
            forgotten_with="messages",
        ),
        Retention(table=page_calls, keep="messages_days"),
        Retention(table=oncall_overrides, rule="staff: who was on call"),
        Retention(table=oncall_events, rule="no names, only digests of a calendar's"),
    ),
)
