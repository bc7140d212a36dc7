"""The tickets of calls: one for each call that goes to a department, and one for each message that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from ivr.asterisk.recorded_file import Recording, inspect
from ivr.calls.callers import Callers
from ivr.calls.log import CallLog
from ivr.clock import Clock
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.directory.model import Identity
from ivr.events import EventBus
from ivr.numbers.normalise import normalise
from ivr.process.asides import Asides
from ivr.store.engine import Store
from ivr.tickets import messages, store
from ivr.tickets.intake import Notice, VoiceMessage
from ivr.tickets.messages import Receipt
from ivr.tickets.orphan_recordings import Unclaimed
from ivr.tickets.promise import in_doubt, promised
from ivr.tickets.spool import Spool

log = structlog.get_logger()

#: The incident that a caller's ticket is about: by desk, call, caller and number (OV-27).
IncidentOf = Callable[[str, str | None, Identity, str | None], int | None]


async def open_tickets(database: Store, customer_id: int) -> list[dict[str, Any]]:
    """Return a customer's open tickets as those who answer their call see them. Raises StoreUnavailable."""
    async with database.reading() as unit:
        return [ticket.brief() for ticket in await store.open_tickets(unit, customer_id)]


class CallTickets:
    """Opens them. `shift` is how far the service's clock is from the machine's, by which recordings are dated."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        *,
        store: Store,
        spool: Spool,
        calls: CallLog,
        callers: Callers,
        incident_of: IncidentOf,
        desks: Mapping[str, Desk],
        calendars: Mapping[str, Mapping[str, Calendar]],
        bus: EventBus,
        clock: Clock,
        shift: timedelta,
        aside: Asides,
    ) -> None:
        self._store, self._spool, self._bus, self._clock, self._shift = store, spool, bus, clock, shift
        self._calls, self._callers, self._incident_of, self._aside = calls, callers, incident_of, aside
        self._desks, self._calendars = desks, calendars

    def open(self, call_id: str, desk: Desk, department: str, language: str) -> None:
        """Open a ticket for a call that goes to a department (OV-11), while it goes."""
        call = self._calls.current(call_id)
        if call is None:
            return
        identity = self._callers.identify(call_id, call.ani, call.endpoint, desk)
        work = messages.open_for_call(
            self._store,
            self._spool,
            at=self._clock(),
            desk=desk.id,
            department=department,
            language=language,
            call_id=call_id,
            identity=identity,
            number=call.ani,
            incident_id=self._about(desk, department, call_id, identity, call.ani),
            bus=self._bus,
        )
        self._aside(work, f"ticket for call {call_id}")

    async def leave_message(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        *,
        desk: Desk,
        calendar: Calendar,
        department: str,
        language: str,
        urgent: bool,
        call_id: str | None,
        number: str | None,
        endpoint: str | None,
        recording: Recording,
    ) -> Receipt:
        """Return once the message's ticket is committed, or its request is on disk. Raises OSError for neither.

        `calendar` is the department's, as it was in force when the call began.
        """
        identity, at = self._callers.identify(call_id, number, endpoint, desk), self._clock()
        return await messages.leave_message(
            self._store,
            self._spool,
            key=recording.path.stem,
            at=at,
            desk=desk.id,
            department=department,
            language=language,
            call_id=call_id,
            identity=identity,
            incident_id=self._about(desk, department, call_id, identity, number),
            message=VoiceMessage(
                file=recording.path.name, seconds=recording.seconds, urgent=urgent, number=number, endpoint=endpoint
            ),
            notice=notice_of(desk, department),
            promise=promised(desk.departments[department], calendar, urgent=urgent, at=at),
            bus=self._bus,
        )

    async def claim(self, found: Unclaimed) -> bool:
        """Enter a message that the dialplan took by itself; tell whether there was one. Raises StoreUnavailable."""
        desk = self._desks.get(found.desk)
        if desk is None or found.department not in desk.departments:
            log.error("offline voice message for a missing desk or department", event_id="OV1605", file=found.path.name)
            return False
        async with self._store.reading() as unit:
            if await store.ticket_of_message(unit, found.path.stem) is not None:
                return False
        recording = await asyncio.to_thread(inspect, found.path)
        if recording.silent:
            return False
        number = normalise(found.number, desk.region)
        call = self._calls.call_of(found.uniqueid)
        at = datetime.fromtimestamp((await asyncio.to_thread(found.path.stat)).st_mtime, UTC) + self._shift
        department, calendar = desk.departments[found.department], self._calendars[desk.id][found.department]
        if found.urgent is not None:
            urgent = found.urgent
        else:
            urgent = in_doubt(department, calendar, at)
        await messages.leave_message(
            self._store,
            self._spool,
            key=found.path.stem,
            at=at,
            desk=desk.id,
            department=found.department,
            language=found.language,
            call_id=call.id if call is not None else None,
            identity=self._callers.identify(None, number, None, desk),
            message=VoiceMessage(
                file=found.path.name, seconds=recording.seconds, urgent=urgent, number=number, endpoint=None
            ),
            notice=notice_of(desk, found.department),
            promise=promised(department, calendar, urgent=urgent, at=at),
            bus=self._bus,
        )
        return True

    def _about(
        self, desk: Desk, department: str, call_id: str | None, identity: Identity, number: str | None
    ) -> int | None:
        # Incidents are told before queues: what comes to another department is about something else.
        if desk.departments[department].queue is None:
            return None
        return self._incident_of(desk.id, call_id, identity, number)


def notice_of(desk: Desk, department: str) -> Notice:
    """Address a department's e-mail; staff read it in the desk's first language."""
    language = desk.languages[0]
    one = desk.departments[department]
    return Notice(
        recipient=one.email,
        desk_name=desk.name,
        department_name=one.name[language],
        language=language,
        timezone=desk.timezone,
    )
