"""The rota as iCalendar (RFC 5545): for people's own calendars, and overrides from one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import icalendar

from ivr.desk.oncall import Person
from ivr.errors import BadInput
from ivr.oncall.rota import Stint

#: More than a year of daily changes.
_MOST_EVENTS = 500


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


def read(text: str, people: Mapping[str, Person], zone: ZoneInfo) -> list[Stint]:
    """The stints in a calendar, the earliest first. An event's summary names a person, by id or by name.

    Raises BadInput for what is no calendar, and for an event that names nobody, repeats, ends at once or overlaps.
    """
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except (ValueError, IndexError) as error:
        raise _refusal("this is no calendar", "give an iCalendar text (RFC 5545) with one VCALENDAR") from error
    if not isinstance(calendar, icalendar.Calendar):
        raise _refusal("this holds no VCALENDAR", "give an iCalendar text (RFC 5545) with one VCALENDAR")
    events = calendar.events
    if not events or len(events) > _MOST_EVENTS:
        raise _refusal(f"this holds {len(events)} events", f"give 1 to {_MOST_EVENTS}")
    names = {person.name.casefold(): name for name, person in people.items()} | {name: name for name in people}
    found = [_stint(nth, event, names, zone) for nth, event in enumerate(events, start=1)]
    found.sort(key=lambda one: one.start)
    for earlier, later in itertools.pairwise(found):
        if later.start < earlier.end:
            raise _refusal(
                f"{later.person} from {later.start:%Y-%m-%d %H:%M} UTC overlaps {earlier.person}", "set them apart"
            )
    return found


def _stint(nth: int, event: icalendar.Event, names: Mapping[str, str], zone: ZoneInfo) -> Stint:
    summary = str(event.get("SUMMARY", "")).strip()
    person = names.get(summary.casefold())
    if person is None:
        problem = f"event {nth} is for nobody on call"
        raise _refusal(problem, f"give as its summary one of {', '.join(sorted(set(names.values())))}")
    if "RRULE" in event or "RDATE" in event:
        raise _refusal(f"event {nth} repeats", "give each occurrence by itself; turns repeat in the desk file")
    try:
        start, end = _moment(event.start, zone), _moment(event.end, zone)
    except (ValueError, TypeError, AttributeError, OverflowError, icalendar.error.InvalidCalendar) as error:
        raise _refusal(f"event {nth} has no start or no end", "give DTSTART and DTEND") from error
    return checked(Stint(start=start, end=end, person=person, override=True), field="ical")


def checked(stint: Stint, *, field: str) -> Stint:
    """The stint itself. Raises BadInput, naming `field`, when it has no length or lasts for more than a quarter."""
    if stint.end <= stint.start:
        raise BadInput(field=field, problem="the end is not after the start", mend="give a later end")
    if stint.end - stint.start > timedelta(days=92):
        raise BadInput(field=field, problem="longer than a quarter", mend="change the turns in the desk file instead")
    return stint


def _moment(at: date, zone: ZoneInfo) -> datetime:
    """A date is that local midnight, a floating time is local (RFC 5545 section 3.3.5)."""
    moment = at if isinstance(at, datetime) else datetime.combine(at, time(0))
    if not 2000 <= moment.year < 2099:
        raise ValueError("not a year of ours")
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def _refusal(problem: str, mend: str) -> BadInput:
    return BadInput(field="ical", problem=problem, mend=mend)
