"""The rota as iCalendar (RFC 5545): for people's own calendars, and overrides from one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar

from ivr.calendars.events import Calendar, Event
from ivr.calendars.lines import CalendarProblem
from ivr.calendars.series import Series, moment_of, series_of
from ivr.desk.oncall import Person
from ivr.errors import BadInput
from ivr.oncall.person_matching import person_of
from ivr.oncall.rota import Stint

#: More than a year of daily changes.
_MOST_STINTS = 500


def written(stints: Sequence[Stint], people: Mapping[str, Person], *, desk: str, now: datetime) -> bytes:
    """One event for each stint. Reading it back gives the same stints."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//omnivigil//on call//FR")
    calendar.add("version", "2.0")
    for one in stints:
        event = icalendar.Event()
        event.add("uid", f"{desk}-{one.person}-{one.start:%Y%m%dT%H%M%SZ}@omnivigil")
        event.add("dtstamp", now.astimezone(UTC))
        event.add("dtstart", one.start.astimezone(UTC))
        event.add("dtend", one.end.astimezone(UTC))
        event.add("summary", people[one.person].name if one.person in people else one.person)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def read(
    data: bytes | str, people: Mapping[str, Person], zone: ZoneInfo, *, now: datetime | None = None
) -> list[Stint]:
    """The stints in a calendar, the earliest first; of what recurs, those of 400 days from `now` on.

    Raises BadInput as `read_calendar`, `stints_of` and `in_order` do.
    """
    found = series_of(read_calendar(data), zone, now or datetime(2000, 1, 1, tzinfo=UTC))
    return in_order(one for each in found for one in stints_of(each, people, zone).values())


def read_calendar(data: bytes | str) -> Calendar:
    """Return what somebody sent. Raises BadInput for what is no calendar, or holds no event."""
    calendar = Calendar.read(data if isinstance(data, bytes) else data.encode("utf-8", "replace"))
    if not calendar.events:
        raise CalendarProblem("this holds no event", "export the calendar that has the shifts")
    return calendar


def in_order(found: Iterable[Stint]) -> list[Stint]:
    """Stints, the earliest first. Raises BadInput where two overlap, and when there are too many."""
    stints = sorted(found, key=lambda one: one.start)
    if len(stints) > _MOST_STINTS:
        raise CalendarProblem(f"this makes {len(stints)} shifts", f"give at most {_MOST_STINTS}: export fewer months")
    for earlier, later in itertools.pairwise(stints):
        if later.start < earlier.end:
            problem = f"{later.person} from {later.start:%Y-%m-%d %H:%M} UTC overlaps {earlier.person}"
            raise CalendarProblem(problem, "set them apart")
    return stints


def stints_of(series: Series, people: Mapping[str, Person], zone: ZoneInfo) -> dict[str, Stint]:
    """What an event means for the rota, by occurrence. Raises BadInput, with its name and line, for one of no use.

    A title names a person, by id or by name (`ivr.oncall.person_matching`); what was called off needs none.
    """
    return {which: _stint(one.event, one.start, one.end, people, zone) for which, one in series.occurrences.items()}


def _stint(event: Event, start: date, end: date, people: Mapping[str, Person], zone: ZoneInfo) -> Stint:
    person = person_of(event, people)
    try:
        found = Stint(start=moment_of(start, zone), end=moment_of(end, zone), person=person, override=True)
    except (ValueError, OverflowError):
        raise event.wrong("is in no year of ours", "give a date from 2000 on") from None
    try:
        return checked(found, field="ical")
    except BadInput as error:
        raise event.wrong(f"cannot be used: {error.problem}", error.mend) from None


def checked(stint: Stint, *, field: str) -> Stint:
    """The stint itself. Raises BadInput, naming `field`, when it has no length or lasts for more than a quarter."""
    if stint.end <= stint.start:
        raise BadInput(field=field, problem="the end is not after the start", mend="give a later end")
    if stint.end - stint.start > timedelta(days=92):
        raise BadInput(field=field, problem="longer than a quarter", mend="change the turns in the desk file instead")
    return stint
