"""Who gets a ticket and who may ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ivr.desk.schema import Desk
from ivr.desk.ticketing import Ticketing
from ivr.directory.model import Partner
from ivr.tickets.emails import partner_email
from ivr.tickets.routing import may_ask, route
from tests.unit.tickets.conftest import ticket

ELITE = Partner(id=1, name="Réseaux Boréal", tier="elite")
STANDARD = Partner(id=2, name="Télécom Estrie", tier="standard")


@pytest.mark.parametrize(
    ("fields", "partner", "to", "level"),
    [
        ({}, None, None, 1),
        ({}, STANDARD, None, 1),
        ({}, ELITE, ELITE, 1),  # OV-17
        ({"kind": "new-service"}, STANDARD, STANDARD, 1),  # OV-16 from here on
        ({"kind": "new-service"}, None, None, 2),
        ({"kind": "configuration"}, None, None, 2),
        ({"kind": "call-trace"}, None, None, 2),
        ({"kind": "call-trace"}, STANDARD, STANDARD, 1),
        ({"kind": "call-trace"}, ELITE, ELITE, 1),
        ({"kind": "problem"}, STANDARD, None, 1),
        ({"programming_min": 30}, STANDARD, None, 1),
        ({"programming_min": 31}, STANDARD, STANDARD, 1),
        ({"programming_min": 31}, None, None, 2),
        ({"on_site": True}, STANDARD, STANDARD, 1),
        ({"on_site": False}, STANDARD, None, 1),
        ({"installation": True}, None, None, 2),
        ({"installation": True, "level": 3}, None, None, 3),  # what it has reached it keeps
        ({"level": 4}, ELITE, ELITE, 4),
    ],
)
def test_ov16_ov17(
    omnivigil: Desk, fields: dict[str, Any], partner: Partner | None, to: Partner | None, level: int
) -> None:
    found = route(omnivigil.tickets, vars(ticket(**fields)), partner)
    assert (found.partner, found.level) == (to, level)
    assert found.why


def test_a_partner_reads_why_in_their_own_words() -> None:
    for language, words in (("fr", "vous est confié (une visite sur place"), ("en", "(a visit on site is needed)")):
        partner = replace(ELITE, email="partner@example.com", language=language)
        email = partner_email(ticket(), partner, "on-site")
        assert email is not None
        assert words in email.body


def test_a_desk_without_rules_keeps_its_tickets() -> None:
    assert route(Ticketing(), vars(ticket(kind="new-service", on_site=True)), ELITE).partner is None


@pytest.mark.parametrize(
    ("kind", "role", "may"),
    [
        ("problem", None, True),
        ("problem", "utilisateur", True),
        ("contacts", "utilisateur", False),
        ("contacts", "facturation", False),
        ("contacts", "administrateur", True),
        ("contacts", "partenaire", True),
        ("remove-service", "facturation", True),
        ("remove-service", None, False),
    ],
)
def test_ov20_who_may_ask(omnivigil: Desk, kind: str, role: Any, may: bool) -> None:
    assert may_ask(omnivigil.tickets, kind, role) is may
