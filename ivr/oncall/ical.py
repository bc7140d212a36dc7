"""The rota as iCalendar (RFC 5545): for people's own calendars, and overrides from one."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import icalendar

from ivr.calendars.events import Calendar, Event
from ivr.calendars.lines import CalendarProblem
from ivr.desk.oncall import Person
from ivr.errors import BadInput
from ivr.oncall.naming import person_of
from ivr.oncall.rota import Stint

#: More than a year of daily changes.
_MOST_STINTS = 500
#: Events that recur are taken so far ahead.
AHEAD = timedelta(days=400)


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


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a calendar says of one event of its."""

    #: Digest of its UID, under which it is remembered; None of an event without one.
    key: str | None
    #: Whether the calendar has the event itself, not merely some of its occurrences.
    whole: bool
    recurs: bool = False
    #: By the occurrence they are, as `occurrence_key` writes it.
    stints: dict[str, Stint] = field(default_factory=dict)
    #: Occurrences that were called off.
    gone: frozenset[str] = frozenset()
    #: From this occurrence on, all of them were called off.
    gone_from: str | None = None


def read(
    data: bytes | str, people: Mapping[str, Person], zone: ZoneInfo, *, now: datetime | None = None
) -> list[Stint]:
    """The stints in a calendar, the earliest first; of what recurs, those of `AHEAD` from `now` on.

    Raises BadInput as `planned` does.
    """
    calendar = read_calendar(data)
    start = now or datetime(2000, 1, 1, tzinfo=UTC)
    return in_order(one for each in planned(calendar, people, zone, now=start) for one in each.stints.values())


def read_calendar(data: bytes | str) -> Calendar:
    """What somebody sent. Raises BadInput for what is no calendar, or holds no event."""
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


def planned(calendar: Calendar, people: Mapping[str, Person], zone: ZoneInfo, *, now: datetime) -> list[Planned]:
    """What each event means for the rota. Raises BadInput, with its name and line, for one that cannot be used.

    A title names a person, by id or by name (`ivr.oncall.naming`); what was called off needs none.
    """
    by_uid: dict[str, list[Event]] = defaultdict(list)
    for event in calendar.events:
        by_uid[event.uid].append(event)
    occurrences: dict[str, dict[str, Stint]] = defaultdict(dict)
    for one in calendar.between(now, now + AHEAD):
        if not one.cancelled and _series(by_uid[one.event.uid]):
            which = occurrence_key(one.planned, zone)
            occurrences[one.event.uid][which] = _stint(one.event, one.start, one.end, people, zone)
    found = []
    for uid, events in by_uid.items():
        main = next((one for one in events if one.instead_of is None), None)
        key = event_key(uid) if events[0].has_uid else None
        if main is None:
            found.append(_partly(key, events, people, zone))
        elif _series(events):
            found.append(Planned(key=key, whole=True, recurs=True, stints=occurrences[uid]))
        else:
            stints = {} if main.cancelled else {"": _stint(main, main.start, main.end, people, zone)}
            found.append(Planned(key=key, whole=True, stints=stints))
    return found


def goes_on(calendar: Calendar, now: datetime) -> bool:
    """Whether something in it recurs after the time for which it is taken."""
    later = calendar.between(now + AHEAD, now + 2 * AHEAD)
    return any(one.event.recurs and not one.cancelled for one in later)


def event_key(uid: str) -> str:
    """Under what an event is remembered: UIDs have any length, and may hold an address."""
    return hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()


def occurrence_key(at: date | None, zone: ZoneInfo) -> str:
    """Which occurrence of an event; they sort as they follow one another."""
    return "" if at is None else f"{_moment(at, zone):%Y%m%dT%H%M%SZ}"


def _series(events: Sequence[Event]) -> bool:
    """Whether there is an event that recurs, or of which an occurrence was changed."""
    return len(events) > 1 or events[0].recurs


def _partly(key: str | None, events: Sequence[Event], people: Mapping[str, Person], zone: ZoneInfo) -> Planned:
    """Of an event of which there are some occurrences only, as one that was changed is sent by itself."""
    stints: dict[str, Stint] = {}
    gone: set[str] = set()
    gone_from: str | None = None
    for one in events:
        at = occurrence_key(one.instead_of, zone)
        if one.and_later and not one.cancelled:
            raise one.wrong("changes later ones of an event that is not there", "export the whole calendar")
        if one.cancelled:
            gone.add(at)
            gone_from = min(gone_from or at, at) if one.and_later else gone_from
        else:
            stints[at] = _stint(one, one.start, one.end, people, zone)
    return Planned(key=key, whole=False, recurs=True, stints=stints, gone=frozenset(gone), gone_from=gone_from)


def _stint(event: Event, start: date, end: date, people: Mapping[str, Person], zone: ZoneInfo) -> Stint:
    person = person_of(event, people)
    try:
        found = Stint(start=_moment(start, zone), end=_moment(end, zone), person=person, override=True)
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


def _moment(at: date, zone: ZoneInfo) -> datetime:
    """A date is that local midnight, a floating time is local (RFC 5545 section 3.3.5)."""
    moment = at if isinstance(at, datetime) else datetime.combine(at, time(0))
    if not 2000 <= moment.year < 2099:
        raise ValueError("not a year of ours")
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
