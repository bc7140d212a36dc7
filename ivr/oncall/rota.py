"""The rota: who is on call when. Pure: weekly turns by the desk's own wall clock, and overrides that win over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.clock import require_aware
from ivr.desk.oncall import OnCall

_WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Stint:
    """Somebody is on call from `start` up to but not including `end`."""

    start: datetime
    end: datetime
    person: str
    #: Somebody took it over from the one whose turn it was.
    override: bool = False


def overlap(stints: Sequence[Stint], new: Stint) -> Stint | None:
    """The one of `stints` that `new` would overlap."""
    return next((one for one in stints if one.start < new.end and new.start < one.end), None)


def line_at(duty: OnCall, zone: ZoneInfo, overrides: Sequence[Stint], at: datetime) -> tuple[str, ...]:
    """Return who is paged, in this order, each once: the one on call at `at`, then the next ones in the turns."""
    in_place_of = [one.person for one in overrides if one.start <= at < one.end]
    week = _week(duty, zone, at)
    count = len(duty.turns)
    turns = [duty.turns[(week + ahead) % count] for ahead in range(count)]
    return tuple(dict.fromkeys([*in_place_of, *turns]))


def stints(duty: OnCall, zone: ZoneInfo, overrides: Sequence[Stint], start: datetime, end: datetime) -> list[Stint]:
    """Return who is on call from `start` to `end`, without gaps; turns are cut where somebody takes over."""
    found: list[Stint] = []
    taken = sorted((one for one in overrides if one.start < end and one.end > start), key=lambda one: one.start)
    for turn in _turns(duty, zone, start, end):
        at = turn.start
        for one in taken:
            if one.end <= at or one.start >= turn.end:
                continue
            if at < one.start:
                found.append(Stint(start=at, end=one.start, person=turn.person))
            at = min(one.end, turn.end)
            found.append(Stint(start=max(one.start, turn.start), end=at, person=one.person, override=True))
        if at < turn.end:
            found.append(Stint(start=at, end=turn.end, person=turn.person))
    return found


def gaps(
    duty: OnCall, zone: ZoneInfo, overrides: Sequence[Stint], start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the gaps in the rota between `start` and `end`: then the fallback number is paged."""
    found: list[tuple[datetime, datetime]] = []
    covered = start
    known = [one for one in stints(duty, zone, overrides, start, end) if one.person in duty.people]
    if not duty.turns:
        known += [one for one in overrides if one.person in duty.people and one.start < end and one.end > start]
    for one in sorted(known, key=lambda one: one.start):
        if one.start > covered:
            found.append((covered, one.start))
        covered = max(covered, one.end)
    if covered < end:
        found.append((covered, end))
    return found


def _turns(duty: OnCall, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Stint]:
    if not duty.turns:
        return
    week = _week(duty, zone, start)
    while (begins := _begin(duty, zone, week)) < end:
        ends = _begin(duty, zone, week + 1)
        person = duty.turns[week % len(duty.turns)]
        yield Stint(start=max(begins, start), end=min(ends, end), person=person)
        week += 1


def _week(duty: OnCall, zone: ZoneInfo, at: datetime) -> int:
    """Whole weeks of turns before `at`; negative before the first one."""
    local = require_aware(at).astimezone(zone)
    days = (local.date() - duty.first_turn).days - (local.time() < duty.changes_at)
    return days // 7


def _begin(duty: OnCall, zone: ZoneInfo, week: int) -> datetime:
    return datetime.combine(duty.first_turn + week * _WEEK, duty.changes_at, tzinfo=zone).astimezone(UTC)
