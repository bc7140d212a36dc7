"""The events of a calendar, each with its times, and how they are known again at the next import. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.calendars.events import Calendar, Event, Occurrence

#: Events that recur are taken so far ahead.
AHEAD = timedelta(days=400)
#: When an event was written that does not say so.
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

#: SEQUENCE and DTSTAMP: the higher is the later (RFC 5546 section 2.1.5).
Version = tuple[int, datetime]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One event, with the times at which it takes place."""

    #: Digest of its UID, under which it is remembered; None of an event without one.
    key: str | None
    #: Whether the calendar has the event itself, not merely some of its occurrences.
    whole: bool
    recurs: bool = False
    #: By which of them they are, as `occurrence_key` writes it.
    occurrences: dict[str, Occurrence] = field(default_factory=dict)
    #: Occurrences that were called off.
    gone: frozenset[str] = frozenset()
    #: From this occurrence on, all of them were called off.
    gone_from: str | None = None
    #: The last version of anything in it.
    version: Version = (0, _LONG_AGO)

    def speaks_of(self, occurrence: str) -> bool:
        """Return whether an occurrence that was imported before is as this says, or is no more."""
        called_off = occurrence in self.gone or (self.gone_from is not None and occurrence >= self.gone_from)
        return self.whole or called_off or occurrence in self.occurrences


def series_of(calendar: Calendar, zone: ZoneInfo, now: datetime) -> list[Series]:
    """Each event of a calendar; what recurs with its occurrences of `AHEAD` from `now` on.

    Raises CalendarProblem for a change of later occurrences of an event that is not there.
    """
    by_uid: dict[str, list[Event]] = defaultdict(list)
    for event in calendar.events:
        by_uid[event.uid].append(event)
    found: dict[str, dict[str, Occurrence]] = defaultdict(dict)
    for one in calendar.between(now, now + AHEAD):
        if not one.cancelled:
            found[one.event.uid][occurrence_key(one.planned, zone)] = one
    made = []
    for uid, events in by_uid.items():
        main = next((one for one in events if one.instead_of is None), None)
        key = event_key(uid) if events[0].has_uid else None
        version = max(map(version_of, events))
        if main is None:
            made.append(_partly(key, events, zone, version))
        elif len(events) > 1 or main.recurs:
            made.append(Series(key=key, whole=True, recurs=True, occurrences=found[uid], version=version))
        else:
            once = {} if main.cancelled else {"": _as_it_is(main)}
            made.append(Series(key=key, whole=True, occurrences=once, version=version))
    return made


def goes_on(calendar: Calendar, now: datetime) -> bool:
    """Return whether something in it recurs after the time for which it is taken."""
    later = calendar.between(now + AHEAD, now + 2 * AHEAD)
    return any(one.event.recurs and not one.cancelled for one in later)


def version_of(event: Event) -> Version:
    """Which of an event's versions it is."""
    return event.sequence, max(event.stamp, _LONG_AGO)


def event_key(uid: str) -> str:
    """Under what an event is remembered: UIDs have any length, and may hold an address."""
    return hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()


def occurrence_key(at: date | None, zone: ZoneInfo) -> str:
    """Which occurrence of an event, by when it was planned; they sort as they follow one another."""
    if at is None:
        return ""
    return f"{_in_utc(at, zone):%Y%m%dT%H%M%SZ}"


def moment_of(at: date, zone: ZoneInfo) -> datetime:
    """A date is that local midnight, a floating time is local (RFC 5545 section 3.3.5). Raises ValueError."""
    if not 2000 <= at.year < 2099:
        raise ValueError("not a year of ours")
    return _in_utc(at, zone)


def _in_utc(at: date, zone: ZoneInfo) -> datetime:
    moment = at if isinstance(at, datetime) else datetime.combine(at, time(0))
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def _partly(key: str | None, events: Sequence[Event], zone: ZoneInfo, version: Version) -> Series:
    """Of an event of which there are some occurrences only, as one that was changed is sent by itself."""
    occurrences: dict[str, Occurrence] = {}
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
            occurrences[at] = _as_it_is(one)
    return Series(
        key=key,
        whole=False,
        recurs=True,
        occurrences=occurrences,
        gone=frozenset(gone),
        gone_from=gone_from,
        version=version,
    )


def _as_it_is(event: Event) -> Occurrence:
    return Occurrence(event=event, start=event.start, end=event.end, planned=event.instead_of)
