"""Whether the spoken hours (`closed-hours`) say what the hours are: texts do not change with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivr.desk.fields import DAYS, Week
from ivr.desk.schema import Desk

_DAY_MIN = 24 * 60
_FRENCH = re.compile(r"\b(\d{1,2})\s*(?:heures?|h)\b\s*(\d{2})?|\b(midi|minuit)\b(?:\s+(\d{2}))?", re.IGNORECASE)
#: "from 1 to 5 p.m." leaves one half of the day out, so that English is compared by the clock face.
_ENGLISH = re.compile(
    r"\b(\d{1,2})(?::(\d{2}))?(?=\s*(?:a\.?m\b|p\.?m\b|to\b|until\b|-|–))|\b(noon|midnight)\b()", re.IGNORECASE
)


def contradictions(desks: Mapping[str, Desk]) -> list[str]:
    """A sentence for each text that names other times than the hours have; a text without times says nothing false."""
    return [told for desk in desks.values() for told in _of(desk)]


def _of(desk: Desk) -> Iterator[str]:
    spoken = {"closed-hours": desk.hours}
    spoken |= {f"closed-hours-{name}": one.hours for name, one in desk.departments.items() if one.hours is not None}
    for prompt, week in spoken.items():
        for language, text in desk.texts.get(prompt, {}).items():
            round_min = _DAY_MIN if language == "fr" else _DAY_MIN // 2
            said = {minutes % round_min for minutes in _said(text, language)}
            meant = {minutes % round_min for minutes in _meant(week)}
            if not said or said == meant:
                continue
            unsaid, untrue = (_clock(some) for some in (meant - said, said - meant))
            facts = [f"{unsaid} is not said" if unsaid else "", f"{untrue} is said" if untrue else ""]
            yield (
                f"{desk.id}: texts.{prompt}.{language} says other times than the hours: "
                f"{'; '.join(filter(None, facts))}; change the text or the hours"
            )


def _meant(week: Week) -> Iterator[int]:
    """Return when the line opens and closes, in minutes from midnight."""
    for day in range(len(DAYS)):
        for one in week.of(day):
            yield one.start.hour * 60 + one.start.minute
            yield one.end.hour * 60 + one.end.minute if one.end is not None else 0


def _said(text: str, language: str) -> Iterator[int]:
    for found in (_FRENCH if language == "fr" else _ENGLISH).finditer(text):
        if found[1]:
            hour = int(found[1])
        elif found[3].lower() in ("midi", "noon"):
            hour = 12
        else:
            hour = 0
        yield hour * 60 + int(found[2] or found[4] or 0)


def _clock(minutes: set[int]) -> str:
    return ", ".join(f"{one // 60}:{one % 60:02}" for one in sorted(minutes))
