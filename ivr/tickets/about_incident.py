"""A caller asked to be told of an incident: the call's ticket is about it (OV-27)."""

from __future__ import annotations

from datetime import datetime

from ivr.store.engine import Unit
from ivr.tickets import store
from ivr.tickets.intake_commit import LINE


async def hang(unit: Unit, call_id: str, incident_id: int, at: datetime) -> None:
    """Hang the call's ticket on the incident, when there is a ticket yet that is about none; else do nothing."""
    found = await store.find(unit, call_id=call_id)
    ticket = await store.lock(unit, found.number) if found is not None else None
    if ticket is None or ticket.incident_id is not None:
        return
    version = ticket.version + 1
    values = {"incident_id": incident_id, "version": version, "updated_at": at}
    await store.change(unit, ticket.number, values)
    changes = {"incident_id": incident_id}
    await store.add_event(unit, ticket.number, at=at, who=LINE, kind="changed", changes=changes, version=version)
