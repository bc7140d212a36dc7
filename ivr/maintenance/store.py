"""The maintenances' statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, or_, select, tuple_, update

from ivr.calendars.series import Version
from ivr.maintenance.model import Maintenance
from ivr.maintenance.tables import maintenance_events
from ivr.maintenance.tables import maintenances as table
from ivr.store.engine import Unit


async def add(unit: Unit, values: Mapping[str, Any]) -> int:
    """Write a new one; its id."""
    added: int = (await unit.execute(unit.insert(table).values(values).returning(table.c.id))).scalar_one()
    return added


async def change(unit: Unit, maintenance_id: int, version: int, values: Mapping[str, Any]) -> bool:
    """Change one that is still `version`; whether it was."""
    mine = (table.c.id == maintenance_id) & (table.c.version == version)
    return (await unit.execute(update(table).where(mine).values(version=version + 1, **values))).rowcount == 1


async def told(unit: Unit, maintenance_id: int, was: str, now: str) -> bool:
    """Everybody is being told of another state; whether nobody else was quicker."""
    mine = (table.c.id == maintenance_id) & (table.c.told == was)
    return (await unit.execute(update(table).where(mine).values(told=now))).rowcount == 1


async def get(unit: Unit, maintenance_id: int) -> Maintenance | None:
    """One."""
    row = (await unit.execute(select(table).where(table.c.id == maintenance_id))).mappings().one_or_none()
    if row is not None:
        return _of(row)
    return None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The event of a calendar that a maintenance came from, and its version."""

    event: str
    occurrence: str
    version: Version


async def keep_origin(unit: Unit, desk: str, maintenance_id: int, origin: Origin) -> None:
    """Remember where a maintenance came from; an earlier one of the same event is its own from now on."""
    sequence, stamped_at = origin.version
    new = {"maintenance_id": maintenance_id, "sequence": sequence, "stamped_at": stamped_at}
    key = {"desk": desk, "event": origin.event, "occurrence": origin.occurrence}
    put = unit.insert(maintenance_events).values(key | new)
    await unit.execute(put.on_conflict_do_update(index_elements=list(key), set_=new))


async def of_events(unit: Unit, desk: str, events: Iterable[str]) -> list[tuple[Origin, Maintenance]]:
    """A desk's maintenances that came from these events."""
    c = maintenance_events.c
    query = select(table, c.event, c.occurrence, c.sequence, c.stamped_at).join(maintenance_events)
    rows = await unit.execute(query.where(c.desk == desk, c.event.in_(list(events))))
    found = []
    for row in rows.mappings():
        version = row["sequence"], row["stamped_at"]
        origin = Origin(event=row["event"], occurrence=row["occurrence"], version=version)
        found.append((origin, _of({column.name: row[column.name] for column in table.c})))
    return found


async def open_or_since(unit: Unit, since: datetime) -> list[Maintenance]:
    """Those that are to come, go on, were over after `since`, or of whose end not everybody was told."""
    untold = table.c.told.in_(("scheduled", "in_progress"))
    query = select(table).where(or_(table.c.ends_at > since, untold)).order_by(table.c.starts_at, table.c.id)
    return _all((await unit.execute(query)).mappings())


async def page(unit: Unit, *, desk: str | None, before: tuple[datetime, int] | None, limit: int) -> list[Maintenance]:
    """A page, those that begin last first."""
    query = select(table).order_by(table.c.starts_at.desc(), table.c.id.desc()).limit(limit)
    if desk is not None:
        query = query.where(table.c.desk == desk)
    if before is not None:
        query = query.where(tuple_(table.c.starts_at, table.c.id) < before)
    return _all((await unit.execute(query)).mappings())


def _all(rows: Iterable[RowMapping]) -> list[Maintenance]:
    return [_of(row) for row in rows]


def _of(row: RowMapping | dict[str, Any]) -> Maintenance:
    lists = {name: tuple(row[name]) for name in ("services", "components")}
    return Maintenance(**(dict(row) | lists))
