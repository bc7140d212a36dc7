"""Text messages in the alphabet that is half the price (3GPP TS 23.038)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.notify import gsm
from ivr.oncall import paging
from ivr.subscriptions import delivery, words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # A sign of the extension is not torn apart between two parts.
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("ê" * 134, 2),
        ("ê" * 135, 3),
        ("\U0001f600" * 35, 1),
        ("\U0001f600" * 36, 2),
    ],
)
def test_parts_are_counted_as_the_network_does(text: str, count: int) -> None:
    assert gsm.parts(text) == count


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("L’appel d’Ève", "L'appel d'Ève"),
        ("« Rappelez »", '"Rappelez"'),
        ("«\u00a0Rappelez\u202f»", '"Rappelez"'),
        ("«Rappelez»", '"Rappelez"'),
        ("Sœur\u00a0: 10\u202fh – ici…", "Soeur : 10 h - ici..."),
        ("é à è ù ò ì É Ç ä ö ü ñ", "é à è ù ò ì É Ç ä ö ü ñ"),
        # Short enough either way: the accents stay.
        ("La forêt reçoit", "La forêt reçoit"),
        ("La forêt reçoit " + "x" * 80, "La foret recoit " + "x" * 80),
        # There is no plainer sign for these, so nothing is gained and nothing changed.
        ("Ligne 電話 forêt " + "x" * 80, "Ligne 電話 forêt " + "x" * 80),
    ],
)
def test_what_is_sent(text: str, sent: str) -> None:
    assert gsm.fit(text) == sent


@settings(deadline=None)
@given(st.text(max_size=400))
def test_it_never_costs_more_nor_changes_twice(text: str) -> None:
    sent = gsm.fit(text)
    assert gsm.fit(sent) == sent
    assert gsm.parts(sent) <= gsm.parts(text) or gsm.is_plain(sent) or "…" in text or "œ" in text.lower()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_our_own_texts_are_one_part(language: str) -> None:
    assert gsm.parts(gsm.fit(words.code("OMNIVIGIL", language, "123456"))) == 1
    assert gsm.is_plain(gsm.fit(delivery.message("OMNIVIGIL", "", language)))
    assert gsm.is_plain(gsm.fit(paging._TEXTS[language].replace("{", "").replace("}", "")))
