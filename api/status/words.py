"""The status page's words, in the languages that desks speak."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from ivr import wording
from ivr.statuspage.summary import ServiceState
from ivr.typography import time_of_day, window

#: What each language calls itself.
LANGUAGES = wording.text("languages.own_name")

WORDS = wording.texts("status_page.page")
#: What is said while somebody subscribes.
SUBSCRIBING = wording.texts("status_page.subscribing")
LEVELS = wording.texts("status_page.levels")
_DAYS = wording.text("status_page.days")


def filters(language: str, zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    """How the page says moments, days and bars."""
    locale = f"{language}_CA"

    def spoken(at: datetime) -> str:
        return f"{format_date(at.astimezone(zone), 'long', locale=locale)}, {time_of_day(at, zone, language)}"

    def until(begins: datetime, ends: datetime) -> str:
        return window(begins, ends, zone, day=day_spoken, hour=lambda at: time_of_day(at, zone, language))

    def day_spoken(day: date) -> str:
        return format_date(day, "long", locale=locale)

    def bars_in_words(one: ServiceState) -> str:
        good = sum(day.worst == "none" for day in one.days)
        return _DAYS[language].format(good=good, all=len(one.days))

    return {"spoken": spoken, "until": until, "day_spoken": day_spoken, "bars_in_words": bars_in_words}
