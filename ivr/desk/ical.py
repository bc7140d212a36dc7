"""Closures imported from iCalendar files (RFC 5545): holidays of the house, works, meetings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import recurring_ical_events

from ivr.desk.load import DeskError

#: Rules that repeat more often than daily would only make a calendar slow to read.
_TOO_OFTEN = ("SECONDLY", "MINUTELY", "HOURLY")


class Closures:
    """The events of one file. A whole-day event closes its days, any other its time; a cancelled one nothing."""

    def __init__(self, events: recurring_ical_events.CalendarQuery) -> None:
        self._events = events

    @classmethod
    def read(cls, file: Path) -> Closures:
        """The closures in a file. Raises DeskError that names the line of an event that cannot be used."""
        mend = "give an iCalendar file (RFC 5545) with one VCALENDAR"
        try:
            content = file.read_bytes()
            calendar = icalendar.Calendar.from_ical(content)
        except (OSError, ValueError) as error:
            problem = " ".join(str(error).split())[:200]
            raise DeskError(file=file, line=1, field="", problem=problem, mend=mend) from error
        if not isinstance(calendar, icalendar.Calendar):
            raise DeskError(file=file, line=1, field="", problem="holds no VCALENDAR", mend=mend)
        lines = [number for number, line in enumerate(content.splitlines(), 1) if line.strip() == b"BEGIN:VEVENT"]
        for line, event in zip(lines, calendar.events, strict=False):
            # Tried one by one, now: a rule that cannot be read must not be found out during a call.
            if (wrong := _problem(event)) is not None:
                raise DeskError(file=file, line=line, field="VEVENT", problem=wrong, mend="correct or remove it")
        return cls(recurring_ical_events.of(calendar))

    def around(self, midnight: datetime) -> Iterator[tuple[date, date]]:
        """(start, end) of every event that may touch the day that begins at `midnight`, as written in the file."""
        margin = timedelta(days=1)
        for event in self._events.between(midnight - margin, midnight + 2 * margin):
            if event.get("STATUS") != "CANCELLED":
                yield event["DTSTART"].dt, event["DTEND"].dt


def _problem(event: icalendar.Event) -> str | None:
    """Why an event cannot be used."""
    try:
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            often = [str(word) for word in rule.get("FREQ", []) if word in _TOO_OFTEN]
            if often:
                return f"repeats {often[0]}; DAILY is the most"
        start = event.start
        moment = datetime(start.year, start.month, start.day, tzinfo=UTC)
        alone = icalendar.Calendar()
        alone.add_component(event)
        recurring_ical_events.of(alone).between(moment - timedelta(days=1), moment + timedelta(days=2))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        return " ".join(str(error).split())[:200]
    return None
