"""An event's properties, read one by one (RFC 5545). Raises CalendarProblem with the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from icalendar.prop import vDuration, vRecur, vText

from ivr.calendars.lines import CalendarProblem
from ivr.calendars.zones import Zones

#: Recurring events are reckoned no further than this.
LAST = datetime(2099, 12, 31, tzinfo=UTC)


_YEARS = range(1900, 2100)


PER_YEAR = {"DAILY": 365.25, "WEEKLY": 52.2, "MONTHLY": 12.0, "YEARLY": 1.0}


_MOMENT = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[T ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?(?:[.,][0-9]+)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII | re.IGNORECASE,
)


EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


Property = tuple[dict[str, str], str]


_Wrong = Callable[[str, str], CalendarProblem]


def read_text(value: str) -> str:
    """Return a text without its escapes (RFC 5545 section 3.3.11)."""
    plain = str(vText.from_ical(value))
    return " ".join("".join(sign if sign.isprintable() else " " for sign in plain).split())[:200]


def read_attendees(given: Iterable[Property]) -> Iterator[str]:
    """Yield the names or addresses of those who attend."""
    for parameters, value in given:
        if parameters.get("PARTSTAT", "").upper() != "DECLINED":
            yield parameters.get("CN", "").strip('" ')[:200]
            yield value.strip().removeprefix("mailto:").removeprefix("MAILTO:")[:200]


def read_sequence(given: Sequence[Property] | None, wrong: _Wrong) -> int:
    """Return how often an event was revised, 0 where it is not said."""
    value = given[0][1].strip() if given else "0"
    if not re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
        raise wrong(f"SEQUENCE is {value[:40]!r}, no number", "correct or remove it")
    return int(value)


def read_moment(name: str, parameters: dict[str, str], value: str, zones: Zones, wrong: _Wrong) -> date:
    """A date, a floating or an aware moment; also in the extended forms of ISO 8601, and with an offset."""
    found = _MOMENT.fullmatch(value.strip())
    try:
        if found is None:
            raise ValueError
        day = date(*map(int, found.group(1, 2, 3)))
        if found[4] is None or parameters.get("VALUE", "").upper() == "DATE":
            return _of_ours(day)
        moment = datetime.combine(day, time(int(found[4]), int(found[5]), min(int(found[6] or 0), 59)))
        _of_ours(moment)
        if found[7] is not None:
            return datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S}{found[7].upper()}")
    except ValueError:
        raise wrong(f"{name} is {value[:40]!r}, no date and time of ours", "write it as 20261224T170000") from None
    if "TZID" not in parameters:
        return moment
    try:
        return moment.replace(tzinfo=zones.of(parameters["TZID"]))
    except CalendarProblem as error:
        if error.line is not None:
            raise
        raise wrong(f"{name}: {error.problem}", error.mend) from None


def _of_ours(day: date) -> date:
    if day.year not in _YEARS:
        raise ValueError(day)
    return day


def read_end(start: date, end: date | None, duration: Sequence[Property] | None, wrong: _Wrong) -> date:
    """Return when an event ends, from its end or its duration."""
    if end is None and duration:
        try:
            length = _duration(duration[0][1])
            end = start + length
        except (ValueError, OverflowError, TypeError):
            problem = f"DURATION is {duration[0][1][:40]!r}, no duration"
            raise wrong(problem, "write it as PT12H or P7D") from None
        if not isinstance(start, datetime) and length % timedelta(days=1):
            end = datetime.combine(start, time(0)) + length
    if end is None:
        if isinstance(start, datetime):
            return start
        return start + timedelta(days=1)
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise wrong("one of start and end is a day, the other a time", "give two days, or two times")
    if isinstance(start, datetime) and isinstance(end, datetime) and (start.tzinfo is None) != (end.tzinfo is None):
        end = end.replace(tzinfo=start.tzinfo) if end.tzinfo is None else end
        start = start.replace(tzinfo=end.tzinfo)
    if end < start:
        raise wrong("the end is before the start", "give a later end")
    return end


def _duration(value: str) -> timedelta:
    length: timedelta = vDuration.from_ical(value.strip())  # type: ignore[no-untyped-call]
    return length


def read_dates(name: str, given: Property, zones: Zones, wrong: _Wrong) -> Iterator[date | tuple[datetime, datetime]]:
    """Yield dates and periods of a list."""
    parameters, value = given
    for each in filter(None, (part.strip() for part in value.split(","))):
        first, slash, last = each.partition("/")
        start = read_moment(name, parameters, first, zones, wrong)
        if not slash:
            yield start
            continue
        try:
            end = start + _duration(last) if last[:1] in "P+-" else None
        except (ValueError, OverflowError):
            raise wrong(f"{name} has the period {each[:40]!r}", "write it as START/END or START/DURATION") from None
        if end is not None:
            end = end
        else:
            end = read_moment(name, parameters, last, zones, wrong)
        if not isinstance(start, datetime) or not isinstance(end, datetime) or end < start:
            raise wrong(f"{name} has the period {each[:40]!r}", "write it as START/END or START/DURATION")
        yield start, end


def read_rule(value: str, start: date, wrong: _Wrong) -> vRecur:
    """A rule that ends, at the latest with what is reckoned with."""
    try:
        rule: vRecur = vRecur.from_ical(value.strip())
        often = str(rule["FREQ"][0]).upper()
        until = rule.get("UNTIL", [None])[0]
        counts = [int(one) for name in ("COUNT", "INTERVAL") for one in rule.get(name, ())]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        problem = " ".join(str(error).split())[:100]
        raise wrong(f"RRULE {value[:80]!r} cannot be read ({problem})", "correct or remove it") from None
    if often in ("SECONDLY", "MINUTELY", "HOURLY"):
        raise wrong(f"repeats {often}; DAILY is the most", "correct or remove it")
    if often not in PER_YEAR or any(one < 1 for one in counts):
        raise wrong(f"RRULE {value[:80]!r} cannot be read", "correct or remove it")
    if until is not None:
        rule["UNTIL"] = [_until(until, start)]
    elif "COUNT" not in rule:
        rule["UNTIL"] = [_until(LAST, start)]
    return rule


def _until(until: date, start: date) -> date:
    """The end of a rule as its start is written: RFC 5545 asks for that, and programs do not care."""
    if not isinstance(start, datetime):
        if isinstance(until, datetime):
            return until.date()
        return until
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(23, 59, 59), tzinfo=start.tzinfo)
    elif until.tzinfo is None:
        until = until.replace(tzinfo=start.tzinfo)
    if start.tzinfo is None:
        return until.replace(tzinfo=None)
    return until.astimezone(UTC)
