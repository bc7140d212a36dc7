"""Closures imported from iCalendar files (RFC 5545): holidays of the house, works, meetings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from ivr.calendars.events import Calendar
from ivr.calendars.lines import CalendarProblem
from ivr.desk.load import DeskError

_DAY = timedelta(days=1)


class Closures:
    """The events of one file. A whole-day event closes its days, any other its time; a cancelled one nothing."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._of_year = lru_cache(maxsize=4)(self._of_a_year)

    @classmethod
    def read(cls, file: Path) -> Closures:
        """The closures in a file, all or none. Raises DeskError that names the line of an event that cannot be used."""
        try:
            return cls(Calendar.read(file.read_bytes()))
        except OSError as error:
            mend = "give an iCalendar file (RFC 5545) with one VCALENDAR"
            raise DeskError(file=file, line=1, field="", problem=str(error), mend=mend) from error
        except CalendarProblem as error:
            field = "" if error.line is None else "VEVENT"
            raise DeskError(
                file=file, line=error.line or 1, field=field, problem=error.problem, mend=error.mend
            ) from error

    def around(self, midnight: datetime) -> Iterator[tuple[date, date]]:
        """(start, end) of every event that may touch the day that begins at `midnight`, as written in the file."""
        first, last = midnight - _DAY, midnight + 2 * _DAY
        for year in range(first.year, last.year + 1):
            for start, end in self._of_year(year):
                if _begins(start) < last and _begins(end) >= first:
                    yield start, end

    def _of_a_year(self, year: int) -> list[tuple[date, date]]:
        """Found at once and kept: each call asks for today, and perhaps for every day until the next opening."""
        start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        found = self._calendar.between(start - _DAY, end + _DAY)
        return [(one.start, one.end) for one in found if not one.cancelled]


def _begins(at: date) -> datetime:
    """Near enough to leave out what is days away: wherever it is, local time is within a day of this."""
    if not isinstance(at, datetime):
        return datetime(at.year, at.month, at.day, tzinfo=UTC)
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    return at
