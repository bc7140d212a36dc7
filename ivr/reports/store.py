"""The reports' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from ivr.reports.tables import incident_reports as reports
from ivr.reports.tables import report_requests as requests
from ivr.store.engine import Unit


async def get(unit: Unit, incident_id: int) -> dict[str, Any] | None:
    """Return the row of an incident's report."""
    row = (await unit.execute(select(reports).where(reports.c.incident_id == incident_id))).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None


async def put(unit: Unit, values: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Write a report; of one that is there only what is `changed`."""
    new = unit.insert(reports).values(values)
    await unit.execute(new.on_conflict_do_update(index_elements=["incident_id"], set_=changed))


async def settled(unit: Unit, incidents: Sequence[int]) -> set[int]:
    """Return which of these incidents have a report that is published, or was reminded of when it was overdue."""
    done = reports.c.published_at.is_not(None) | (reports.c.reminded == "overdue")
    query = select(reports.c.incident_id).where(reports.c.incident_id.in_(incidents), done)
    return set((await unit.execute(query)).scalars())


async def to_send(unit: Unit, limit: int) -> Sequence[Row[Any]]:
    """Return confirmed requests for published reports that were not served yet, the oldest first."""
    query = select(requests).join(reports, reports.c.incident_id == requests.c.incident_id)
    query = query.where(
        reports.c.published_at.is_not(None), requests.c.confirmed_at.is_not(None), requests.c.sent_at.is_(None)
    )
    return (await unit.execute(query.order_by(requests.c.id).limit(limit))).all()


async def sent(unit: Unit, request_id: int, at: datetime) -> None:
    """Note that a request is served."""
    await unit.execute(update(requests).where(requests.c.id == request_id).values(sent_at=at))


async def request(unit: Unit, incident_id: int, address: str) -> Row[Any] | None:
    """Return the row of an address's request."""
    return (await unit.execute(select(requests).where(_of(incident_id, address)))).one_or_none()


async def add_request(unit: Unit, values: Mapping[str, Any]) -> None:
    """Write a new request."""
    await unit.execute(unit.insert(requests).values(values))


async def asked_again(unit: Unit, incident_id: int, address: str, *, asked: int, at: datetime) -> None:
    """Note how often an address asked, and when it did last."""
    await unit.execute(update(requests).where(_of(incident_id, address)).values(asked=asked, asked_at=at))


async def confirm_for(unit: Unit, incident_id: int, address: str, at: datetime) -> None:
    """Confirm an address's request, unless it is already."""
    unconfirmed = _of(incident_id, address) & requests.c.confirmed_at.is_(None)
    await unit.execute(update(requests).where(unconfirmed).values(confirmed_at=at))


async def confirm(unit: Unit, incident_id: int, key: str, *, asked_after: datetime, at: datetime) -> bool:
    """Confirm the request with this key if it is confirmed or was asked for after a moment; return whether it was."""
    fresh = requests.c.confirmed_at.is_not(None) | (requests.c.asked_at > asked_after)
    mine = (requests.c.incident_id == incident_id) & (requests.c.key == key) & fresh
    confirmed = func.coalesce(requests.c.confirmed_at, at)
    return (await unit.execute(update(requests).where(mine).values(confirmed_at=confirmed))).rowcount == 1


async def count_confirmed(unit: Unit, incident_id: int) -> int:
    """Count the confirmed requests for an incident's report."""
    mine = (requests.c.incident_id == incident_id) & requests.c.confirmed_at.is_not(None)
    return int((await unit.execute(select(func.count()).select_from(requests).where(mine))).scalar_one())


async def may_read(unit: Unit, incident_id: int, key: str) -> bool:
    """Return whether a key is a confirmed request's for this incident's report."""
    mine = (requests.c.incident_id == incident_id) & (requests.c.key == key) & requests.c.confirmed_at.is_not(None)
    return (await unit.execute(select(requests.c.id).where(mine))).first() is not None


async def erase(unit: Unit, *, never_since: datetime, served_since: datetime) -> int:
    """Erase requests never confirmed since then, and those served before; return how many."""
    never = requests.c.confirmed_at.is_(None) & (requests.c.asked_at <= never_since)
    served = requests.c.sent_at <= served_since
    return int((await unit.execute(delete(requests).where(never | served))).rowcount)


def _of(incident_id: int, address: str) -> ColumnElement[bool]:
    return (requests.c.incident_id == incident_id) & (requests.c.address == address)
