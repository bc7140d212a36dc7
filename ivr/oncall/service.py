"""What is done with an emergency: somebody takes it, and its caller is called back (OV-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.errors import BadInput, NotFound
from ivr.events import EventBus
from ivr.notify.outbox import withdraw_sms
from ivr.oncall import store
from ivr.oncall.store import Emergency
from ivr.store.engine import Unit
from ivr.tickets import store as tickets
from ivr.tickets.service import Tickets, get

#: What text messages that page are about.
PAGE = "page"


class EmergencyNotFound(NotFound):
    """There is no such emergency."""


@dataclass(frozen=True, kw_only=True)
class Emergencies:
    """The emergencies of some desks."""

    desks: Mapping[str, Desk]
    bus: EventBus
    clock: Clock

    async def take(self, unit: Unit, emergency_id: int, *, by: str) -> Emergency:
        """Take an emergency: pages end, and its ticket is in progress. Taking it twice is taking it once.

        Raises EmergencyNotFound.
        """
        found, at = await _first(unit, emergency_id), self.clock()
        if found.taken_at is not None:
            return found
        await note_taken(unit, found.id, at=at, by=by)
        ticket = await get(unit, found.ticket_number)
        told = {"emergency": found.id}
        await tickets.add_event(
            unit, ticket.number, at=at, who=by, kind="emergency-taken", changes=told, version=ticket.version
        )
        if ticket.status in ("new", "documented", "reopened"):
            held = Tickets(desks=self.desks, bus=self.bus, clock=lambda: at)
            await held.change(unit, ticket.number, {"status": "in-progress"}, by=by, rights=False)
        taken = await _first(unit, found.id)
        unit.afterwards(lambda: self.bus.publish("emergency.taken", at, facts(taken)))
        return taken

    async def call_back(self, unit: Unit, emergency_id: int, *, by: str) -> Emergency:
        """Note that the caller was called back. Raises EmergencyNotFound, and BadInput before somebody has taken it."""
        found, at = await _first(unit, emergency_id), self.clock()
        if found.taken_at is None:
            raise BadInput(field="emergency", problem="nobody has taken it", mend="take it first: POST …/taken")
        if found.called_back_at is not None:
            return found
        await store.change(unit, found.id, {"called_back_at": at, "called_back_by": by})
        ticket = await get(unit, found.ticket_number)
        told = {"emergency": found.id}
        await tickets.add_event(
            unit, ticket.number, at=at, who=by, kind="called-back", changes=told, version=ticket.version
        )
        called = await _first(unit, found.id)
        unit.afterwards(lambda: self.bus.publish("emergency.called-back", at, facts(called)))
        return called


async def _first(unit: Unit, emergency_id: int) -> Emergency:
    """The emergency, or the one that it was merged into."""
    found = await store.lock(unit, emergency_id)
    if found is not None and found.merged_into is not None:
        found = await store.lock(unit, found.merged_into)
    if found is None:
        raise EmergencyNotFound(emergency=emergency_id)
    return found


async def note_taken(unit: Unit, emergency_id: int, *, at: datetime, by: str) -> None:
    """Write down who took an emergency; text messages that did not leave yet would wake people for nothing."""
    await store.change(unit, emergency_id, {"taken_at": at, "taken_by": by})
    await withdraw_sms(unit, texts_about(emergency_id), at=at)


def texts_about(emergency_id: int) -> str:
    """Return what the text messages that page for an emergency are about."""
    return f"{PAGE}.{emergency_id}"


def facts(emergency: Emergency) -> dict[str, object]:
    """Return an emergency as events tell it."""
    return {
        "emergency": emergency.id,
        "ticket": str(emergency.ticket_number),
        "desk": emergency.desk,
        "left_at": emergency.left_at,
        "taken_at": emergency.taken_at,
    }
