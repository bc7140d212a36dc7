"""Tickets that are about an incident (OV-27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.incidents import sms_followers
from ivr.store.engine import Unit
from ivr.tickets import store
from ivr.tickets.intake_commit import LINE


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Counts of an incident: numbers that follow it, tickets about it, and open ones among these."""

    followers: int
    tickets: int
    open_tickets: int


async def hang(unit: Unit, call_id: str, incident_id: int, at: datetime) -> None:
    """Hang the call's ticket on the incident, when there is a ticket yet that is about none; else do nothing."""
    found = await store.find(unit, call_id=call_id)
    ticket = await store.lock(unit, found.number) if found is not None else None
    if ticket is None or ticket.incident_id is not None:
        return
    about = {"incident_id": incident_id}
    await store.note(unit, ticket, at=at, who=LINE, kind="changed", changes=about, values=about)


async def reach_of(unit: Unit, incident_id: int) -> Reach:
    """Count what came of an incident so far."""
    followers = await sms_followers.count(unit, incident_id)
    tickets, still_open = await store.count_about(unit, incident_id)
    return Reach(followers=followers, tickets=tickets, open_tickets=still_open)
