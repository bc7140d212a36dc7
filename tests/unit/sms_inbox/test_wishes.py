"""What people write back to a page, to a notice, and by mistake."""

from __future__ import annotations

import pytest

from ivr.sms_inbox.rules import answered_by_twilio, kept_text, number_of, wish_of


@pytest.mark.parametrize(
    "body",
    [
        *(
            "pris",
            "Pris!",
            "PRIS.",
            " oui ",
            "1",
            "1️⃣",
            "ok",
            "OK 👍",
            "Ok, j’y vais",
            "j’arrive",
            "J'arrive!!",
            "J ARRIVE",
        ),
        *("Je le prends", "je prends", "Je m’en occupe", "d’accord", "c’est moi", "Oui merci", "prise\n\n-- \nAnnie"),
        *("taken", "Yes", "got it", "on it", "I’ll take it", "On my way :)", "mine", "Okay je la prends"),
    ],
)
def test_who_takes_it(body: str) -> None:
    assert wish_of(body) == "take"


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            "   ",
            "👍",
            "?",
            "pris ?",
            "Reçu",
            "non",
            "je ne peux pas",
            "ok mais je ne peux pas",
            "oui, qui est-ce",
            "10",
        ),
        *("Qui la prend ?", "1er appel sans réponse", "okra", "yesterday", "J’arrive pas à ouvrir le billet"),
        *(
            "A aimé « URGENCE – billet 12 »",
            "Liked “EMERGENCY – ticket 12”",
            "not taken",
            "No",
            "can’t take it",
            "busy",
        ),
        "ok " * 9,
        "x" * 1600,
        "\x00\ud83d",
    ],
)
def test_who_does_not_say_so(body: str) -> None:
    assert wish_of(body) == "other"


@pytest.mark.parametrize(
    "body",
    ["STOP", "stop.", "Arrêt", "ARRET", "arrêter", "Unsubscribe", "STOPALL", "Désabonnement", "désabonnez-moi", "End"],
)
def test_who_wants_none(body: str) -> None:
    assert wish_of(body) == "stop"


@pytest.mark.parametrize("body", ["START", "Unstop", "reprendre"])
def test_who_wants_them_again(body: str) -> None:
    assert wish_of(body) == "start"


@pytest.mark.parametrize(
    ("body", "theirs"), [("Stop", True), ("HELP", True), ("ARRET", False), ("aide", False), ("", False)]
)
def test_what_twilio_answers_is_not_answered_twice(body: str, theirs: bool) -> None:
    assert answered_by_twilio(body) is theirs


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("+14185550161", "14185550161"),
        ("332211", None),
        ("BANQUE", None),
        ("+0123456789", None),
        ("+1418555٠١٦١", None),
    ],
)
def test_who_can_be_answered(sender: str, number: str | None) -> None:
    assert number_of(sender) == number


def test_what_is_kept_is_clean_and_short() -> None:
    assert kept_text("a\x00b\nc\x1bd\ud800" + "é" * 2000, 10) == "a b\nc d?éé"
