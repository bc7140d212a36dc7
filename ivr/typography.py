"""How moments are written for people, where Babel's own way is not what they read in Quebec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo

from babel.dates import format_time

#: Keeps an hour on one line.
_NO_BREAK = "\u00a0"
_AROUND_SIGNS = re.compile(r" (?=[:;?!%»])|(?<=«) ")


def time_of_day(at: datetime, zone: tzinfo, language: str) -> str:
    """« 9 h 05 » and « 13 h », as the Office québécois de la langue française has it; 9:05 a.m. in English."""
    if language == "fr":
        local = at.astimezone(zone)
        hour = f"{local.hour}{_NO_BREAK}h"
        if local.minute:
            return f"{hour}{_NO_BREAK}{local.minute:02}"
        return hour
    return format_time(at, "short", zone, f"{language}_CA")


def window(
    begins: datetime, ends: datetime, zone: tzinfo, *, day: Callable[[date], str], hour: Callable[[datetime], str]
) -> str:
    """« 5 décembre 2026, 1 h – 4 h »: the day is said once when it is the same."""
    first, last = begins.astimezone(zone).date(), ends.astimezone(zone).date()
    end = hour(ends) if first == last else f"{day(last)}, {hour(ends)}"
    return f"{day(first)}, {hour(begins)} – {end}"


def typeset(text: str) -> str:
    """A French text whose signs stay on the line of their word: « Une panne : quoi ? »."""
    return _AROUND_SIGNS.sub(_NO_BREAK, text)


def typeset_all(texts: Mapping[str, str]) -> dict[str, str]:
    """A table of French texts, each as `typeset` has it."""
    return {name: typeset(text) for name, text in texts.items()}
