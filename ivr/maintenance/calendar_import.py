"""Maintenances taken from a calendar, which is remembered: what it moves or calls off later is moved or given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ivr.calendars.events import Calendar, Occurrence
from ivr.calendars.lines import CalendarProblem
from ivr.calendars.series import Series, moment_of, series_of, version_of
from ivr.desk.schema import Desk
from ivr.errors import BadInput
from ivr.maintenance import store
from ivr.maintenance.model import Maintenance, check_window
from ivr.maintenance.service import Maintenances
from ivr.maintenance.store import Origin
from ivr.store.engine import Store

#: Each is told to all who subscribed: a larger calendar is another one than was meant.
_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Window:
    """When one is to be, and what the calendar calls it."""

    origin: Origin
    title: str
    starts_at: datetime
    ends_at: datetime


@dataclass(kw_only=True)
class Taken:
    """What a calendar changed."""

    announced: list[Maintenance] = field(default_factory=list)
    changed: list[Maintenance] = field(default_factory=list)
    cancelled: list[Maintenance] = field(default_factory=list)


def windows(series: Series, desk: Desk, now: datetime) -> list[Window]:
    """Those of an event that are not over. Raises CalendarProblem that names the event which cannot be one."""
    return [
        one
        for which, occurrence in series.occurrences.items()
        if (one := _window(series, which, occurrence, desk, now)) is not None
    ]


def _window(series: Series, which: str, one: Occurrence, desk: Desk, now: datetime) -> Window | None:
    event = one.event
    try:
        starts_at, ends_at = moment_of(one.start, desk.zone), moment_of(one.end, desk.zone)
        if ends_at <= now:
            return None
        check_window(starts_at, ends_at, now, began=starts_at <= now)
    except (ValueError, BadInput) as error:
        if isinstance(error, BadInput):
            problem = f"{error.field} {error.problem}"
        else:
            problem = str(error)
        raise event.wrong(f"cannot be a maintenance: {problem}", "correct or remove it") from None
    if series.key is None:
        raise event.wrong("has no UID, by which it would be known again", "give it one (RFC 5545 section 3.8.4.7)")
    if not event.title:
        raise event.wrong("has no title", "say in its SUMMARY what is worked on")
    origin = Origin(event=series.key, occurrence=which, version=version_of(event))
    return Window(origin=origin, title=event.title, starts_at=starts_at, ends_at=ends_at)


async def take(
    data: bytes | str,
    desk: Desk,
    maintenances: Maintenances,
    database: Store,
    *,
    said: Mapping[str, Any],
    now: datetime,
) -> Taken:
    """Announce what a calendar has, and move or give up what it had before. `said` is the rest of `Maintenances.plan`.

    Nothing is taken when an event of it is wrong. Each is committed by itself; the calendar may be imported again, and
    what is known already stays as it is. Raises BadInput, and as `Maintenances.plan`.
    """
    calendar = Calendar.read(data if isinstance(data, bytes) else data.encode("utf-8", "replace"))
    found = series_of(calendar, desk.zone, now)
    planned = {(one.origin.event, one.origin.occurrence): one for each in found for one in windows(each, desk, now)}
    if len(planned) > _MOST:
        raise CalendarProblem(f"this makes {len(planned)} maintenances", f"give at most {_MOST}: export fewer months")
    keys = [each.key for each in found if each.key is not None]
    async with database.reading() as unit:
        known = await store.of_events(unit, desk.id, keys)
    there = {(origin.event, origin.occurrence): (origin, one) for origin, one in known}
    taken, who = Taken(), str(said["who"])
    for key, one in planned.items():
        origin, was = there.get(key, (None, None))
        if origin is not None and one.origin.version < origin.version:
            continue
        if was is not None and _is_open(was, now):
            if (was.starts_at, was.ends_at) != (one.starts_at, one.ends_at):
                fields = {"starts_at": one.starts_at, "ends_at": one.ends_at}
                taken.changed.append(
                    await maintenances.change(was.id, fields, version=None, who=who, origin=one.origin)
                )
        elif origin is None or one.origin.version > origin.version:
            title = dict.fromkeys(desk.languages, one.title)
            taken.announced.append(
                await maintenances.plan(
                    desk, title=title, starts_at=one.starts_at, ends_at=one.ends_at, origin=one.origin, **said
                )
            )
    by_event = {each.key: each for each in found}
    for key, (origin, was) in there.items():
        each = by_event[origin.event]
        spoken_of = each.speaks_of(origin.occurrence) and each.version >= origin.version
        if key not in planned and spoken_of and _is_open(was, now):
            gone = replace(origin, version=each.version)
            taken.cancelled.append(await maintenances.end(was.id, cancel=True, version=None, who=who, origin=gone))
    return taken


def _is_open(one: Maintenance, now: datetime) -> bool:
    return one.state(now) in ("scheduled", "in_progress")
