"""TMR and TR in working time (OV-14, OV-15). Pure: a ledger of spans, the desk's calendar, and `now`.

A clock is a ledger: the spans in which it ran. What stops it (a waiting state), what changes its pace (a priority)
and what changes its limits (a level) ends one span and may begin another; none of that forgets what was counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ivr.clock import require_aware
from ivr.desk.hours import HORIZON_DAYS, Calendar
from ivr.desk.ticketing import Ticketing

Name = Literal["tmr", "tr"]
#: In the desk's openings only, or around the clock for what is urgent.
Pace = Literal["working", "always"]

_NONE = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch in which a clock ran; without `end` it still runs."""

    start: datetime
    end: datetime | None = None
    pace: Pace = "working"
    level: int = 1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The moments at which a clock warns and is breached, in working time; None for never."""

    warning: timedelta | None = None
    breach: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A clock comes to a limit at a moment; `at` is never outside the hours in which the clock runs."""

    clock: Name
    level: int
    kind: Literal["warning", "breach"]
    at: datetime

    @property
    def key(self) -> tuple[str, int, str]:
        """Return what is raised once for a ticket."""
        return (self.clock, self.level, self.kind)


def limits_of(policy: Ticketing, clock: Name, level: int) -> Limits:
    """Return what a desk promises."""
    promised = policy.level(level)
    times = promised.tmr if clock == "tmr" else promised.tr
    return Limits(warning=_minutes(times.warning_min), breach=_minutes(times.limit_min))


def _minutes(minutes: int | None) -> timedelta | None:
    if minutes is not None:
        return timedelta(minutes=minutes)
    return None


def working_time(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Return how long the desk is open from `start` to `end`; nothing when `end` is earlier. Refuses naive moments."""
    if require_aware(end) <= require_aware(start):
        return _NONE
    days = (end.astimezone(calendar.zone).date() - start.astimezone(calendar.zone).date()).days + 1
    parts = (min(one.end, end) - max(one.start, start) for one in calendar.openings(start, days))
    return sum((part for part in parts if part > _NONE), _NONE)


def working_moment(calendar: Calendar, start: datetime, amount: timedelta) -> datetime | None:
    """The first open moment at which `amount` of working time has passed since `start`.

    Two hours from 10:00 at a desk that closes at 12:00 end when it opens again. None when the desk is not open
    for so long within HORIZON_DAYS.
    """
    left = max(amount, _NONE)
    for opening in calendar.openings(require_aware(start), HORIZON_DAYS):
        if opening.end <= start:
            continue
        begin = max(opening.start, start)
        if left < opening.end - begin:
            return begin + left
        left -= opening.end - begin
    return None


def working_moment_before(calendar: Calendar, end: datetime, amount: timedelta) -> datetime | None:
    """The last moment from which `amount` of working time still passes until `end`; None as above."""
    left = max(amount, _NONE)
    first = require_aware(end) - timedelta(days=HORIZON_DAYS)
    # That many days before, by summer time, it may still be the day before that; the last day is `end`'s own.
    for opening in reversed(list(calendar.openings(first, HORIZON_DAYS + 2))):
        if opening.start >= end:
            continue
        finish = min(opening.end, end)
        if left <= finish - opening.start:
            return finish - left
        left -= finish - opening.start
    return None


def elapsed(spans: Iterable[Span], calendar: Calendar, now: datetime) -> timedelta:
    """Return what a clock has counted by `now`."""
    return sum((_counted(span, calendar, now) for span in spans), _NONE)


def _counted(span: Span, calendar: Calendar, now: datetime) -> timedelta:
    end = now if span.end is None else min(span.end, now)
    if span.pace == "working":
        return working_time(calendar, span.start, end)
    return max(end - span.start, _NONE)


def reaches(spans: Sequence[Span], calendar: Calendar, amount: timedelta) -> datetime | None:
    """Return when a clock that goes on as it does will have counted `amount`; None while it stands still."""
    running = next((span for span in spans if span.end is None), None)
    if running is None:
        return None
    left = amount - elapsed((span for span in spans if span is not running), calendar, running.start)
    if running.pace == "working":
        return working_moment(calendar, running.start, left)
    return running.start + max(left, _NONE)


def counted_for(clock: Name, level: int, spans: Iterable[Span]) -> list[Span]:
    """The spans that a level's limits are measured on.

    TMR is one time from the documented ticket to the first answer, whatever its level; each level has its own TR.
    """
    return [span for span in spans if clock == "tmr" or span.level == level]


def alarms(
    clock: Name,
    level: int,
    spans: Sequence[Span],
    limits: Limits,
    calendar: Calendar,
    raised: Iterable[tuple[str, int, str]] = (),
) -> list[Alarm]:
    """Return what a running clock is still to raise on this level, the earliest first; after a breach no warning."""
    done, counted = set(raised), counted_for(clock, level, spans)
    found: list[Alarm] = []
    if (clock, level, "breach") in done:
        return found
    if limits.warning is not None and (at := reaches(counted, calendar, limits.warning)) is not None:
        found.append(Alarm(clock=clock, level=level, kind="warning", at=at))
    if limits.breach is not None and (at := reaches(counted, calendar, limits.breach)) is not None:
        found.append(Alarm(clock=clock, level=level, kind="breach", at=at))
    return [alarm for alarm in found if alarm.key not in done]


def due(found: Sequence[Alarm], now: datetime) -> Alarm | None:
    """What is to be raised now: the gravest of what has come, since one that was overtaken tells nothing more."""
    come = [alarm for alarm in found if alarm.at <= now]
    return max(come, key=lambda alarm: alarm.kind == "breach", default=None)
