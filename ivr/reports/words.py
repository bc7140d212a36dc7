"""What is written around reports, in French and English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from babel.dates import format_date

from ivr.reports.model import Reminder

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "title": "Rapport d’incident",
        "published": "Publié le {day}",
        "draft": "Ébauche, non publiée",
        "confirm_subject": "{desk} : confirmez que vous voulez le rapport d’incident",
        "confirm_body": "Bonjour,\n\nQuelqu’un, sans doute vous, a demandé le rapport sur cet incident :\n{title}\n\n"
        "Pour le recevoir dès qu’il sera publié, ouvrez cette page d’ici 24 heures :\n{url}\n\n"
        "Si ce n’était pas vous, ne faites rien : aucun autre courriel ne vous sera envoyé.",
        "ready_subject": "{desk} : rapport d’incident – {title}",
        "ready_body": "Bonjour,\n\nLe rapport que vous avez demandé est publié :\n{title}\n\n"
        "Pour le lire :\n{url}\n\nEn PDF :\n{pdf}",
        "soon_subject": "{desk} : le rapport de l’incident {id} est dû le {day}",
        "soon_body": "Le rapport de l’incident {id} n’est pas publié. Il est dû le {day}.\n\n{title}",
        "overdue_subject": "{desk} : le rapport de l’incident {id} est en retard",
        "overdue_body": "Le rapport de l’incident {id} devait être publié le {day} et ne l’est pas.\n\n{title}",
    },
    "en": {
        "title": "Incident report",
        "published": "Published on {day}",
        "draft": "Draft, not published",
        "confirm_subject": "{desk}: confirm that you want the incident report",
        "confirm_body": "Hello,\n\nSomebody, probably you, asked for the report on this incident:\n{title}\n\n"
        "To get it as soon as it is published, open this page within 24 hours:\n{url}\n\n"
        "If it was not you, do nothing: you will receive no other e-mail.",
        "ready_subject": "{desk}: incident report – {title}",
        "ready_body": "Hello,\n\nThe report that you asked for is published:\n{title}\n\nTo read it:\n{url}\n\n"
        "As PDF:\n{pdf}",
        "soon_subject": "{desk}: the report on incident {id} is due on {day}",
        "soon_body": "The report on incident {id} is not published. It is due on {day}.\n\n{title}",
        "overdue_subject": "{desk}: the report on incident {id} is overdue",
        "overdue_body": "The report on incident {id} was due on {day} and is not published.\n\n{title}",
    },
}


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
