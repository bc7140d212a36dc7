"""What the console says, in words of the page's language."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.routing import APIRoute

from api.console import history, words
from api.console.router import SECTIONS


@pytest.mark.parametrize(
    ("field", "fr", "en"),
    [
        ("line 3, number", "ligne 3, numéro", "line 3, number"),
        ("texts.en", "Texte (anglais)", "Text (English)"),
        ("form.text_fr", "Texte (français)", "Text (French)"),
        ("affected.accounts.2", "Numéro de compte 3", "Account number 3"),
        ("details.start", "Début", "Start"),
        ("ends_at", "Fin", "Ends"),
        ("what.ever", "what.ever", "what.ever"),
    ],
)
def test_a_field_is_called_as_in_the_form(field: str, fr: str, en: str) -> None:
    assert words.place("fr", field) == fr
    assert words.place("en", field) == en


def test_what_was_written_is_between_the_quotation_marks_of_the_language() -> None:
    problem = "the directory does not know 'C-9999'"
    assert words.said("fr", problem) == "l’annuaire ne connaît pas «\u00a0C-9999\u00a0»"
    assert words.said("en", problem) == problem


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ({"status": {"from": "new", "to": "in-progress"}}, [("Statut", "en cours")]),
        ({"on_site": {"from": None, "to": True}}, [("Visite nécessaire", "oui")]),
        ({"impact": {"from": "one", "to": None}}, [("Impact", "—")]),
        ({"text": "Bonjour"}, [("Texte", "Bonjour")]),
        ({"seconds": 5.74}, [("Durée (s)", "5,7")]),
        ({"trace": "4f6e", "verdict": "uplink"}, [("Verdict", "liaison montante du client")]),
        ({"clock": "tr", "due_at": "2026-12-05T06:00:00+00:00"}, [("Horloge", "TR"), ("Échéance", "6 h")]),
        ({"details": {"from": None, "to": {"numbers": ["418"], "unknown": None}}}, [("Précisions", "418")]),
    ],
)
def test_what_happened_to_a_ticket(noted: dict[str, Any], told: list[tuple[str, str]]) -> None:
    def moment(at: datetime) -> str:
        return f"{at.astimezone(UTC).hour} h"

    assert history.changes(noted, "fr", {"status", "on_site", "impact"}, moment) == told


def test_all_that_can_be_done_has_a_french_word_in_the_audit() -> None:
    routes = [route for section in SECTIONS for route in section.router.routes if isinstance(route, APIRoute)]
    done = {route.name.replace("_", " ") for route in routes if "POST" in (route.methods or ())}
    assert {language: set(said) for language, said in words.ACTIONS.items()} == {"fr": done, "en": set()}
