"""What is written around reports, in French and English."""

from __future__ import annotations

from datetime import date
from typing import Final

from babel.dates import format_date

from ivr import wording
from ivr.reports.model import Reminder

WORDS: Final = wording.texts("reports.emails")


def day_spoken(day: date, language: str) -> str:
    """A day as people say it."""
    return format_date(day, "long", locale=f"{language}_CA")


def reminder(kind: Reminder, language: str, *, desk: str, incident: int, day: date, title: str) -> tuple[str, str]:
    """Subject and body of the e-mail that reminds operations."""
    say, facts = WORDS[language], {"desk": desk, "id": incident, "day": day_spoken(day, language), "title": title}
    return say[f"{kind}_subject"].format(**facts), say[f"{kind}_body"].format(**facts)


def to_confirm(language: str, *, desk: str, title: str, url: str) -> tuple[str, str]:
    """Subject and body of the e-mail that asks whether the report is wanted."""
    say = WORDS[language]
    return say["confirm_subject"].format(desk=desk), say["confirm_body"].format(title=title, url=url)


def ready(language: str, *, desk: str, title: str, url: str, pdf: str) -> tuple[str, str]:
    """Subject and body of the e-mail with the report's links."""
    say = WORDS[language]
    return say["ready_subject"].format(desk=desk, title=title), say["ready_body"].format(title=title, url=url, pdf=pdf)
