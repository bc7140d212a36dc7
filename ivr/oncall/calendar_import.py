"""Overrides taken from a calendar, which is remembered: what it moves or calls off later moves or goes here too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.calendars.events import Calendar, Event
from ivr.calendars.lines import CalendarProblem
from ivr.calendars.series import AHEAD, Series, Version, event_key, goes_on, occurrence_key, series_of, version_of
from ivr.desk.oncall import Person
from ivr.oncall import store
from ivr.oncall.ical import in_order, read_calendar, stints_of
from ivr.oncall.rota import Stint, overlap
from ivr.oncall.store import Imported
from ivr.store.engine import Unit


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The changes that a calendar made to the rota."""

    added: list[tuple[int, Stint]]
    #: Overrides that an earlier import had made, and that were moved or called off since.
    removed: list[Stint]
    #: Up to when recurring events were taken, if they go on after that.
    until: datetime | None


async def take(
    unit: Unit, desk: str, data: bytes | str, people: Mapping[str, Person], zone: ZoneInfo, *, now: datetime, who: str
) -> Taken:
    """Take overrides from a calendar: all of them or, when one cannot be used, none. What is there already stays.

    An event that was imported before is known by its UID: it is moved, or removed. An older version of it changes
    nothing. Raises BadInput for what cannot be used, and for what overlaps another override.
    """
    await unit.alone("rota", desk)
    calendar = read_calendar(data)
    keys = [event_key(event.uid) for event in calendar.events if event.has_uid]
    known = await store.versions(unit, desk, keys)
    fresh = [event for event in calendar.events if not _stale(event, known, zone)]
    calendar = Calendar.of(fresh)
    plan = [(each, stints_of(each, people, zone)) for each in series_of(calendar, zone, now)]
    in_order(one for _, stints in plan for one in stints.values())
    there = await store.imported(unit, desk, keys)
    removed = [
        one for each, stints in plan for one in there if one.event == each.key and _is_over(one, each, stints, now)
    ]
    for one in removed:
        await store.remove_override(unit, desk, one.id)
    added = []
    for each, stints in plan:
        for occurrence, stint in sorted(stints.items()):
            override_id = await _add(unit, desk, stint, who=who, event=each.key, occurrence=occurrence)
            added += [(override_id, stint)] if override_id is not None else []
    for event in fresh:
        if event.has_uid:
            occurrence = occurrence_key(event.instead_of, zone)
            sequence, stamped_at = version_of(event)
            key = event_key(event.uid)
            await store.keep_version(unit, desk, key, occurrence, sequence=sequence, stamped_at=stamped_at)
    return Taken(
        added=sorted(added, key=lambda one: one[1].start),
        removed=[one.stint for one in removed],
        until=now + AHEAD if goes_on(calendar, now) else None,
    )


def _stale(event: Event, known: Mapping[tuple[str, str], Version], zone: ZoneInfo) -> bool:
    seen = None
    if event.has_uid:
        seen = known.get((event_key(event.uid), occurrence_key(event.instead_of, zone)))
    return seen is not None and version_of(event) < seen


def _is_over(there: Imported, series: Series, stints: Mapping[str, Stint], now: datetime) -> bool:
    """Return whether what an earlier import made is no more as a calendar says now."""
    if stints.get(there.occurrence) == there.stint or (series.recurs and there.stint.end <= now):
        return False
    return series.speaks_of(there.occurrence)


async def _add(unit: Unit, desk: str, new: Stint, *, who: str, event: str | None, occurrence: str) -> int | None:
    """The id; None for what is there already."""
    known = [stint for _, stint in await store.overrides(unit, desk, new.start, new.end)]
    if new in known:
        return None
    if (other := overlap(known, new)) is not None:
        problem = (
            f"{new.person} from {new.start:%Y-%m-%d %H:%M} UTC overlaps {other.person}, who is on call "
            f"from {other.start:%Y-%m-%d %H:%M} to {other.end:%Y-%m-%d %H:%M} UTC"
        )
        raise CalendarProblem(problem, "remove that override first, or set them apart")
    return await store.add_override(unit, desk, new, who=who, event=event, occurrence=occurrence if event else None)
