"""What the line makes of a file that somebody sent, told to an operator; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from ivr.calendars.events import Calendar, Occurrence
from ivr.calendars.lines import CalendarProblem
from ivr.calendars.series import AHEAD, series_of
from ivr.desk.schema import Desk
from ivr.directory.csv_columns import LISTS
from ivr.errors import BadInput
from ivr.lists.sheets import plain, read_sheet
from ivr.numbers.normalise import NotANumber, read_number
from ivr.oncall.ical import in_order, stints_of

#: So much of a file is told.
_MOST_LINES = 200
_NUMBERS = ("number", "numero", "phone", "phones", "telephone", "telephones", "mobile", "cellulaire", "caller id")


def of_calendar(data: bytes, desk: Desk, now: datetime) -> Iterator[str]:
    """A calendar as a rota, as closures and as maintenance of a desk. Raises CalendarProblem for what is none."""
    calendar = Calendar.read(data)
    yield f"{len(calendar.events)} events, in the time of {desk.timezone}"
    for event in calendar.events:
        if event.cancelled:
            yield f"  {event.name} is called off"
    yield "As a rota:"
    yield from _told(_rota(calendar, desk, now))
    coming = sorted(_coming(calendar, desk, now))
    yield f"As closures, until {now + AHEAD:%Y-%m-%d}:"
    yield from _told(f"closed {when}  {title}" for _, when, title in coming)
    yield f"As maintenance, until {now + AHEAD:%Y-%m-%d}:"
    yield from _told(f"{when}  {title}" for _, when, title in coming)


def of_list(data: bytes, region: str) -> Iterator[str]:
    """A list's rows, its numbers as E.164. Raises AllBadInput for what is no list."""
    headings = {plain(called): one.name for each in LISTS for one in each.columns for called in (one.name, *one.called)}
    sheet = read_sheet("list", data, {**headings, **{name: name for name in _NUMBERS}})
    yield f"{len(sheet.rows)} rows; columns: {', '.join(sheet.headings.values()) or 'none that is known'}"
    if sheet.ignored:
        yield f"not looked at: {', '.join(sheet.ignored)}"
    numbers = [column for column in sheet.headings if plain(column) in _NUMBERS or plain(column) == "e164"]
    yield from _told(
        f"row {row.number}: "
        + "; ".join(_cell(name, cell, name in numbers, region) for name, cell in row.cells.items())
        for row in sheet.rows
    )


def _cell(name: str, cell: str, is_number: bool, region: str) -> str:
    if not is_number:
        return f"{name} {cell!r}"
    try:
        found = read_number(cell, region)
    except NotANumber as error:
        return f"{name} {cell!r} {error.problem}: {error.mend}"
    return f"{name} +{found.e164}" + (f", extension {found.extension}" if found.extension else "")


def _rota(calendar: Calendar, desk: Desk, now: datetime) -> Iterator[str]:
    if desk.oncall is None:
        yield f"{desk.id} has nobody on call"
        return
    try:
        found = [stints_of(each, desk.oncall.people, desk.zone) for each in series_of(calendar, desk.zone, now)]
        for one in in_order(stint for stints in found for stint in stints.values()):
            start, end = one.start.astimezone(desk.zone), one.end.astimezone(desk.zone)
            yield f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}  {desk.oncall.people[one.person].name}"
    except BadInput as error:
        yield f"nothing is taken: {error.problem}. To mend it: {error.mend}"


def _coming(calendar: Calendar, desk: Desk, now: datetime) -> Iterator[tuple[datetime, str, str]]:
    for one in calendar.between(now, now + AHEAD):
        if not one.cancelled:
            yield _moment(one.start, desk), _when(one, desk), one.event.title


def _when(one: Occurrence, desk: Desk) -> str:
    if not isinstance(one.start, datetime):
        last = one.end - timedelta(days=1)
        if last <= one.start:
            return f"{one.start} all day"
        return f"{one.start} to {last} all day"
    start, end = (_moment(at, desk).astimezone(desk.zone) for at in (one.start, one.end))
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def _moment(at: date, desk: Desk) -> datetime:
    moment = at if isinstance(at, datetime) else datetime.combine(at, time(0))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=desk.zone)).astimezone(UTC)


def _told(lines: Iterable[str]) -> Iterator[str]:
    nothing = True
    for n, line in enumerate(lines):
        nothing = False
        if n == _MOST_LINES:
            yield "  …"
            return
        yield f"  {line}"
    if nothing:
        yield "  nothing"


def problems(error: BadInput) -> Iterator[str]:
    """Return what is wrong with a file, each with its mend."""
    for one in getattr(error, "errors", (error,)):
        where = "" if isinstance(one, CalendarProblem) else f"{one.field}: "
        yield f"{where}{one.problem}. To mend it: {one.mend}"
