"""The status page's words, in the languages that desks speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from ivr.incidents.status import Indicator, ServiceState

#: What each language calls itself.
LANGUAGES: Mapping[str, str] = {"fr": "Français", "en": "English"}

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "title": "État des services",
        "languages": "Langue",
        "feed": "Fil Atom",
        "services": "Les services, sur 90 jours",
        "history": "Derniers incidents",
        "nothing": "Aucun incident depuis 90 jours.",
        "nothing_else": "Aucun autre incident depuis 90 jours.",
        "as_of": "À jour le",
        "back": "Tous les services",
    },
    "en": {
        "title": "Service status",
        "languages": "Language",
        "feed": "Atom feed",
        "services": "Services, over 90 days",
        "history": "Past incidents",
        "nothing": "No incident in the last 90 days.",
        "nothing_else": "No other incident in the last 90 days.",
        "as_of": "As of",
        "back": "All services",
    },
}
LEVELS: Mapping[str, Mapping[Indicator, str]] = {
    "fr": {"none": "opérationnel", "minor": "perturbé", "major": "panne partielle", "critical": "panne majeure"},
    "en": {"none": "operational", "minor": "degraded", "major": "partial outage", "critical": "major outage"},
}
_DAYS: Mapping[str, str] = {
    "fr": "{good} jours sans incident sur {all}",
    "en": "{good} days without an incident out of {all}",
}


def filters(language: str, zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    """How the page says moments, days and bars."""
    locale = f"{language}_CA"

    def spoken(at: datetime) -> str:
        return f"{format_date(at.astimezone(zone), 'long', locale=locale)}, {format_time(at, 'short', zone, locale)}"

    def day_spoken(day: date) -> str:
        return format_date(day, "long", locale=locale)

    def bars_in_words(one: ServiceState) -> str:
        good = sum(day.worst == "none" for day in one.days)
        return _DAYS[language].format(good=good, all=len(one.days))

    return {"spoken": spoken, "day_spoken": day_spoken, "bars_in_words": bars_in_words}
