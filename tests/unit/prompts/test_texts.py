"""The texts that come with the product: complete, well written, short."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ivr.desk.load import load_desks
from ivr.prompts.catalog import (
    REQUIRED,
    REQUIRED_FOR_CALLBACKS,
    REQUIRED_FOR_EMERGENCIES,
    REQUIRED_FOR_LANGUAGES,
    REQUIRED_FOR_ONCALL,
    SPOKEN_WHEN_NEEDED,
    read_common,
)

COMMON = read_common()
#: What only a desk can know.
OF_A_DESK = {name for name in REQUIRED + REQUIRED_FOR_EMERGENCIES if name.startswith("closed-")} | {"welcome", "menu"}

#: A number is said after these.
BEFORE_DIGITS = (
    "ticket-number",
    "trace-reference",
    "callback-number",
    "callback-brief",
    "page-number",
    "follow-number",
)


def shipped(language: str) -> Iterator[tuple[str, str]]:
    """Where, and the text, without the mark of another language's voice."""
    texts = [(f"{language}.yaml {name}", text) for name, text in COMMON[language].items()]
    for desk in load_desks().values():
        texts += [(f"{desk.id} {name}", all_of[language]) for name, all_of in desk.texts.items() if language in all_of]
    for where, text in texts:
        if not re.match(r"\[[a-z]{2}\]", text):
            yield where, text


def test_each_language_has_the_same_texts() -> None:
    assert set(COMMON["fr"]) == set(COMMON["en"])


def test_no_text_is_lacking_and_none_is_unused() -> None:
    needed = {*REQUIRED, *REQUIRED_FOR_EMERGENCIES, *REQUIRED_FOR_LANGUAGES, *REQUIRED_FOR_CALLBACKS}
    needed |= {*REQUIRED_FOR_ONCALL, *SPOKEN_WHEN_NEEDED}
    needed -= OF_A_DESK
    assert set(COMMON["fr"]) == needed


@pytest.mark.parametrize(("where", "text"), list(shipped("fr")))
def test_french_typography(where: str, text: str) -> None:
    assert "'" not in text, "the apostrophe is ’"
    assert '"' not in text, "quotation marks are « »"
    assert "..." not in text
    assert not re.search(r"\S:", text), "a colon has a space before it"
    assert not re.search(r"\s[;!?.,]", text), "in Canada only the colon has one"
    assert not re.search(r"\b(oeuvre|coeur|cloturer|etes|recu|etoile|diese|Etes|A partir)\b", text), (
        "accents are written"
    )


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_other_language_is_offered_in_itself(language: str) -> None:
    """OV-4: whoever does not understand the first language is told of theirs in theirs."""
    other = {"fr": "en", "en": "fr"}[language]
    assert COMMON[language]["language-offer"].startswith(f"[{other}] ")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_emergency_is_promised_within_30_minutes(language: str) -> None:
    """OV-7"""
    assert "30 minutes" in COMMON[language]["message-received-urgent"]


@pytest.mark.parametrize(("where", "text"), [*shipped("fr"), *shipped("en")])
def test_texts_are_short(where: str, text: str) -> None:
    # Some 15 characters are said in a second.
    assert len(text) < (350 if where.split()[-1].startswith(("menu", "closed-emergency")) else 230)
    assert text[-1] in ".?!" or where.endswith(BEFORE_DIGITS)
    assert text[-1] in ".?!" or where.endswith(BEFORE_DIGITS)
