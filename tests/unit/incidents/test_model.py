"""Stages, texts, whom it touches, and what those who wait hear (OV-26, OV-27)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.announcements.model import LONGEST_TEXT
from ivr.directory.model import Customer, Partner
from ivr.directory.snapshot import Book
from ivr.errors import AllBadInput, BadInput
from ivr.incidents.affected import affected, affected_of_csv
from ivr.incidents.model import (
    CLOSES_AFTER,
    STAGES,
    Affected,
    Incident,
    LanguageMissing,
    Stage,
    Update,
    briefly,
    checked_texts,
    draft,
    told,
    updated,
)

START = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PHONES = {"fr": "la téléphonie", "en": "telephone service"}
MAIL = {"fr": "la messagerie", "en": "voicemail"}
CLOUD = {"fr": "le cloud", "en": "the cloud"}


def update(stage: Stage, text: str, minutes: int = 0) -> Update:
    return Update(
        id=minutes, stage=stage, texts={"fr": text, "en": f"{text} (en)"}, at=START + minutes * MINUTE, by="ops"
    )


def incident(*updates: Update, number: int = 1) -> Incident:
    return Incident(
        id=number,
        desk="omnivigil",
        title={"fr": "Panne", "en": "Outage"},
        impact="major",
        started_at=START,
        updates=updates or (update("investigating", "Nous vérifions."),),
    )


class TestLife:
    def test_any_stage_follows_any_and_it_can_return(self) -> None:
        one = incident()
        for n, stage in enumerate(("confirmed", "resolved", "investigating", "resolved"), 1):
            one = updated(one, update(stage, f"Mot {n}.", n))  # type: ignore[arg-type]
            assert one.stage == stage
            assert (one.resolved_at is not None) == (stage == "resolved")
        assert one.version == 5

    def test_it_was_resolved_when_it_first_was_and_stayed_so(self) -> None:
        again = incident(
            update("confirmed", "a"),
            update("resolved", "b", 10),
            update("confirmed", "c", 20),
            update("resolved", "d", 30),
            update("resolved", "e", 40),
        )
        assert again.resolved_at == START + 30 * MINUTE

    def test_an_update_that_says_nothing_new_is_refused(self) -> None:
        with pytest.raises(BadInput, match="last update says already"):
            updated(incident(), update("investigating", "Nous vérifions.", 5))


class TestTexts:
    @pytest.mark.parametrize("stage", STAGES)
    def test_a_missing_language_is_refused_with_a_draft(self, stage: Stage) -> None:
        with pytest.raises(LanguageMissing) as refused:
            checked_texts({"fr": "Une panne."}, ["fr", "en"], stage=stage, services=[PHONES])
        assert refused.value.field == "texts.en"
        assert draft(stage, [PHONES], "en") in refused.value.mend

    def test_a_draft_can_be_said_as_it_is(self) -> None:
        for language in ("fr", "en"):
            for stage in STAGES:
                for services in ([], [PHONES], [PHONES, MAIL, CLOUD]):
                    text = draft(stage, services, language)
                    assert checked_texts({language: text}, [language], stage=stage, services=services) == {
                        language: text
                    }

    def test_services_are_joined_as_people_do(self) -> None:
        assert "la téléphonie, la messagerie et le cloud" in draft("confirmed", [PHONES, MAIL, CLOUD], "fr")
        assert "telephone service and voicemail" in draft("resolved", [PHONES, MAIL], "en")

    def test_another_language_than_the_desks_is_refused(self) -> None:
        with pytest.raises(BadInput, match="does not speak"):
            checked_texts({"fr": "a", "de": "b"}, ["fr"], stage="confirmed", services=[])


class TestTold:
    def test_the_latest_word_and_what_is_resolved_last(self) -> None:
        first = incident(update("confirmed", "Un.", 0), number=1)
        second = incident(update("investigating", "Deux.", 5), number=2)
        over = incident(update("resolved", "Trois.", 6), number=3)
        now = START + 10 * MINUTE
        assert told([first, over, second], "fr", now) == "Deux. Un. Trois."
        assert told([], "fr", now) is None

    def test_that_it_is_over_is_told_for_half_an_hour_from_when_it_was(self) -> None:
        over = incident(
            update("confirmed", "Un."), update("resolved", "Fini.", 10), update("resolved", "Bien fini.", 20)
        )
        until = START + 10 * MINUTE + timedelta(minutes=30)
        assert told([over], "fr", until - timedelta(microseconds=1)) == "Bien fini."
        assert told([over], "fr", until) is None

    def test_what_does_not_fit_waits(self) -> None:
        long = incident(update("confirmed", "a" * LONGEST_TEXT, 5), number=1)
        short = incident(update("confirmed", "Court.", 0), number=2)
        assert told([long, short], "fr", START + 10 * MINUTE) == "a" * LONGEST_TEXT


BOOK = Book(
    partners={1: Partner(id=1, name="Téléphonie Élan", tier="elite"), 2: Partner(id=2, name="Autre", tier="standard")},
    customers={7: Customer(id=7, account="A-100", name="Boulangerie", partner_id=1)},
)


class TestWhom:
    def test_whoever_is_named_is_touched(self) -> None:
        found = affected(BOOK, "CA", partners=["téléphonie élan"], accounts=["a-100"], numbers=["(418) 555-0101"])
        assert found == Affected(partners=(1,), customers=(7,), numbers=("14185550101",))
        assert found.touches(partner=1, customer=None, number=None)
        assert found.touches(partner=None, customer=7, number=None)
        assert found.touches(partner=None, customer=None, number="14185550101")
        assert not found.touches(partner=2, customer=8, number="14185550102")

    def test_nobody_named_touches_nobody_in_particular(self) -> None:
        assert not Affected()
        assert not Affected().touches(partner=None, customer=None, number=None)

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"partners": ["Autre", "Qui"]}, "partners.1"),
            ({"accounts": ["Z-9"]}, "accounts.0"),
            ({"numbers": ["4185550101", "12"]}, "numbers.1"),
        ],
    )
    def test_what_nobody_knows_is_named(self, given: dict[str, list[str]], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            affected(BOOK, "CA", **{"partners": [], "accounts": [], "numbers": []} | given)
        assert refused.value.field == field

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_a_spreadsheets_csv(self, delimiter: str) -> None:
        """With a byte order mark, other columns, empty cells and doubles."""
        rows = [
            ["Nom", "Number", "ACCOUNT"],
            ["x", "4185550101", ""],
            ["y", "", "A-100"],
            ["z", "418 555-0101", "a-100"],
        ]
        text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"
        assert affected_of_csv(text, BOOK, "CA") == Affected(customers=(7,), numbers=("14185550101",))

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("", "body"),
            ("nom,courriel\na,b\n", "body"),
            ("number\n4185550101\n99\n", "line 3, number"),
            ('account\n"A-100"x\n', "line 2"),
            ("partner;account\nAutre;\n;\n;B-1\n", "line 4, account"),
        ],
    )
    def test_a_csv_that_is_wrong_is_told_with_its_line(self, text: str, where: str) -> None:
        with pytest.raises(BadInput) as refused:
            affected_of_csv(text, BOOK, "CA")
        assert refused.value.field == where

    @pytest.mark.parametrize(
        "data",
        [
            "partenaire;compte;numéro\r\nAutre;A-100;418 555-0101\r\n".encode("windows-1252"),
            "partenaire;compte;numéro\r\nAutre;A-100;418 555-0101\r\n".encode("utf-8-sig"),
            "partenaire\tcompte\tnuméro\r\nAutre\tA-100\t418 555-0101\r\n".encode("utf-16"),
            b"sep=;\r\npartner;account;number\r\nAutre;A-100;418 555-0101\r\n",
            b"partner;account;number\rAutre;A-100;418 555-0101\r",
            b"partner;account;number;;;\r\nAutre;A-100;418 555-0101;;;\r\n;;;;;\r\n",
            b'"Partner" ; "Account" ; "Number"\r\n"Autre" ; "A-100" ; "418-555-0101" \r\n',
            b'partner;account;number\r\nAutre;A-100;="4185550101"\r\n',
            b'partner;account;note;number\r\nAutre;A-100;"deux\r\nlignes ; et ""plus""";418 555-0101\r\n',
            "partner;account;number\r\nAutre;A-100;418\u00a0555\u20110101\r\n".encode(),
            b"partner;account;number\r\nAutre;A-100;(418) 555-0101 poste 22\r\n",
            b"partner|account|number\nAutre|A-100|tel:+1 (0) 418 555/0101\n",
        ],
        ids=[
            "ansi",
            "bom",
            "unicode",
            "sep",
            "mac",
            "spare",
            "blanks",
            "formula",
            "lines",
            "spaces",
            "extension",
            "tel",
        ],
    )
    def test_a_list_as_spreadsheets_save_it(self, data: bytes) -> None:
        assert affected_of_csv(data, BOOK, "CA") == Affected(partners=(2,), customers=(7,), numbers=("14185550101",))

    def test_a_number_that_excel_has_rounded(self) -> None:
        with pytest.raises(AllBadInput) as refused:
            affected_of_csv("account;number\nA-100;4,18556E+09\n", BOOK, "CA")
        [one] = refused.value.errors
        assert (one.field, one.mend) == ("line 2, number", "format the column as text, and enter the number again")

    def test_a_list_of_nobody_does_not_mean_everybody(self) -> None:
        with pytest.raises(BadInput, match="names nobody"):
            affected_of_csv("account;number\n;\n", BOOK, "CA")

    def test_every_row_that_is_wrong_is_told_at_once(self) -> None:
        """Whoever mends a spreadsheet does so once; nothing of it is taken meanwhile."""
        text = "account;number\nA-100;4185550101\nB-1;12\n;13\nB-2;\n"
        with pytest.raises(AllBadInput) as refused:
            affected_of_csv(text, BOOK, "CA")
        told = [one.field for one in refused.value.errors]
        assert told == ["line 3, account", "line 3, number", "line 4, number", "line 5, account"]
        assert refused.value.problem.endswith("(and 3 more)")


def test_what_is_resolved_may_return_for_a_week_and_not_later() -> None:
    """OV-26."""
    one = incident(update("resolved", "Tout va bien."))
    assert timedelta(days=7) == CLOSES_AFTER
    closed = CLOSES_AFTER // MINUTE
    assert updated(one, update("confirmed", "Encore.", closed - 1)).stage == "confirmed"
    with pytest.raises(BadInput, match="open a new incident"):
        updated(one, update("confirmed", "Encore.", closed))


class TestBriefly:
    def test_each_in_a_sentence_or_two_the_latest_first(self) -> None:
        first = incident(update("investigating", "a"), number=1)
        second = incident(update("confirmed", "b", 5), number=2)
        names = {1: [PHONES], 2: [MAIL, CLOUD]}
        said = briefly([first, second], lambda one: names[one.id], "fr")
        assert said == (
            "La panne qui touche la messagerie et le cloud se poursuit. Nos techniciens y travaillent. "
            "Nous vérifions toujours une difficulté qui touche la téléphonie."
        )

    def test_no_more_than_can_be_listened_to(self) -> None:
        many = [incident(update("confirmed", "a", n), number=n) for n in range(40)]
        assert len(briefly(many, lambda one: [PHONES], "en")) <= LONGEST_TEXT
