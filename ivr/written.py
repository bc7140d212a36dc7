"""How moments are written for people, where Babel's own way is not what they read in Quebec."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from babel.dates import format_time

#: Keeps an hour on one line.
_NO_BREAK = "\u00a0"
_AROUND_SIGNS = re.compile(r" (?=[:;?!%»])|(?<=«) ")


def time_of_day(at: datetime, zone: tzinfo, language: str) -> str:
    """« 9 h 05 » and « 13 h », as the Office québécois de la langue française has it; 9:05 a.m. in English."""
    if language == "fr":
        local = at.astimezone(zone)
        hour = f"{local.hour}{_NO_BREAK}h"
        return f"{hour}{_NO_BREAK}{local.minute:02}" if local.minute else hour
    return format_time(at, "short", zone, f"{language}_CA")


def typeset(text: str) -> str:
    """A French text whose signs stay on the line of their word: « Une panne : quoi ? »."""
    return _AROUND_SIGNS.sub(_NO_BREAK, text)
