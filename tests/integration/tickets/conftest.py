"""A database with the demo directory, the main desk, and a clock that stands where a test puts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.events import EventBus
from ivr.notify.tables import outbox
from ivr.store.engine import Store
from ivr.tickets import service
from ivr.tickets import store as statements
from ivr.tickets.model import Ticket
from ivr.tickets.sla_monitor import Clockwork
from tests.integration.api.conftest import filling

__all__ = ["filling"]

TORONTO = ZoneInfo("America/Toronto")

DOCUMENTED: Mapping[str, Any] = {
    "kind": "request",
    "desk": "omnivigil",
    "department": "support",
    "requester_name": "Marc Gagnon",
    "requester_phone": "418 555-0103",
    "account_number": "C-1003",
    "service": "Poste 12",
    "observed": "Ne sonne plus.",
}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).astimezone(UTC)


@dataclass
class Desk:
    """The desk's tickets: opened, changed and watched at the moments that a test says."""

    store: Store
    desks: Desks
    calendars: Mapping[str, Mapping[str, Calendar]]
    bus: EventBus = field(default_factory=EventBus)

    def clockwork(self, at: str) -> Clockwork:
        """A service that was started at this moment, in the desk's own time."""
        return Clockwork(self.store, self.desks, self.calendars, self.bus, lambda: local(at))

    async def watch(self, at: str) -> None:
        """Let a service look until there is nothing left to look at."""
        clockwork = self.clockwork(at)
        for _ in range(20):
            if await clockwork.once() == 0:
                return
        raise AssertionError("the clockwork never comes to rest")

    def tickets(self, at: datetime) -> service.Tickets:
        """What may be done to tickets at this moment."""
        return service.Tickets(desks=self.desks, bus=self.bus, clock=lambda: at)

    async def open(self, at: str, **fields: Any) -> int:
        async with self.store.unit() as unit:
            ticket, _ = await self.tickets(local(at)).create(unit, dict(DOCUMENTED) | fields, by="annie")
        return ticket.number

    async def change(self, number: int, at: str, **fields: Any) -> Ticket:
        asked = {name: fields.pop(name, None) for name in ("reason", "solution")}
        async with self.store.unit() as unit:
            return await self.tickets(local(at)).change(unit, number, fields, by="annie", **asked)

    async def ticket(self, number: int) -> Ticket:
        async with self.store.reading() as unit:
            return await service.get(unit, number)

    async def raised(self, number: int) -> list[tuple[str, int, str, datetime]]:
        """What the ticket's history tells of its clocks."""
        async with self.store.reading() as unit:
            history = await statements.events(unit, number)
        found = [(one["changes"], one["at"]) for one in history if one["kind"] == "alarm"]
        return [(told["clock"], told["level"], told["kind"], at) for told, at in found]

    async def mails(self) -> list[tuple[str, str]]:
        """The departments' e-mails about clocks."""
        async with self.store.reading() as unit:
            rows = await unit.execute(select(outbox.c.recipient, outbox.c.subject).order_by(outbox.c.id))
            return [(row.recipient, row.subject) for row in rows if "dépassé" in row.subject]


@pytest.fixture(scope="session")
def desks() -> Desks:
    return load_desks()


@pytest.fixture
def desk(store: Store, desks: Desks) -> Desk:
    return Desk(store=store, desks=desks, calendars={one.id: calendars_of(one) for one in desks.values()})
