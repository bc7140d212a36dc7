"""The night's statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from ivr.oncall import tables as t
from ivr.oncall.rota import Stint
from ivr.store.engine import Unit
from ivr.tickets.tables import messages


@dataclass(frozen=True, kw_only=True)
class Emergency:
    """An urgent message, and how far it has come."""

    id: int
    message_id: int
    ticket_number: int
    desk: str
    number: str | None
    merged_into: int | None
    left_at: datetime
    pages: int
    notified_at: datetime | None
    taken_at: datetime | None
    taken_by: str | None
    called_back_at: datetime | None
    called_back_by: str | None


async def overrides(unit: Unit, desk: str, start: datetime, end: datetime) -> list[tuple[int, Stint]]:
    """A desk's overrides that touch this time, with their ids, the earliest first."""
    table = t.oncall_overrides
    query = select(table).where(table.c.desk == desk, table.c.starts_at < end, table.c.ends_at > start)
    rows = await unit.execute(query.order_by(table.c.starts_at))
    return [(row.id, Stint(start=row.starts_at, end=row.ends_at, person=row.person, override=True)) for row in rows]


async def add_override(unit: Unit, desk: str, stint: Stint, *, who: str) -> int:
    """A new override's id."""
    values = {"desk": desk, "person": stint.person, "starts_at": stint.start, "ends_at": stint.end, "who": who}
    made: int = (
        await unit.execute(unit.insert(t.oncall_overrides).values(values).returning(t.oncall_overrides.c.id))
    ).scalar_one()
    return made


async def remove_override(unit: Unit, desk: str, override_id: int) -> bool:
    """Whether there was one."""
    table = t.oncall_overrides
    done = await unit.execute(table.delete().where(table.c.id == override_id, table.c.desk == desk))
    return done.rowcount == 1


async def new_messages(unit: Unit, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Urgent messages left since then that are no emergencies yet, the oldest first."""
    table = t.emergencies
    query = (
        select(messages)
        .outerjoin(table, table.c.message_id == messages.c.id)
        .where(messages.c.urgent, messages.c.created_at >= since, table.c.id.is_(None))
    )
    return [dict(row) for row in (await unit.execute(query.order_by(messages.c.id).limit(limit))).mappings()]


async def add(unit: Unit, values: Mapping[str, Any]) -> Emergency | None:
    """A new emergency; None when the message is one already."""
    statement = unit.insert(t.emergencies).values(values).on_conflict_do_nothing().returning(t.emergencies)
    row = (await unit.execute(statement)).mappings().one_or_none()
    return Emergency(**row) if row is not None else None


async def waiting(unit: Unit, since: datetime) -> list[Emergency]:
    """Emergencies left since then that nobody has taken, the oldest first."""
    table = t.emergencies
    query = select(table).where(table.c.taken_at.is_(None), table.c.merged_into.is_(None), table.c.left_at >= since)
    return [Emergency(**row) for row in (await unit.execute(query.order_by(table.c.id))).mappings()]


async def lock(unit: Unit, emergency_id: int) -> Emergency | None:
    """An emergency that nobody else changes until this transaction ends."""
    query = select(t.emergencies).where(t.emergencies.c.id == emergency_id).with_for_update()
    row = (await unit.execute(query)).mappings().one_or_none()
    return Emergency(**row) if row is not None else None


async def change(unit: Unit, emergency_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of an emergency, and of those that were merged into it."""
    table = t.emergencies
    which = (table.c.id == emergency_id) | (table.c.merged_into == emergency_id)
    await unit.execute(update(table).where(which).values(values))


async def left_between(unit: Unit, desk: str, start: datetime, end: datetime) -> list[Emergency]:
    """A desk's emergencies of a time, the oldest first."""
    table = t.emergencies
    query = select(table).where(table.c.desk == desk, table.c.left_at >= start, table.c.left_at < end)
    return [Emergency(**row) for row in (await unit.execute(query.order_by(table.c.id))).mappings()]
