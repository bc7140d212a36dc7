"""What is announced when; which texts can be spoken; when somebody is reminded (OV-10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ivr.announcements import model as rules
from ivr.announcements.model import Announcement
from ivr.announcements.reminder import reminder
from ivr.desk.load import load_desks
from ivr.errors import BadInput

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def one(number: int, start: timedelta, expiry: timedelta | None = None, **more: Any) -> Announcement:
    return Announcement(
        id=number,
        desk="omnivigil",
        source="text",
        texts={"fr": "Panne.", "en": "Outage."},
        sounds={"fr": "ov/fr/x", "en": "ov/en/x"},
        starts_at=NOW + start,
        expires_at=NOW + expiry if expiry is not None else None,
        created_by="console",
        created_at=NOW,
        **more,
    )


class TestInForce:
    def test_from_its_very_start_until_just_before_its_end(self) -> None:
        mine = [one(1, -HOUR, HOUR)]
        assert rules.in_force(mine, NOW - HOUR) == mine[0]
        assert rules.in_force(mine, NOW - HOUR - SECOND) is None
        assert rules.in_force(mine, NOW + HOUR - SECOND) == mine[0]
        assert rules.in_force(mine, NOW + HOUR) is None

    def test_the_latest_to_start_wins_and_what_it_replaced_does_not_come_back(self) -> None:
        mine = [one(1, -2 * HOUR), one(2, -HOUR, HOUR)]
        assert rules.in_force(mine, NOW) == mine[1]
        assert rules.in_force(mine, NOW + HOUR) is None

    def test_what_was_ended_is_not(self) -> None:
        assert rules.in_force([one(1, -HOUR, ended_at=NOW)], NOW) is None

    def test_of_two_that_start_together_the_later_one_is(self) -> None:
        mine = [one(2, -HOUR), one(1, -HOUR)]
        assert rules.in_force(mine, NOW) == mine[0]

    def test_the_next_one_is_the_first_to_start(self) -> None:
        mine = [one(1, 2 * HOUR), one(2, HOUR), one(3, -HOUR)]
        assert rules.scheduled(mine, NOW) == mine[1]
        assert rules.scheduled(mine[2:], NOW) is None


class TestReplaced:
    def test_one_that_starts_now_ends_all_others(self) -> None:
        mine = [one(1, -HOUR), one(2, HOUR)]
        assert rules.replaced(mine, NOW, NOW) == mine

    def test_one_that_starts_later_leaves_what_is_in_force(self) -> None:
        mine = [one(1, -HOUR), one(2, HOUR)]
        assert rules.replaced(mine, NOW + 2 * HOUR, NOW) == [mine[1]]


class TestPeriod:
    def test_without_anything_it_is_from_now_on(self) -> None:
        assert rules.period(None, None, NOW) == (NOW, None)

    def test_a_start_in_the_past_is_now(self) -> None:
        assert rules.period(NOW - HOUR, None, NOW) == (NOW, None)

    @pytest.mark.parametrize(
        ("start", "expiry", "field", "problem"),
        [
            (None, NOW, "expires_at", "in the past"),
            (None, NOW - HOUR, "expires_at", "in the past"),
            (NOW + HOUR, NOW + HOUR, "expires_at", "not after starts_at"),
            (NOW + HOUR, NOW + SECOND, "expires_at", "not after starts_at"),
            (NOW + timedelta(days=400), None, "starts_at", "a year ahead"),
            (None, datetime.max.replace(tzinfo=timezone(-12 * HOUR)), "expires_at", "a year ahead"),
        ],
    )
    def test_what_cannot_be_names_the_field(
        self, start: datetime | None, expiry: datetime | None, field: str, problem: str
    ) -> None:
        with pytest.raises(BadInput) as raised:
            rules.period(start, expiry, NOW)
        assert raised.value.field == field
        assert problem in raised.value.problem

    def test_a_moment_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            rules.period(datetime(2026, 11, 25, 16), None, NOW)  # noqa: DTZ001 - what is refused


class TestText:
    def test_blanks_and_line_breaks_are_one_blank(self) -> None:
        assert rules.spoken_text("texts.fr", "  Une panne\r\n touche\tQuébec. ") == "Une panne touche Québec."

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "says nothing"),
            (" \n ", "says nothing"),
            ("...!", "says nothing"),
            ("a" * 601, "601 characters"),
            ("<speak>Panne</speak>", "markup: <"),
            ('Panne <volume level="500">', "markup: <"),
            ("{department} en panne", "markup: {"),
            ("[en] Outage", "markup: ["),
            ("Panne &lt;b&gt;", "markup: &lt;"),
            ("Panne \\pause=9000\\", "markup: \\"),
            ("Panne\x07", "U+0007"),
            ("Panne\x00", "U+0000"),
            ("Pan\u202ene", "U+202E"),
            ("Pan\ud800ne", "U+D800"),
        ],
    )
    def test_what_cannot_be_said_names_the_field(self, text: str, problem: str) -> None:
        with pytest.raises(BadInput) as raised:
            rules.spoken_text("texts.fr", text)
        assert raised.value.field == "texts.fr"
        assert problem in raised.value.problem

    def test_the_longest_is_allowed(self) -> None:
        assert len(rules.spoken_text("texts.fr", "a" * 600)) == 600

    def test_a_lacking_language_is_named(self) -> None:
        with pytest.raises(BadInput) as raised:
            rules.both_languages("texts", {"fr": "Panne"}, ("fr", "en"))
        assert (raised.value.field, raised.value.problem) == ("texts.en", "is missing")

    def test_a_language_too_many_is_named(self) -> None:
        with pytest.raises(BadInput) as raised:
            rules.both_languages("texts", {"fr": "Panne", "en": "Outage"}, ("fr",))
        assert raised.value.field == "texts.en"


class TestReminder:
    def test_once_per_period(self) -> None:
        fresh = one(1, timedelta())
        assert not rules.reminder_due(fresh, NOW + 4 * HOUR - SECOND, 4 * HOUR)
        assert rules.reminder_due(fresh, NOW + 4 * HOUR, 4 * HOUR)
        reminded = one(1, timedelta(), reminded_at=NOW + 4 * HOUR)
        assert not rules.reminder_due(reminded, NOW + 8 * HOUR - SECOND, 4 * HOUR)
        assert rules.reminder_due(reminded, NOW + 8 * HOUR, 4 * HOUR)

    def test_the_e_mail_tells_what_since_when_and_how_to_end_it(self) -> None:
        email = reminder(one(1, timedelta()), load_desks()["omnivigil"])
        assert email.to == "support@omnivigil.com"
        assert email.language == "fr"
        assert "2026-11-25 à 10:00" in email.subject
        for words in ("Panne.", "console", "America/Toronto", "DELETE /v1/desks/omnivigil/announcement", "étoile 58"):
            assert words in email.body
