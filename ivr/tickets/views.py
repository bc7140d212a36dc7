"""Tickets as they are shown: one with all that belongs to it, and how its clocks stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivr.desk.hours import Calendar
from ivr.desk.ticketing import Ticketing
from ivr.tickets.kinds import Missing
from ivr.tickets.model import Status, Ticket
from ivr.tickets.routing import FIRST_LEVEL
from ivr.tickets.service_requests import Quote
from ivr.tickets.sla import Name, Span, alarms, counted_for, elapsed, limits_of


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """TMR or TR, in seconds of the desk's working time; of urgent tickets around the clock (OV-14, OV-15).

    `warning_at` and `limit_at` are when staff are warned and when the promise is broken, as things stand.
    """

    running: bool
    level: int
    elapsed_s: int = 0
    warning_at: datetime | None = None
    limit_at: datetime | None = None
    breached: bool = False


@dataclass(frozen=True, kw_only=True)
class TicketDetail:
    """A ticket, what it lacks to be documented, what its status may become, its clocks that have begun, its history and
    voice messages (rows, the oldest first), and what it costs."""

    ticket: Ticket
    missing: Sequence[Missing]
    next: Sequence[Status]
    clocks: Mapping[Name, ClockState]
    history: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    quote: Quote | None


@dataclass(frozen=True, kw_only=True)
class NearBreach:
    """A ticket whose clock will soon be, or is, beyond its limit."""

    ticket: Ticket
    clock: Name
    limit_at: datetime
    breached: bool


@dataclass(kw_only=True)
class Promises:
    """Of tickets' clocks of one kind and level: how many were kept, broken, and still run."""

    kept: int = 0
    broken: int = 0
    running: int = 0

    def count(self, clock: ClockState) -> None:
        """Count one more clock."""
        if clock.breached:
            self.broken += 1
        elif clock.running:
            self.running += 1
        else:
            self.kept += 1


def clock_state(
    ticket: Ticket, name: Name, spans: Sequence[Span], *, policy: Ticketing, calendar: Calendar | None, now: datetime
) -> ClockState:
    """Return how a clock stands at `now`; without a calendar, of a desk or department that is gone, with no promise."""
    level, running = ticket.level or FIRST_LEVEL, any(span.end is None for span in spans)
    if calendar is None:
        return ClockState(running=running, level=level)
    limits = limits_of(policy, name, level)
    passed = elapsed(counted_for(name, level, spans), calendar, now)
    at = {one.kind: one.at for one in alarms(name, level, spans, limits, calendar)}
    return ClockState(
        running=running,
        level=level,
        elapsed_s=int(passed.total_seconds()),
        warning_at=at.get("warning"),
        limit_at=at.get("breach"),
        breached=limits.breach is not None and passed >= limits.breach,
    )
