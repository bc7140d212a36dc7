"""What a calendar within an e-mail says, in two lines a person reads (RFC 5545, RFC 5546). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import icalendar

#: A method that answers an invitation, and is no word of a person's (RFC 5546 section 1.4).
ANSWERS: Final = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})
#: Bytes of a calendar that are read: reading takes long.
_READ: Final = 60_000
_SHOWN: Final = 5
_METHOD: Final = re.compile(r"^METHOD[ \t]*:[ \t]*([A-Za-z-]{1,20})", re.MULTILINE | re.IGNORECASE)
_WORDS: Final = {"CANCEL": "Invitation annulée", "REQUEST": "Invitation"}
#: Lines that hold text of any length, and that nobody needs here: of an invitation they are nearly all of it.
_HEAVY: Final = re.compile(r"^(?:ATTACH|X-ALT-DESC|DESCRIPTION|COMMENT)[;:].*\r?\n(?:[ \t].*\r?\n)*", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A calendar; its `method` in capitals, empty when it has none."""

    method: str
    summary: str


def invitation(text: str, method: str | None) -> Invitation | None:
    """Return what a calendar says; `method` is the one of its Content-Type. None when it is no calendar."""
    if not re.search(r"^\ufeff?\s*BEGIN:VCALENDAR", text, re.IGNORECASE | re.MULTILINE):
        return None
    found = _METHOD.search(text)
    named = (method or (found[1] if found else "")).upper()
    try:
        calendar = icalendar.Calendar.from_ical(_HEAVY.sub("", text[:_READ].lstrip("\ufeff")))
        events = calendar.walk("VEVENT") if isinstance(calendar, icalendar.Calendar) else []
        lines = [_line(one, named) for one in events[:_SHOWN]]
    except Exception:
        lines = []
    if not lines:
        lines = [_WORDS.get(named, "Calendrier")]
    return Invitation(method=named, summary="\n".join(lines))


def _line(event: icalendar.Component, method: str) -> str:
    cancelled = method == "CANCEL" or str(event.get("STATUS", "")).upper() == "CANCELLED"
    word = _WORDS["CANCEL"] if cancelled else _WORDS.get(method, "Événement")
    parts = [f"{word} : {' '.join(str(event.get('SUMMARY', '–')).split())[:200]}", _when(event)]
    place = " ".join(str(event.get("LOCATION", "")).split())[:200]
    return ", ".join(part for part in (*parts, place) if part)


def _when(event: icalendar.Component) -> str:
    start = getattr(event.get("DTSTART"), "dt", None)
    end = getattr(event.get("DTEND"), "dt", None)
    if not isinstance(start, date):
        return ""
    if not isinstance(start, datetime):
        return f"{start:%Y-%m-%d}"
    # The zone as the invitation names it: whoever wrote it has their clock there.
    zone = str(getattr(event.get("DTSTART"), "params", {}).get("TZID", "")) or (start.tzname() or "")
    said = f"{start:%Y-%m-%d %H:%M}"
    if isinstance(end, datetime):
        said += f"–{end:%H:%M}" if end.date() == start.date() else f" – {end:%Y-%m-%d %H:%M}"
    if zone:
        return f"{said} ({zone[:60]})"
    return said
