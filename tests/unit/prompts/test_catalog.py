from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.desk.hours import calendars_of
from ivr.desk.load import load_desks
from ivr.desk.schema import Desk
from ivr.prompts.catalog import Catalog, PromptMissing, Utterance
from tests.unit.prompts.conftest import NOW, desk_of


def everything(desk: Desk, **common: Any) -> tuple[list[Utterance], list[PromptMissing]]:
    catalog = Catalog({desk.id: desk}, **common)
    return catalog.everything({desk.id: calendars_of(desk)}, NOW)


class TestUtterance:
    def test_a_desks_own_text_wins(self, desk: Desk) -> None:
        own = desk_of(texts=desk.model_dump()["texts"] | {"invalid": {"fr": "Non.", "en": "No."}})
        assert Catalog({"small": own}).utterance("small", "invalid", "fr", {}).text == "Non."
        assert Catalog({"small": desk}).utterance("small", "invalid", "fr", {}).text == "Ce choix n’est pas offert."

    def test_variables_are_filled_in(self, desk: Desk) -> None:
        filled = {"department": "Help", "opening": "Monday at 1 p.m."}
        said = Catalog({"small": desk}).utterance("small", "closed-department", "en", filled)
        # The abbreviation's stop ends the sentence.
        assert said.text == "Help: Monday at 1 p.m."
        assert said.varies

    def test_ellipsis_stays(self, desk: Desk) -> None:
        texts = desk.model_dump()["texts"] | {"welcome": {"fr": "Un  instant...", "en": "Wait..."}}
        assert Catalog({"small": desk_of(texts=texts)}).utterance("small", "welcome", "fr", {}).text == "Un instant..."

    def test_another_languages_voice(self, desk: Desk) -> None:
        """OV-4: English is offered by the English voice in the French menu."""
        offer = Catalog({"small": desk}).utterance("small", "language-offer", "fr", {})
        assert (offer.voice, offer.language) == ("en", "fr")
        assert offer.text == "For service in English, press 9."

    @pytest.mark.parametrize(("prompt", "language"), [("nonsense", "fr"), ("welcome", "de")])
    def test_a_missing_text_is_named(self, desk: Desk, prompt: str, language: str) -> None:
        with pytest.raises(PromptMissing, match=f"prompt: {prompt}, desk: small, language: {language}"):
            Catalog({"small": desk}).utterance("small", prompt, language, {})

    def test_a_missing_variable_is_named(self, desk: Desk) -> None:
        with pytest.raises(PromptMissing, match=r"\{opening\} is not known here"):
            Catalog({"small": desk}).utterance("small", "closed-department", "fr", {"department": "Aide"})


class TestEverything:
    def test_each_opening_that_can_be_told_is_there(self, desk: Desk) -> None:
        """OV-8: the next opening is told; on a desk that opens on Mondays only, in three ways."""
        said, _ = everything(desk)
        found = {one.text for one in said if one.id == "closed-department" and one.language == "fr"}
        expected = ("aujourd’hui à 8 heures", "aujourd’hui à 13 heures", "demain à 8 heures", "lundi à 8 heures")
        assert {f"Aide : {opening}." for opening in expected} <= found

    def test_only_departments_that_say_it(self) -> None:
        """OV-7, OV-8: emergencies are for the department that takes them, the others take messages."""
        desks = load_desks()
        calendars = {desk.id: calendars_of(desk) for desk in desks.values()}
        said, missing = Catalog(desks).everything(calendars, datetime(2026, 3, 11, 14, tzinfo=UTC))
        assert missing == []
        closed = [one.text for one in said if one.desk == "omnivigil" and one.id == "closed-department"]
        assert any(text.startswith("Comptabilité.") for text in closed)
        assert not any(text.startswith("Soutien technique") for text in closed)
        ringing = {one.text.split(".")[0] for one in said if one.desk == "omnivigil" and one.id == "ringing-department"}
        assert "Sales" in ringing
        assert "Technical support" not in ringing

    def test_every_lack_is_told_at_once(self, desk: Desk) -> None:
        texts = desk.model_dump()["texts"]
        del texts["welcome"], texts["menu"]
        _, missing = everything(desk_of(texts=texts))
        lacks = {(error.facts["prompt"], error.facts["language"]) for error in missing}
        assert lacks == {(prompt, language) for prompt in ("welcome", "menu") for language in ("fr", "en")}

    def test_a_language_without_texts(self, desk: Desk) -> None:
        _, missing = everything(desk, common={"fr": {}, "en": {}})
        assert ("goodbye", "en") in {(error.facts["prompt"], error.facts["language"]) for error in missing}

    def test_a_desk_of_one_language_offers_none(self) -> None:
        small = desk_of(languages=["fr"], menu={"keys": {"1": "help"}, "operator": "help"})
        said, missing = everything(small)
        assert missing == []
        assert {one.voice for one in said} == {"fr"}

    def test_department_with_its_own_hours(self) -> None:
        texts = desk_of().model_dump()["texts"]
        department = {
            "name": {"fr": "Nuit", "en": "Night"},
            "email": "night@small.example",
            "phones": ["7001"],
            "hours": {"friday": ["20:00-23:00"]},
        }
        departments = desk_of().model_dump(mode="json")["departments"] | {"night": department}
        hours = {"fr": "{department} : le vendredi.", "en": "{department}: on Fridays."}
        night = desk_of(departments=departments, texts=texts | {"closed-hours-night": hours})
        said, missing = everything(night)
        assert missing == []
        french = {one.text for one in said if one.language == "fr"}
        assert "Nuit : vendredi à 20 heures." in french
        assert "Nuit : lundi à 8 heures." not in french
        assert "Nuit : le vendredi." in french
        assert "Aide : le vendredi." not in french
