"""E-mails staff, once, about a message left out of hours and not answered by the promised moment (OV-7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.isolation import apart
from ivr.notify.outbox import put_email
from ivr.store.engine import Store, Unit
from ivr.tickets import sla_store, store
from ivr.tickets.emails import overdue_email
from ivr.tickets.model import OPEN, Ticket
from ivr.tickets.routing import FIRST_LEVEL
from ivr.tickets.sla_monitor import CLOCK, address_of
from ivr.ticks import rest

log = structlog.get_logger()

_BATCH = 50


class Overdue:
    """Looks for broken promises while the department is open: one that ends with the day is told in the morning."""

    def __init__(
        self,
        database: Store,
        desks: Mapping[str, Desk],
        calendars: Mapping[str, Mapping[str, Calendar]],
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store, self._desks, self._calendars = database, desks, calendars
        self._bus, self._clock = bus, clock

    async def run(self, every_s: float = 30.0) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("promise check postponed", error=str(error))
            await rest(every_s)

    async def once(self) -> int:
        """Tell of what was promised until now; how many. Raises StoreUnavailable."""
        now = self._clock()
        async with self._store.reading() as unit:
            late = await store.promised_by(unit, now, _BATCH)
        told = 0
        for ticket in late:
            desk, calendar = self._desks.get(ticket.desk), self._calendars.get(ticket.desk, {}).get(ticket.department)
            if desk is None or calendar is None or not calendar.is_open(now):
                continue
            with apart("promise breach e-mail not queued; retrying", ticket.number):
                async with self._store.unit() as unit:
                    told += await self._tell(unit, desk, ticket.number, now)
        return told

    async def _tell(self, unit: Unit, desk: Desk, number: int, now: datetime) -> bool:
        ticket = await store.lock(unit, number)
        if ticket is None or not _broken(ticket, now) or not await sla_store.keep_promise_alarm(unit, ticket, at=now):
            return False
        told = {"clock": "due", "level": ticket.level or FIRST_LEVEL, "kind": "breach", "due_at": ticket.promised_at}
        await store.add_event(unit, number, at=now, who=CLOCK, kind="alarm", changes=told, version=ticket.version)
        to = address_of(desk, ticket, ticket.level or FIRST_LEVEL)
        await put_email(unit, overdue_email(ticket, to, desk.zone, language=desk.languages[0]), at=now)
        unit.afterwards(lambda: self._bus.publish("ticket.alarm", now, ticket.brief() | {"alarm": told}))
        return True


def _broken(ticket: Ticket, now: datetime) -> bool:
    """Return whether the promised moment has passed without an answer."""
    late = ticket.promised_at is not None and ticket.promised_at <= now
    return late and ticket.answered_at is None and ticket.status in OPEN
