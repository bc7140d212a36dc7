"""Watches the running clocks: warnings, breaches and moves to the next level, each exactly once (OV-14, OV-15).

What is raised is committed together with its event, its e-mail and the key that says that it was. A service that was
away raises what has become due since, in working hours unless the ticket is urgent, and of each clock the gravest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.desk.ticketing import Ticketing
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.isolation import apart
from ivr.notify.outbox import put_email
from ivr.store.engine import Store, Unit
from ivr.tickets import sla_store, store
from ivr.tickets.emails import alarm_email
from ivr.tickets.model import Ticket
from ivr.tickets.routing import FIRST_LEVEL, LAST_LEVEL
from ivr.tickets.sla import Alarm, Name, Span, alarms, due, limits_of
from ivr.ticks import rest

log = structlog.get_logger()

#: Who did it, in a ticket's history, when time did.
CLOCK = "clock"

#: Tickets that are looked at together; few, since calls wait meanwhile.
_BATCH = 50
#: One that cannot be dealt with is tried again after this long, and does not stand in the others' way.
_SET_ASIDE = timedelta(minutes=10)
#: Seconds until a database that was away is asked again.
_RETRY_S = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The alarm that a ticket's clocks ask for now, and when to look at them again; None for never."""

    alarm: Alarm | None
    again: datetime | None


def decide(
    ticket: Ticket,
    spans: Mapping[Name, list[Span]],
    raised: set[tuple[str, int, str]],
    policy: Ticketing,
    calendar: Calendar,
    now: datetime,
) -> Decision:
    """Return what is to be raised now. Staff are not disturbed out of hours for what is not urgent."""
    level = ticket.level or FIRST_LEVEL
    found = [
        alarm
        for clock, ledger_ in spans.items()
        for alarm in alarms(clock, level, ledger_, limits_of(policy, clock, level), calendar, raised)
    ]
    alarm = due(found, now)
    if alarm is not None and ticket.priority != "urgente" and not calendar.is_open(now):
        return Decision(alarm=None, again=calendar.next_opening(now))
    return Decision(alarm=alarm, again=min((one.at for one in found if one.at > now), default=None))


def _told(desk: Desk, ticket: Ticket, alarm: Alarm, moved_to: int | None) -> str:
    """The addresses of the clock's level and of the one that the ticket has gone to, apart by commas."""
    levels = (alarm.level,) if moved_to is None else (alarm.level, moved_to)
    return ", ".join(dict.fromkeys(address_of(desk, ticket, level) for level in levels))


def address_of(desk: Desk, ticket: Ticket, level: int) -> str:
    """Return who is told of a ticket on a level: the level's own address, else its department's."""
    return desk.tickets.level(level).email or desk.departments[ticket.department].email


class Clockwork:
    """Looks at the tickets whose time has come. Several services may do so on one database."""

    def __init__(
        self,
        database: Store,
        desks: Mapping[str, Desk],
        calendars: Mapping[str, Mapping[str, Calendar]],
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = database
        self._desks = desks
        self._calendars = calendars
        self._bus = bus
        self._clock = clock
        #: Set at the start: hours may have changed while the service was down.
        self._other_hours = asyncio.Event()
        self._other_hours.set()

    def hours_changed(self) -> None:
        """Have every clock looked at: other desk files, or calendars of closures, are in force."""
        self._other_hours.set()

    async def run(self, every_s: float = 5.0) -> None:
        """Watch until cancelled; meanwhile every clock as often as hours and promises may have changed."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._recheck_often(), name="tickets' clocks again")
            while True:
                looked = await self._patiently(self.once)
                # With more to do, only let the calls have their turn.
                await rest(every_s if looked < _BATCH else 0.05)

    async def _recheck_often(self) -> None:
        while True:
            await self._other_hours.wait()
            self._other_hours.clear()
            await self._patiently(self.recheck)

    async def _patiently(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Try until the database is there."""
        while True:
            try:
                return await work()
            except Unavailable as error:
                log.warning("SLA check postponed", error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def once(self) -> int:
        """Deal with the tickets whose time has come, at most a batch of them; how many. Raises StoreUnavailable."""
        now = self._clock()
        async with self._store.reading() as unit:
            coming = await store.due(unit, now, _BATCH)
            decisions = await self._decide(unit, coming, now) if coming else {}
        await self._look_again(coming, {number: one for number, one in decisions.items() if one.alarm is None})
        for number, decision in decisions.items():
            if decision.alarm is not None:
                with apart("SLA check of a ticket failed", number):
                    await self._deal_with(number, now)
        return len(coming)

    async def recheck(self) -> None:
        """Work out again when to look at each running clock; a ticket's history says that it moved.

        What was raised already is not raised again. Raises StoreUnavailable.
        """
        after = 0
        while True:
            async with self._store.reading() as unit:
                running = await store.with_clocks(unit, after=after, limit=_BATCH)
                decisions = await self._decide(unit, running, self._clock())
            if not running:
                return
            moments = {number: one.alarm.at if one.alarm else one.again for number, one in decisions.items()}
            changed = {number for number, at in moments.items() if at != running[number]}
            for number in sorted(changed):
                await self._reschedule(number, seen=running[number], at=moments[number])
            after = max(running)
            await asyncio.sleep(0.02)

    async def _reschedule(self, number: int, *, seen: datetime | None, at: datetime | None) -> None:
        """Look at a ticket's clocks at another time."""
        now = self._clock()
        async with self._store.unit() as unit:
            if not await store.look_again(unit, number, seen=seen, at=at):
                return
            # One whose time had come, or that waits for the database, did not move.
            if seen is not None and at is not None and min(seen, at) > now:
                ticket = await store.get(unit, number)
                told = {"due_at": {"from": seen, "to": at}}
                version = ticket.version if ticket is not None else 1
                await store.add_event(
                    unit, number, at=now, who=CLOCK, kind="hours-changed", changes=told, version=version
                )

    async def _decide(self, unit: Unit, numbers: Iterable[int], now: datetime) -> dict[int, Decision]:
        spans, raised = await sla_store.spans(unit, numbers), await sla_store.raised(unit, numbers)
        return {
            ticket.number: self._decision(ticket, spans.get(ticket.number, {}), raised.get(ticket.number, set()), now)
            for ticket in await store.several(unit, numbers)
        }

    def _decision(
        self, ticket: Ticket, spans: Mapping[Name, list[Span]], raised: set[tuple[str, int, str]], now: datetime
    ) -> Decision:
        desk, calendar = self._desks.get(ticket.desk), self._calendars.get(ticket.desk, {}).get(ticket.department)
        if desk is None or calendar is None:
            log.warning(
                "ticket's department missing: its SLA clocks raise nothing", event_id="OV1606", ticket=ticket.number
            )
            return Decision(alarm=None, again=None)
        try:
            return decide(ticket, spans, raised, desk.tickets, calendar, now)
        except Exception:
            log.exception("SLA clocks of a ticket unreadable; retrying later", ticket=ticket.number)
            return Decision(alarm=None, again=now + _SET_ASIDE)

    async def _look_again(self, seen: Mapping[int, datetime | None], decisions: Mapping[int, Decision]) -> None:
        if decisions:
            async with self._store.unit() as unit:
                for number, decision in decisions.items():
                    await store.look_again(unit, number, seen=seen[number], at=decision.again)

    async def _deal_with(self, number: int, now: datetime) -> None:
        try:
            async with self._store.unit() as unit:
                await self._raise(unit, number, now)
        except Unavailable:
            raise
        except Exception:
            log.exception("SLA alarm of a ticket failed; retrying later", ticket=number)
            async with self._store.unit() as unit:
                await store.change(unit, number, {"due_at": now + _SET_ASIDE})

    async def _raise(self, unit: Unit, number: int, now: datetime) -> None:
        ticket = await store.lock(unit, number)
        if ticket is None:
            return
        # Decided again: it may have been answered, or raised by another service, since it was read.
        alarm = (await self._decide(unit, [number], now))[number].alarm
        if alarm is None or not await sla_store.keep_alarm(unit, number, alarm, at=now):
            return
        desk = self._desks[ticket.desk]
        told = {"clock": alarm.clock, "level": alarm.level, "kind": alarm.kind, "due_at": alarm.at}
        await store.add_event(unit, number, at=now, who=CLOCK, kind="alarm", changes=told, version=ticket.version)
        level = None
        if (alarm.clock, alarm.kind) == ("tr", "breach"):
            level = alarm.level + 1
        if level is not None and level <= LAST_LEVEL:
            await self._move(unit, ticket, level, now)
        else:
            level = None
        to = _told(desk, ticket, alarm, level)
        email = alarm_email(ticket, to, alarm, level=level, language=desk.languages[0])
        await put_email(unit, email, at=now)
        # There may be more to it, which the next look finds.
        await store.change(unit, number, {"due_at": now})
        unit.afterwards(lambda: self._bus.publish("ticket.alarm", now, ticket.brief() | {"alarm": told}))

    async def _move(self, unit: Unit, ticket: Ticket, level: int, now: datetime) -> None:
        """Past the TR of its level a ticket goes to the next one, where that clock starts again (OV-15)."""
        told = {"level": {"from": ticket.level, "to": level}, "why": f"TR of level {level - 1} is over"}
        values = {"level": level}
        await store.note(unit, ticket, at=now, who=CLOCK, kind="escalated", changes=told, values=values)
        moved = await store.get(unit, ticket.number)
        if moved is None:
            raise RuntimeError(f"ticket {ticket.number} is gone within its transaction")
        await sla_store.settle(unit, ticket, moved, at=now)
        unit.afterwards(lambda: self._bus.publish("ticket.updated", now, moved.brief() | {"changed": ["level"]}))
