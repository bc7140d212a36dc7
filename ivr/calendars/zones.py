"""Time zones by the names that calendars give them. Pure."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import icalendar
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from ivr.calendars.lines import Block, CalendarProblem, parts

_OFFSET = re.compile(r"\(?(?:UTC|GMT) ?([+\-\u2212]) ?([0-9]{1,2})(?:[:.h]?([0-9]{2}))?\)?")
#: Exchange's own, which say nothing of where they are.
_NAMELESS = ("customized time zone", "tzone://microsoft/custom", "custom", "local", "(none)")
#: Windows' display names of zones that are no city's.
_CALLED = {
    "eastern time": "America/Toronto",
    "est (é.-u. et canada)": "America/Toronto",
    "central time": "America/Winnipeg",
    "mountain time": "America/Edmonton",
    "pacific time": "America/Vancouver",
    "atlantic time": "America/Halifax",
    "newfoundland": "America/St_Johns",
}


class Zones:
    """The zones that one file speaks of. What a file defines itself is good for it alone."""

    def __init__(self, defined: Iterable[Block] = ()) -> None:
        self._defined: dict[str, Block] = {}
        for block in defined:
            name = next((found[2] for _, line in block.lines if (found := parts(line)) and found[0] == "TZID"), "")
            self._defined.setdefault(_clean(name), block)
        self._found: dict[str, tzinfo | None] = {}

    def of(self, tzid: str) -> tzinfo | None:
        """The zone; None for one without a name or a definition, whose times are local. Raises CalendarProblem."""
        name = _clean(tzid)
        if name not in self._found:
            self._found[name] = self._look(name)
        return self._found[name]

    def _look(self, name: str) -> tzinfo | None:
        if (known := _known(name)) is not None:
            return known
        if (block := self._defined.get(name)) is not None:
            return _defined(name, block)
        if name.casefold() in _NAMELESS:
            return None
        if (called := _called(name)) is not None:
            return called
        raise CalendarProblem(f"the time zone « {name[:60]} » is not known", "name it as America/Toronto")


def _clean(name: str) -> str:
    return name.strip().strip('"').strip()


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _known(name: str) -> tzinfo | None:
    """By its name in the time zone database, also behind a vendor's prefix (RFC 5545 section 3.2.19), or Windows'."""
    if name.casefold() in ("utc", "z", "gmt", "etc/utc", "tzone://microsoft/utc"):
        return UTC
    whole = name.strip("/")
    steps = WINDOWS_TO_OLSON.get(whole, whole).casefold().split("/")
    for first in range(len(steps)):
        found = _names().get("/".join(steps[first:]))
        if found is not None and (first == 0 or len(steps) - first > 1):
            return ZoneInfo(found)
    return None


def _called(name: str) -> tzinfo | None:
    """By what Windows shows people, as « (UTC-05:00) Eastern Time (US & Canada) », or by the offset alone."""
    offset = _OFFSET.match(name)
    rest = name[offset.end() :].strip() if offset else name
    low = rest.casefold()
    for called, zone in _CALLED.items():
        if low.startswith(called):
            return ZoneInfo(zone)
    if offset is None:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0)) * (1 if offset[1] == "+" else -1)
    if abs(ahead) > timedelta(hours=14):
        return None
    for city in (part.strip().replace(" ", "_") for part in low.split(",")):
        for known, zone in _names().items():
            if city and known.rpartition("/")[2] == city and _standard(ZoneInfo(zone)) == ahead:
                return ZoneInfo(zone)
    if not rest:
        return timezone(ahead)
    return None


def _standard(zone: ZoneInfo) -> timedelta:
    offsets = [datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)]
    return min(one for one in offsets if one is not None)


def _defined(name: str, block: Block) -> tzinfo | None:
    """As the file itself says. Raises CalendarProblem."""
    kept = []
    for number, line in block.lines:
        found = parts(line)
        if found is None:
            continue
        if found[0] == "X-LIC-LOCATION" and (known := _known(found[2])) is not None:
            return known
        if found[0] == "RRULE" and "FREQ=YEARLY" not in found[2].upper():
            problem = f"line {number}: the time zone « {name[:60]} » changes more often than every year"
            raise CalendarProblem(problem, "name it as America/Toronto", line=number)
        # icalendar keeps zones for the whole process by their names; none of ours may be another file's.
        kept.append("TZID:of-one-file" if found[0] == "TZID" else line)
    text = "\r\n".join(["BEGIN:VTIMEZONE", *kept, "END:VTIMEZONE", ""])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            component = icalendar.Timezone.from_ical(text.encode())
            if not isinstance(component, icalendar.Timezone):
                raise TypeError(component)
            zone: tzinfo = component.to_tz(lookup_tzid=False)
        datetime(2026, 7, 1, tzinfo=zone).utcoffset()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        problem = f"line {block.line}: the time zone « {name[:60]} » cannot be read"
        raise CalendarProblem(problem, "name it as America/Toronto", line=block.line) from error
    return zone
