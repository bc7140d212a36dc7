"""What callers hear by two versions of a desk, at the moments that tell them apart. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from ivr.clock import require_aware
from ivr.desk.hours import HORIZON_DAYS, Calendar
from ivr.desk.menu import Caller
from ivr.desk.schema import Desk
from ivr.desk_editing.hear import HeardLine, Render, hear

#: Why a moment is looked at.
Why = Literal["now", "tonight", "holiday", "differs"]

#: So many moments at which the hours differ are looked at, and so many calls that sound differently are told.
_MOST_DIFFERENT = 4
MOST_TOLD = 12
_EVENING, _MORNING = time(20), time(10)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One version of a desk."""

    desk: Desk
    #: By department.
    calendars: Mapping[str, Calendar]
    render: Render


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When somebody calls."""

    at: datetime
    why: Why


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One call as it goes before and after; `key` is what the caller presses in the menu, None for nothing."""

    moment: Moment
    language: str
    key: str | None
    before: Sequence[HeardLine]
    after: Sequence[HeardLine]

    @property
    def differs(self) -> bool:
        """Return whether the caller would notice."""
        return _noticed(self.before) != _noticed(self.after)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The calls that differ, at most MOST_TOLD; `more` do too. Where none does, one call of now."""

    calls: tuple[Heard, ...]
    more: int
    moments: tuple[Moment, ...]


def compare(before: Side, after: Side, now: datetime, *, told_in: str = "en") -> Comparison:
    """Calls now, tonight, on the next holiday, and when the hours differ: in each language, with each key.

    `now` is aware; `told_in` is the language of what is not heard.
    """
    looked_at = tuple(moments(before, after, now))
    languages = [one for one in after.desk.languages if one in before.desk.languages] or after.desk.languages[:1]
    keys = (None, *dict.fromkeys((*before.desk.menu.keys, *after.desk.menu.keys)))
    calls = [
        Heard(
            moment=moment,
            language=language,
            key=key,
            before=_call(before, moment.at, language, key, told_in),
            after=_call(after, moment.at, language, key, told_in),
        )
        for moment in looked_at
        for language in languages
        for key in keys
    ]
    different = [one for one in calls if one.differs]
    if not different:
        return Comparison(calls=tuple(calls[:1]), more=0, moments=looked_at)
    # One of every moment and language, before another of the same with another key.
    seen: Counter[tuple[Moment, str]] = Counter()
    turns = []
    for one in different:
        seen[one.moment, one.language] += 1
        turns.append(seen[one.moment, one.language])
    different = [one for _, one in sorted(zip(turns, different, strict=True), key=lambda two: two[0])]
    return Comparison(calls=tuple(different[:MOST_TOLD]), more=max(0, len(different) - MOST_TOLD), moments=looked_at)


def moments(before: Side, after: Side, now: datetime) -> Iterator[Moment]:
    """The moments at which callers are listened to, each once."""
    local = require_aware(now).astimezone(after.desk.zone)
    evening = local.replace(hour=_EVENING.hour, minute=0, second=0, microsecond=0)
    yield Moment(at=local, why="now")
    yield Moment(at=evening if evening > local else evening + timedelta(days=1), why="tonight")
    operator = after.calendars[after.desk.menu.operator]
    if (holiday := _holiday(after.desk, operator, local)) is not None:
        yield Moment(at=holiday, why="holiday")
    found = sorted({edge for name in after.calendars for edge in _edges(before, after, name, local)})
    dated = {one.date for side in (before, after) for one in side.desk.exceptions}
    special = [edge for edge in found if edge.astimezone(after.desk.zone).date() in dated]
    for edge in sorted({*found[:_MOST_DIFFERENT], *special[:_MOST_DIFFERENT]}):
        yield Moment(at=edge.astimezone(after.desk.zone), why="differs")


def _edges(before: Side, after: Side, department: str, local: datetime) -> Iterator[datetime]:
    """The openings and closings from which on one is open and the other is not."""
    old, new = before.calendars.get(department), after.calendars[department]
    if old is None or old is new:
        return
    for ahead in range(HORIZON_DAYS):
        day = local.date() + timedelta(days=ahead)
        first, second = old.day(day), new.day(day)
        if first == second:
            continue
        for edge in sorted({edge for one in (*first, *second) for edge in (one.start, one.end)}):
            if edge > local and old.is_open(edge) != new.is_open(edge):
                yield edge


def _holiday(desk: Desk, calendar: Calendar, local: datetime) -> datetime | None:
    """The next day that is closed all day though its weekday is not."""
    for ahead in range(1, HORIZON_DAYS):
        day = local.date() + timedelta(days=ahead)
        if desk.hours.of(day.weekday()) and not calendar.day(day):
            return datetime.combine(day, _MORNING, tzinfo=desk.zone)
    return None


def _call(side: Side, at: datetime, language: str, key: str | None, told_in: str) -> list[HeardLine]:
    caller = Caller(number=None, language=language, registered_phone=None, known=False)
    presses = [key] if key is not None else []
    return hear(side.desk, side.calendars, caller, side.desk.numbers[0], at, presses, side.render, told_in=told_in)


def _noticed(lines: Sequence[HeardLine]) -> list[HeardLine]:
    return [one for one in lines if one.kind != "decided"]
