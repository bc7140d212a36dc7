"""A week's hours as a sentence: « du lundi au vendredi, de 8 heures à midi et de 13 heures à 17 heures ». Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import time

from ivr.desk.fields import DAYS, Interval, Week

_DAYS = {
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "en": tuple(day.capitalize() for day in DAYS),
}
_AND = {"fr": " et ", "en": " and "}
_TEXTS = {
    "fr": (
        "Nous sommes fermés en ce moment.",
        "Nos bureaux sont ouverts {hours}.",
        "{{department}}. Nous sommes ouverts {hours}.",
    ),
    "en": ("We are closed at the moment.", "Our office hours are {hours}.", "{{department}}. Our hours are {hours}."),
}


def closed_hours(week: Week, language: str, *, of_department: bool = False) -> str:
    """The text `closed-hours` for these hours, in fr or en; with {department} where it is a department's own.

    A week without hours has no sentence: only that it is closed is said.
    """
    closed, desk, department = _TEXTS[language]
    said = (_AND[language] if language == "en" else ", et ").join(_runs(week, language))
    if not said:
        return closed
    said = (department if of_department else desk).format(hours=said)
    # "to 5 p.m." brings its own stop.
    said = said.replace("m..", "m.")
    if of_department:
        return said
    return f"{closed} {said}"


def _runs(week: Week, language: str) -> Iterator[str]:
    """Days one after the other that have the same hours, together."""
    by_hours = itertools.groupby(range(len(DAYS)), key=week.of)
    for ranges, days in by_hours:
        run = list(days)
        if ranges:
            yield f"{_days(run, language)}, {_ranges(ranges, language)}"


def _days(run: list[int], language: str) -> str:
    first, last = _DAYS[language][run[0]], _DAYS[language][run[-1]]
    if len(run) == 1:
        if language == "fr":
            return f"le {first}"
        return first
    if len(run) == 2:
        if language == "fr":
            return f"le {first} et le {last}"
        return f"{first} and {last}"
    if language == "fr":
        return f"du {first} au {last}"
    return f"{first} to {last}"


def _ranges(ranges: tuple[Interval, ...], language: str) -> str:
    form = "de {} à {}" if language == "fr" else "from {} to {}"
    said = [form.format(_time(one.start, language), _time(one.end or time(0), language)) for one in ranges]
    *most, last = said
    if most:
        return f"{', '.join(most)}{_AND[language]}{last}"
    return last


def _time(at: time, language: str) -> str:
    if language == "fr":
        hour = {0: "minuit", 12: "midi"}.get(at.hour, f"{at.hour} heure{'s' if at.hour > 1 else ''}")
        if at.minute:
            return f"{hour} {at.minute:02}"
        return hour
    if at.minute == 0 and at.hour in (0, 12):
        if at.hour == 0:
            return "midnight"
        return "noon"
    minutes = f":{at.minute:02}" if at.minute else ""
    return f"{(at.hour - 1) % 12 + 1}{minutes} {'a.m.' if at.hour < 12 else 'p.m.'}"
