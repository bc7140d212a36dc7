"""The incidents' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, or_, select, tuple_, update

from ivr.incidents.model import Affected, Incident, Update
from ivr.incidents.tables import incident_updates, incidents
from ivr.store.engine import Unit


async def add(unit: Unit, values: Mapping[str, Any], first: Mapping[str, Any]) -> int:
    """Write a new incident with its first update; its id."""
    added: int = (
        await unit.execute(unit.insert(incidents).values({**values, "version": 1}).returning(incidents.c.id))
    ).scalar_one()
    await add_update(unit, added, first)
    return added


async def add_update(unit: Unit, incident_id: int, values: Mapping[str, Any]) -> int:
    """Write one more update; its id."""
    written = unit.insert(incident_updates).values({**values, "incident_id": incident_id})
    added: int = (await unit.execute(written.returning(incident_updates.c.id))).scalar_one()
    return added


async def change(unit: Unit, incident_id: int, version: int, **values: Any) -> bool:
    """Change an incident that is still `version`; whether it was."""
    mine = (incidents.c.id == incident_id) & (incidents.c.version == version)
    return (await unit.execute(update(incidents).where(mine).values(version=version + 1, **values))).rowcount == 1


async def is_known(unit: Unit, incident_id: int) -> bool:
    """Return whether there is such an incident."""
    return (await unit.execute(select(incidents.c.id).where(incidents.c.id == incident_id))).first() is not None


async def get(unit: Unit, incident_id: int) -> Incident | None:
    """One incident with its updates."""
    found = await _with_updates(
        unit, (await unit.execute(select(incidents).where(incidents.c.id == incident_id))).mappings().all()
    )
    if found:
        return found[0]
    return None


async def open_or_since(unit: Unit, since: datetime) -> list[Incident]:
    """All that are not resolved, or were so after `since`."""
    query = select(incidents).where(or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at > since))
    return await _with_updates(unit, (await unit.execute(query.order_by(incidents.c.id))).mappings().all())


async def resolved_since(unit: Unit, since: datetime) -> list[int]:
    """Return the ids of the incidents that were resolved after `since`."""
    return list((await unit.execute(select(incidents.c.id).where(incidents.c.resolved_at > since))).scalars())


async def page(
    unit: Unit, *, desk: str | None, is_open: bool | None, before: tuple[datetime, int] | None, limit: int
) -> list[Incident]:
    """A page of incidents, those that began last first."""
    query = select(incidents).order_by(incidents.c.started_at.desc(), incidents.c.id.desc()).limit(limit)
    if desk is not None:
        query = query.where(incidents.c.desk == desk)
    if is_open is not None:
        resolved = incidents.c.resolved_at
        query = query.where(resolved.is_(None) if is_open else resolved.is_not(None))
    if before is not None:
        query = query.where(tuple_(incidents.c.started_at, incidents.c.id) < before)
    return await _with_updates(unit, (await unit.execute(query)).mappings().all())


async def _with_updates(unit: Unit, rows: Sequence[RowMapping]) -> list[Incident]:
    table = incident_updates
    query = select(table).where(table.c.incident_id.in_([row["id"] for row in rows])).order_by(table.c.id)
    theirs: dict[int, list[Update]] = {row["id"]: [] for row in rows}
    for row in (await unit.execute(query)).mappings():
        values = {name: value for name, value in row.items() if name != "incident_id"}
        theirs[row["incident_id"]].append(Update(**values))
    return [
        Incident(
            id=row["id"],
            desk=row["desk"],
            title=row["title"],
            impact=row["impact"],
            services=tuple(row["services"]),
            components=tuple(row["components"]),
            affected=Affected(**{name: tuple(values) for name, values in row["affected"].items()}),
            started_at=row["started_at"],
            updates=tuple(theirs[row["id"]]),
            version=row["version"],
        )
        for row in rows
    ]
