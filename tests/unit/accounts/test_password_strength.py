"""Passwords that anybody tries first."""

from __future__ import annotations

import pytest

from ivr.accounts.model import check_password
from ivr.errors import BadInput


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2026!",
        "motdepasse123",
        "MotDePasse!!!2025",
        "Bienvenue2026",
        "azertyuiop123",
        "qwerty123456",
        "123456789012",
        "098765432100",
        "abcdefghijkl",
        "abcabcabcabc",
        "tremblaytremblay",
        "Omnivigil2026!",
        "omnivigil-support",
        "nathalie-2026",
        "nathalie.nathalie",
        "Québec-Montréal",
        "demo-gestion",
        "aaaaaaaaaaaa",
        "1q2w3e4r5t6y",
        "Administrator1!",
        "hiver2025printemps",
    ],
)
def test_refused(password: str) -> None:
    with pytest.raises(BadInput, match="password"):
        check_password(password, "nathalie")


@pytest.mark.parametrize(
    "password",
    [
        "une phrase assez longue",
        "correct horse battery staple",
        "Tx7-quiet-lamp-93",
        "k3vNwq0ZrT2x",
        "le merle chante tôt",
    ],
)
def test_taken(password: str) -> None:
    assert check_password(password, "nathalie") == password
