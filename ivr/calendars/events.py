"""The events of a calendar file, in their last version, and the times at which they take place. Pure.

What RFC 5545 and RFC 5546 say, read as Outlook, Google and Nextcloud write it. Of several versions of an event the one
with the higher SEQUENCE counts, of equal ones the later DTSTAMP, in whatever order they come. An event that is shown as
free (TRANSP) counts as any other: whole days are free in Outlook and Google unless somebody changes that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import icalendar
import recurring_ical_events
from icalendar.prop import vDDDTypes, vRecur

from ivr.calendars.lines import Block, CalendarProblem, parts, read_file
from ivr.calendars.properties import (
    EARLIEST,
    LAST,
    PER_YEAR,
    Property,
    read_attendees,
    read_dates,
    read_end,
    read_moment,
    read_rule,
    read_sequence,
    read_text,
)
from ivr.calendars.zones import Zones

#: How often something may take place within a day, and all events together within a year.
_MOST_A_YEAR = 50_000
#: Dates listed one by one, in one event.
_MOST_DATES = 2000
#: Days that all rules together may make us look at, up to the last.
_MOST_STEPS = 2_000_000
#: Outlook keeps a meeting that was called off, and says so in its title only.
_CALLED_OFF = re.compile(r"\s*(annul[ée]e?s?|cancel?led)\s*:", re.IGNORECASE)
#: Before the line of an event that has none.
_NO_UID = "\x00line "


@dataclass(frozen=True, kw_only=True)
class Event:
    """One version of an event, or of one occurrence of it. Times are dates, floating, or aware."""

    #: The line of BEGIN:VEVENT, as an editor counts.
    line: int
    uid: str
    start: date
    end: date
    title: str = ""
    #: Names and addresses of those who were asked and did not decline.
    attendees: tuple[str, ...] = ()
    cancelled: bool = False
    sequence: int = 0
    stamp: datetime = EARLIEST
    rules: tuple[vRecur, ...] = ()
    dates: tuple[date, ...] = ()
    #: Dates that are periods of their own length (RFC 5545 section 3.3.9).
    periods: tuple[tuple[datetime, datetime], ...] = ()
    without: tuple[date, ...] = ()
    #: The occurrence that it is instead of; None for the event itself.
    instead_of: date | None = None
    #: Whether it is instead of all later ones too (RANGE=THISANDFUTURE).
    and_later: bool = False

    @property
    def has_uid(self) -> bool:
        """Return whether it can be known again (RFC 5545 section 3.8.4.7 asks for that; some leave it out)."""
        return not self.uid.startswith(_NO_UID)

    @property
    def recurs(self) -> bool:
        """Return whether it takes place more than once, or may."""
        return bool(self.rules or self.dates or self.periods)

    @property
    def name(self) -> str:
        """Return how people find it in their calendar."""
        return f"« {self.title[:60] or 'without title'} » of {self.start:%Y-%m-%d} (line {self.line})"

    def wrong(self, problem: str, mend: str) -> CalendarProblem:
        """Return what cannot be used of it."""
        return CalendarProblem(f"event {self.name} {problem}", mend, line=self.line)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """An event as it takes place once."""

    event: Event
    start: date
    end: date
    #: When it would have been without changes; None of an event that takes place once only.
    planned: date | None

    @property
    def cancelled(self) -> bool:
        """Return whether it was called off."""
        return self.event.cancelled


@dataclass(frozen=True)
class Calendar:
    """What a file says, each event in its last version."""

    events: tuple[Event, ...]
    _query: recurring_ical_events.CalendarQuery = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: bytes) -> Calendar:
        """Of a file. Raises CalendarProblem, which names the event and its line where it is one event's."""
        file = read_file(data)
        zones = Zones(file.zones)
        method = file.properties.get("METHOD", "").upper()
        found = [_event(block, zones, cancels=method == "CANCEL") for block in file.events]
        default = file.properties.get("X-WR-TIMEZONE", "")
        needed = default.casefold() not in ("", "utc") and any(map(_has_no_zone, found))
        if needed and (wall := zones.of(default)) is not None:
            found = [_in_zone(event, wall) for event in found]
        return cls.of(_latest(found))

    @classmethod
    def of(cls, events: Iterable[Event]) -> Calendar:
        """Of events that were read. Raises CalendarProblem for one whose rule cannot be followed."""
        kept = tuple(events)
        _bounded(kept)
        calendar = icalendar.Calendar()
        for at, event in enumerate(kept):
            calendar.add_component(_component(event, at))
        for event in kept:
            if event.recurs:
                _tried(event)
        return cls(kept, recurring_ical_events.of(calendar))

    def between(self, start: datetime, end: datetime) -> Iterator[Occurrence]:
        """Return what takes place between two moments in whole or in part, also what was called off; in no order."""
        series = {event.uid: event for event in self.events if event.instead_of is None}
        for found in self._query.between(start, end):
            event = self.events[int(str(found["X-AT"]))]
            begins, ends = found["DTSTART"].dt, found["DTEND"].dt
            main = series.get(event.uid)
            if event.instead_of is None:
                yield Occurrence(event=event, start=begins, end=ends, planned=begins if event.recurs else None)
            elif event.and_later:
                planned = begins - (event.start - event.instead_of)
                yield Occurrence(event=event, start=begins, end=ends, planned=planned)
            elif main is None or event.sequence >= main.sequence or self._plans(main, event.instead_of):
                # Else the whole series was moved after this one was: what it is instead of is no more.
                yield Occurrence(event=event, start=begins, end=ends, planned=event.instead_of)

    def _plans(self, main: Event, at: date) -> bool:
        """Return whether an event takes place at `at` by its own rule."""
        alone = Calendar.of([main])
        if isinstance(at, datetime):
            moment = at
        else:
            moment = datetime.combine(at, time(12), tzinfo=UTC)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        around = alone.between(moment - timedelta(days=1), moment + timedelta(days=1))
        return any(_same(one.start, at) for one in around)


def _same(one: date, other: date) -> bool:
    if isinstance(one, datetime) != isinstance(other, datetime):
        return one.timetuple()[:3] == other.timetuple()[:3]
    if isinstance(one, datetime) and isinstance(other, datetime) and (one.tzinfo is None) != (other.tzinfo is None):
        return one.replace(tzinfo=None) == other.replace(tzinfo=None)
    return one == other


def _latest(events: Sequence[Event]) -> Iterator[Event]:
    """Each event, and each changed occurrence, in its last version; a cancelled series without what was changed."""
    chosen: dict[tuple[str, str], Event] = {}
    for event in events:
        key = (event.uid, _key(event.instead_of))
        if (other := chosen.get(key)) is None or (event.sequence, event.stamp) >= (other.sequence, other.stamp):
            chosen[key] = event
    gone = {event.uid for event in chosen.values() if event.cancelled and event.instead_of is None}
    yield from (one for one in chosen.values() if one.instead_of is None or one.uid not in gone)


def _key(at: date | None) -> str:
    if at is None:
        return ""
    if isinstance(at, datetime) and at.tzinfo is not None:
        return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    if isinstance(at, datetime):
        return f"{at:%Y%m%dT%H%M%S}"
    return f"{at:%Y%m%d}"


# What is read of one VEVENT.

_ONCE = ("UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "SEQUENCE", "DTSTAMP", "STATUS", "SUMMARY")
_OFTEN = ("RRULE", "RDATE", "EXDATE", "EXRULE", "ATTENDEE")


def _event(block: Block, zones: Zones, *, cancels: bool) -> Event:
    given: dict[str, list[Property]] = {}
    for _, line in block.lines:
        found = parts(line)
        if found is not None and found[0] in (*_ONCE, *_OFTEN):
            given.setdefault(found[0], []).append(found[1:])
    title = read_text(given.get("SUMMARY", [({}, "")])[0][1])

    def wrong(problem: str, mend: str) -> CalendarProblem:
        called = f"« {title[:60]} » " if title else ""
        return CalendarProblem(f"event {called}(line {block.line}): {problem}", mend, line=block.line)

    if twice := [name for name in _ONCE if name != "SUMMARY" and len(given.get(name, ())) > 1]:
        raise wrong(f"{twice[0]} is there twice", "correct or remove it")

    def one(name: str) -> date | None:
        if name not in given:
            return None
        parameters, value = given[name][0]
        return read_moment(name, parameters, value, zones, wrong)

    start = one("DTSTART")
    if start is None:
        raise wrong("DTSTART is missing: it has no start", "give DTSTART and DTEND")
    end = read_end(start, one("DTEND"), given.get("DURATION"), wrong)
    instead_of = one("RECURRENCE-ID")
    if "EXRULE" in given:
        raise wrong("EXRULE is no more in RFC 5545", "give EXDATE for each that is left out")
    stamp = one("DTSTAMP") if "DTSTAMP" in given else None
    dates = [each for found in given.get("RDATE", ()) for each in read_dates("RDATE", found, zones, wrong)]
    return Event(
        line=block.line,
        # Without one it is nobody's earlier or later version.
        uid=given.get("UID", [({}, "")])[0][1].strip() or f"{_NO_UID}{block.line}",
        start=start,
        end=end,
        title=title,
        attendees=tuple(read_attendees(given.get("ATTENDEE", ()))),
        cancelled=cancels
        or given.get("STATUS", [({}, "")])[0][1].strip().upper() == "CANCELLED"
        or _CALLED_OFF.match(title) is not None,
        sequence=read_sequence(given.get("SEQUENCE"), wrong),
        stamp=stamp.replace(tzinfo=stamp.tzinfo or UTC) if isinstance(stamp, datetime) else EARLIEST,
        rules=tuple(read_rule(value, start, wrong) for _, value in given.get("RRULE", ())),
        dates=tuple(each for each in dates if not isinstance(each, tuple)),
        periods=tuple(each for each in dates if isinstance(each, tuple)),
        without=tuple(
            each
            for found in given.get("EXDATE", ())
            for each in read_dates("EXDATE", found, zones, wrong)
            if not isinstance(each, tuple)
        ),
        instead_of=instead_of,
        and_later=instead_of is not None and given["RECURRENCE-ID"][0][0].get("RANGE", "").upper() == "THISANDFUTURE",
    )


def _has_no_zone(event: Event) -> bool:
    """Return whether its start floats, or is in UTC though it recurs."""
    if not isinstance(event.start, datetime):
        return False
    return event.start.tzinfo is None or (event.start.tzinfo is UTC and event.recurs)


def _in_zone(event: Event, zone: tzinfo) -> Event:
    """Google means its calendar's zone (X-WR-TIMEZONE) by times that float; what recurs in UTC recurs there."""

    def set_in(at: date) -> date:
        if not isinstance(at, datetime) or at.tzinfo not in (None, UTC):
            return at
        if at.tzinfo is None:
            return at.replace(tzinfo=zone)
        return at.astimezone(zone)

    return replace(
        event,
        start=set_in(event.start),
        end=set_in(event.end),
        dates=tuple(map(set_in, event.dates)),
        without=tuple(map(set_in, event.without)),
        instead_of=set_in(event.instead_of) if event.instead_of is not None else None,
    )


# What it costs to follow the rules, and following them.


def _bounded(events: Collection[Event]) -> None:
    """Raises CalendarProblem where rules would keep us busy, or fill the calendar."""
    a_year, steps = 0.0, 0.0
    for event in events:
        if len(event.dates) + len(event.periods) + len(event.without) > _MOST_DATES:
            raise event.wrong(f"lists more than {_MOST_DATES} dates", "give a rule instead")
        for rule in event.rules:
            each_day = 1
            for part in ("BYHOUR", "BYMINUTE", "BYSECOND"):
                each_day *= max(1, len(rule.get(part, ())))
            often = str(rule["FREQ"][0]).upper()
            until = rule.get("UNTIL", [LAST])[0]
            every = int(rule.get("INTERVAL", [1])[0])
            years = max(0, min(until.year, LAST.year) - event.start.year + 1)
            if any(part in rule for part in ("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")):
                daily = 365.25
            else:
                daily = 0
            a_year += max(PER_YEAR[often], daily if often != "DAILY" else 0) / every * each_day
            steps += PER_YEAR[often] / every * years * each_day
            if a_year > _MOST_A_YEAR or steps > _MOST_STEPS or each_day > 24:
                raise event.wrong(
                    "repeats more often than any calendar needs", "end it with UNTIL, or give fewer events"
                )


def _component(event: Event, at: int) -> icalendar.Event:
    made = icalendar.Event()
    made.add("uid", event.uid)
    made.add("dtstart", event.start)
    made.add("dtend", event.end)
    made.add("sequence", event.sequence)
    made["X-AT"] = str(at)
    for rule in event.rules:
        made.add("rrule", rule)
    for each in event.dates:
        made.add("rdate", each)
    for period in event.periods:
        made.add("rdate", [period])
    for each in event.without:
        made.add("exdate", each)
    if event.instead_of is not None:
        made["RECURRENCE-ID"] = vDDDTypes(event.instead_of)
        if event.and_later:
            made["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
    return made


def _tried(event: Event) -> None:
    """Followed once, now: what cannot be followed must not be found out during a call. Raises CalendarProblem."""
    day = datetime(event.start.year, event.start.month, event.start.day, tzinfo=UTC)
    alone = icalendar.Calendar()
    alone.add_component(_component(event, 0))
    try:
        recurring_ical_events.of(alone).between(day - timedelta(days=1), day + timedelta(days=2))
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise event.wrong(
            f"cannot be followed ({' '.join(str(error).split())[:100]})", "correct or remove it"
        ) from None
