"""Open or closed, and until when. Pure: no clock, aware moments only, half-open intervals.

Source: OV-5 (12:00:00 is closed), HL-2. Wall-clock times are turned into moments by the desk's time zone,
so both daylight-saving days come out as people there live them: a time that spring skips is the moment of the
skip, and of a time that autumn repeats the first is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays as public_holidays

from ivr.clock import require_aware
from ivr.desk.fields import Interval, Week
from ivr.desk.ical import Closures
from ivr.desk.load import BUILT_IN
from ivr.desk.schema import Desk

#: A desk that does not open within this many days is held never to open.
HORIZON_DAYS = 400


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A stretch of being open: from `start` up to but not including `end`, both in UTC."""

    start: datetime
    end: datetime


class Calendar:
    """The openings of one desk or department. Days are worked out once and kept."""

    def __init__(
        self,
        *,
        zone: ZoneInfo,
        week: Week,
        holidays: Mapping[date, str],
        exceptions: Mapping[date, tuple[Interval, ...]],
        closures: tuple[Closures, ...] = (),
    ) -> None:
        self.zone = zone
        self._week = week
        self._holidays = holidays
        self._exceptions = exceptions
        self._closures = closures
        self.day = lru_cache(maxsize=2 * HORIZON_DAYS)(self._day)

    def _day(self, day: date) -> tuple[Opening, ...]:
        """The openings of a local date, in order."""
        if day in self._exceptions:
            # Somebody wrote down this very date: that wins.
            return self._openings(day, self._exceptions[day])
        if day in self._holidays:
            return ()
        openings = self._openings(day, self._week.of(day.weekday()))
        for closed in self._closed(day) if openings else ():
            openings = tuple(part for opening in openings for part in _without(opening, closed))
        return openings

    def _openings(self, day: date, ranges: tuple[Interval, ...]) -> tuple[Opening, ...]:
        openings = (Opening(start=self._moment(day, one.start), end=self._moment(day, one.end)) for one in ranges)
        # A range inside the hour that daylight saving skips has no length.
        return tuple(opening for opening in openings if opening.start < opening.end)

    def _moment(self, day: date, at: time | None) -> datetime:
        """A local wall-clock time (None: the midnight that ends the day) in UTC."""
        local = datetime.combine(day if at is not None else day + timedelta(days=1), at or time(0))
        moment = local.replace(tzinfo=self.zone).astimezone(UTC)
        if moment.astimezone(self.zone).replace(tzinfo=None) == local:
            return moment
        # Skipped by spring: the clock jumps over it somewhere between its two readings (PEP 495).
        low, high = local.replace(tzinfo=self.zone, fold=1).astimezone(UTC), moment
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            jumped = middle.astimezone(self.zone).replace(tzinfo=None) > local
            low, high = (low, middle) if jumped else (middle, high)
        return high.replace(microsecond=0)

    def _closed(self, day: date) -> Iterator[Opening]:
        """Return what the imported calendars take from a day."""
        midnight = datetime.combine(day, time(0), tzinfo=self.zone)
        for closures in self._closures:
            for start, end in closures.around(midnight):
                yield Opening(start=self._edge(start), end=self._edge(end))

    def _edge(self, edge: date) -> datetime:
        """An event's edge as a moment: a date is that local midnight, a floating time is local."""
        if not isinstance(edge, datetime):
            return self._moment(edge, time(0))
        if edge.tzinfo is None:
            return edge.replace(tzinfo=self.zone).astimezone(UTC)
        return edge.astimezone(UTC)

    def _from(self, now: datetime) -> Iterator[Opening]:
        """Openings that end after `now`, adjoining ones joined, in order."""
        today = require_aware(now).astimezone(self.zone).date()
        joined: Opening | None = None
        for ahead in range(-1, HORIZON_DAYS):
            for opening in self.day(today + timedelta(days=ahead)):
                if opening.end <= now:
                    continue
                if joined is not None and opening.start <= joined.end:
                    joined = Opening(start=joined.start, end=max(joined.end, opening.end))
                    continue
                if joined is not None:
                    yield joined
                joined = opening
        if joined is not None:
            yield joined

    def is_open(self, now: datetime) -> bool:
        """Return whether `now` lies in an opening. Raises ValueError for a naive moment."""
        today = require_aware(now).astimezone(self.zone).date()
        return any(opening.start <= now < opening.end for opening in self.day(today))

    def next_opening(self, now: datetime) -> datetime | None:
        """The next moment after `now` that an opening starts, in local time; None when there is none ahead."""
        starts = (opening.start for opening in self._from(now) if opening.start > now)
        return next((start.astimezone(self.zone) for start in starts), None)

    def next_closing(self, now: datetime) -> datetime | None:
        """Return when the present opening ends, or the next one when closed now; in local time."""
        return next((opening.end.astimezone(self.zone) for opening in self._from(now)), None)

    def openings(self, start: datetime, days: int) -> Iterator[Opening]:
        """The openings of `days` days from `start`'s local date."""
        first = require_aware(start).astimezone(self.zone).date()
        for ahead in range(days):
            yield from self.day(first + timedelta(days=ahead))


def _without(opening: Opening, closed: Opening) -> Iterator[Opening]:
    if closed.end <= opening.start or closed.start >= opening.end or closed.start >= closed.end:
        yield opening
        return
    if opening.start < closed.start:
        yield Opening(start=opening.start, end=closed.start)
    if closed.end < opening.end:
        yield Opening(start=closed.end, end=opening.end)


def calendars_of(desk: Desk, folder: Path = BUILT_IN) -> dict[str, Calendar]:
    """One calendar per department; iCalendar files are relative to `folder`. Raises DeskError."""
    closures = tuple(Closures.read(folder / name) for name in desk.ical)
    holidays: Mapping[date, str] = {}
    if desk.holidays is not None:
        # Years are added by the library as they are asked for.
        holidays = public_holidays.country_holidays(desk.holidays.country, subdiv=desk.holidays.subdivision)
    exceptions = {one.date: one.hours for one in desk.exceptions}

    def calendar(week: Week) -> Calendar:
        return Calendar(zone=desk.zone, week=week, holidays=holidays, exceptions=exceptions, closures=closures)

    common = calendar(desk.hours)
    return {
        name: common if department.hours is None else calendar(department.hours)
        for name, department in desk.departments.items()
    }
