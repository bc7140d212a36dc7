"""Moments as people say them: « lundi à 8 heures ». Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from babel.dates import format_date

from ivr.clock import require_aware
from ivr.desk.hours import Calendar


def opening_phrase(opening: datetime, now: datetime, language: str) -> str:
    """Return when `opening` is, said at `now`; both aware, the day as in `opening`'s own time zone.

    « aujourd’hui à 13 heures », « demain à 8 heures », « lundi à 8 heures » within six days, and
    « le mardi 5 janvier à 8 heures » beyond; in English "today at 1 p.m.", "Monday at 8 a.m.".
    """
    local = require_aware(now).astimezone(require_aware(opening).tzinfo)
    days = (opening.date() - local.date()).days
    if language == "fr":
        return _french(opening, days)
    return _english(opening, days)


def _french(opening: datetime, days: int) -> str:
    if days == 0:
        day = "aujourd’hui"
    elif days == 1:
        day = "demain"
    elif days < 7:
        day = format_date(opening, "EEEE", locale="fr_CA")
    else:
        first = "1er " if opening.day == 1 else f"{opening.day} "
        day = (
            "le " + format_date(opening, "EEEE ", locale="fr_CA") + first + format_date(opening, "MMMM", locale="fr_CA")
        )
    hour = {0: "minuit", 12: "midi"}.get(opening.hour, f"{opening.hour} heure{'s' if opening.hour > 1 else ''}")
    minutes = f" {opening.minute}" if opening.minute else ""
    return f"{day} à {hour}{minutes}"


def _english(opening: datetime, days: int) -> str:
    if days == 0:
        day = "today"
    elif days == 1:
        day = "tomorrow"
    elif days < 7:
        day = format_date(opening, "EEEE", locale="en_CA")
    else:
        day = format_date(opening, "EEEE, MMMM d", locale="en_CA")
    if opening.minute == 0 and opening.hour in (0, 12):
        return f"{day} at {'midnight' if opening.hour == 0 else 'noon'}"
    minutes = f":{opening.minute:02}" if opening.minute else ""
    half = "a.m." if opening.hour < 12 else "p.m."
    return f"{day} at {(opening.hour - 1) % 12 + 1}{minutes} {half}"


def phrases_ahead(
    calendars: Iterable[Calendar], languages: Iterable[str], start: datetime, days: int
) -> set[tuple[str, str]]:
    """Every (language, phrase) that a closed desk may have to say during `days` days from `start`.

    So that their sounds are built before a call needs them.
    """
    wanted: set[tuple[str, str]] = set()
    kinds = tuple(languages)
    for calendar in calendars:
        local = require_aware(start).astimezone(calendar.zone)
        for ahead in range(days):
            moment = local + timedelta(days=ahead)
            # What is next may differ within a day only at its openings and closings.
            edges = [edge for opening in calendar.day(moment.date()) for edge in (opening.start, opening.end)]
            for now in (moment.replace(hour=0, minute=0, second=0, microsecond=0), *edges):
                opening = None if calendar.is_open(now) else calendar.next_opening(now)
                if opening is not None:
                    wanted |= {(language, opening_phrase(opening, now, language)) for language in kinds}
    return wanted
