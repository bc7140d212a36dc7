from __future__ import annotations

import pytest

from ivr.prompts.pronunciation import said, sentences


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("fr", "Bienvenue chez OMNIVIGIL.", "Bienvenue chez Omnivigil."),
        ("fr", "Composez le 1-844-OMNIVIGIL.", "Composez le 1, 8 4 4, Omnivigil."),
        ("fr", "Faites le *57.", "Faites le étoile 57."),
        ("fr", "Composez le 611.", "Composez le 6 1 1."),
        ("fr", "Le NOC est avisé.", "Le N O C est avisé."),
        ("fr", "le mardi 1er décembre", "le mardi premier décembre"),
        ("fr", "l’option « Ventes »", "l'option Ventes"),
        ("en", "Dial *57, or 611.", "Dial star 57, or 6 1 1."),
        ("en", "Q & A", "Q and A"),
        ("en", "<volume level='0'/>Hello", "volume level='0'/ Hello"),
        ("xx", "OMNIVIGIL", "OMNIVIGIL"),
    ],
)
def test_words_are_written_as_they_are_said(language: str, written: str, spoken: str) -> None:
    assert said(written, language) == spoken


@pytest.mark.parametrize("text", ["à 11 heures", "le 11 novembre", "1114", "poste 7011"])
def test_other_numbers_stay(text: str) -> None:
    assert said(text, "fr") == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Un. Deux.", ["Un.", "Deux."]),
        ("Avez-vous fini ? Au revoir !", ["Avez-vous fini ?", "Au revoir !"]),
        (
            "We reopen Monday at 8 a.m. For an emergency, press 1.",
            ["We reopen Monday at 8 a.m.", "For an emergency, press 1."],
        ),
        ("From 8 a.m. to noon.", ["From 8 a.m. to noon."]),
        ("Demandez M. Tremblay.", ["Demandez M. Tremblay."]),
        ("Faites le 2. Écoutez.", ["Faites le 2.", "Écoutez."]),
        ("Press 1. 2 is for sales.", ["Press 1.", "2 is for sales."]),
        ("Sans point", ["Sans point"]),
        ("", []),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts
