"""What happened to a ticket, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from babel.numbers import format_decimal

from api.console import words

#: What is one of a few, and called by a word of its own.
_NAMED = ("status", "kind", "priority", "impact", "verdict", "route", "state", "identified_by", "person")
#: The clocks are called so in both languages.
_CLOCKS = {"tmr": "TMR", "tr": "TR"}


def changes(
    noted: Mapping[str, Any], language: str, labels: Collection[str], moment: Callable[[datetime], str]
) -> list[tuple[str, str]]:
    """Return what an event of a ticket changed: what it is called, and what it is now.

    `labels` have a word in forms.
    """
    said = []
    for name, value in noted.items():
        if name in labels:
            label = words.WORDS[language][name]
        else:
            label = words.NOTED[language].get(name, name)
        if not label:
            continue
        now = value["to"] if isinstance(value, Mapping) and "to" in value else value
        if name == "due_at" and now is not None:
            now = moment(now if isinstance(now, datetime) else datetime.fromisoformat(now))
        said.append((label, _value(name, now, language)))
    return said


def _value(name: str, value: Any, language: str) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return words.WORDS[language]["yes" if value else "no"]
    if isinstance(value, float):
        return format_decimal(value, "#,##0.#", f"{language}_CA")
    if name == "clock":
        return _CLOCKS.get(value, str(value))
    if isinstance(value, list):
        return ", ".join(_value(name, one, language) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(_value("", one, language) for one in value.values() if one is not None)
    if name in _NAMED:
        return words.VALUES[language].get(value, value)
    return str(value)
