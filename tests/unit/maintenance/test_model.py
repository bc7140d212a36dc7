"""Maintenance: windows, states and texts (OV-29)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest

from ivr.desk.load import load_desks
from ivr.errors import BadInput
from ivr.incidents.model import LanguageMissing
from ivr.maintenance import ical
from ivr.maintenance.mailing import news_of
from ivr.maintenance.model import Maintenance, check_open, check_window, checked_texts, draft, in_progress

QUEBEC = ZoneInfo("America/Toronto")
NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Maintenance(
    id=3,
    desk="omnivigil",
    kind="planned",
    title={"fr": "Mise à jour", "en": "Upgrade"},
    texts={"fr": "La messagerie sera mise à jour.", "en": "Voicemail will be upgraded."},
    impact="minor",
    services=("messagerie",),
    components=(),
    starts_at=NOW + HOUR,
    ends_at=NOW + 3 * HOUR,
    ended_at=None,
    cancelled=False,
    sms=False,
    told="scheduled",
    by="ops",
    created_at=NOW,
    updated_at=NOW,
    version=1,
)


@pytest.mark.parametrize(
    ("after", "state"),
    [(0 * HOUR, "scheduled"), (HOUR, "in_progress"), (3 * HOUR - HOUR / 60, "in_progress"), (3 * HOUR, "completed")],
)
def test_it_begins_and_ends_by_the_clock(after: timedelta, state: str) -> None:
    assert ONE.state(NOW + after) == state
    assert (in_progress([ONE], NOW + after) == [ONE]) == (state == "in_progress")


def test_given_up_or_done_early() -> None:
    assert replace(ONE, cancelled=True, ended_at=NOW).state(NOW + 2 * HOUR) == "cancelled"
    # What is told of it is the window that it had, not one that ends before it begins.
    assert replace(ONE, cancelled=True, ended_at=NOW).window_ends_at == ONE.ends_at
    done = replace(ONE, ended_at=NOW + 2 * HOUR)
    assert (done.state(NOW + 2 * HOUR), done.over_at) == ("completed", NOW + 2 * HOUR)
    for over in (done, replace(ONE, cancelled=True)):
        with pytest.raises(BadInput, match="announce a new one"):
            check_open(over, NOW + 2 * HOUR)
    check_open(ONE, NOW)


@pytest.mark.parametrize("day", [datetime(2026, 3, 8, tzinfo=QUEBEC), datetime(2026, 11, 1, tzinfo=QUEBEC)])
def test_over_a_change_of_clocks_it_lasts_as_long_as_the_clocks_say(day: datetime) -> None:
    """From 1 to 4 in the morning by the wall: two or four hours."""
    night = replace(ONE, starts_at=day.replace(hour=1), ends_at=day.replace(hour=4))
    lasts = night.ends_at.astimezone(UTC) - night.starts_at.astimezone(UTC)
    assert lasts == (2 * HOUR if day.month == 3 else 4 * HOUR)
    last = night.ends_at.astimezone(UTC) - timedelta(seconds=1)
    assert (night.state(last), night.state(last + timedelta(seconds=1))) == ("in_progress", "completed")


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [
        (HOUR, HOUR, "ends_at"),
        (2 * HOUR, HOUR, "ends_at"),
        (-2 * HOUR, -HOUR, "ends_at"),
        (-HOUR, HOUR, "starts_at"),
        (HOUR, 15 * 24 * HOUR, "ends_at"),
        (500 * 24 * HOUR, 501 * 24 * HOUR, "starts_at"),
    ],
)
def test_windows_that_cannot_be_meant(starts: timedelta, ends: timedelta, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_window(NOW + starts, NOW + ends, NOW)
    assert refused.value.field == field


def test_one_that_goes_on_keeps_its_beginning() -> None:
    check_window(NOW - HOUR, NOW + HOUR, NOW, began=True)
    check_window(NOW, NOW + HOUR, NOW)


def test_a_missing_language_is_refused_with_a_draft() -> None:
    names = [{"fr": "la messagerie", "en": "voicemail"}]
    with pytest.raises(LanguageMissing) as refused:
        checked_texts({"fr": "Un entretien."}, ["fr", "en"], kind="emergency", services=names)
    assert refused.value.field == "texts.en"
    assert draft("emergency", names, "en") in refused.value.mend
    with pytest.raises(BadInput, match="markup"):
        checked_texts({"fr": "<b>Un</b>"}, ["fr"], kind="planned", services=names)


def test_subscribers_read_the_window_in_their_words() -> None:
    desk = load_desks()["omnivigil"]
    news = news_of(ONE, desk, "scheduled")
    assert news.texts["fr"] == (
        "Entretien prévu. La messagerie sera mise à jour. Du 18 novembre à 11\u00a0h au 18 novembre à 13\u00a0h."
    )
    assert news.texts["en"] == (
        "Maintenance scheduled. Voicemail will be upgraded. "
        "From November 18 at 11:00\u202fa.m. to November 18 at 1:00\u202fp.m."
    )
    assert news_of(ONE, desk, "completed").texts["fr"] == "Entretien terminé. La messagerie sera mise à jour."


def test_a_calendar_moves_and_strikes_what_it_knows() -> None:
    moved = replace(ONE, version=2, starts_at=NOW + 2 * HOUR)
    gone = replace(moved, version=3, cancelled=True, ended_at=NOW)
    read = []
    for one in (ONE, moved, gone):
        text = ical.written([one], language="fr", url="https://x.example/status/omnivigil", name="Entretien", now=NOW)
        calendar = icalendar.Calendar.from_ical(text)
        [event] = calendar.walk("VEVENT")
        read.append((str(event["UID"]), int(str(event["SEQUENCE"])), str(event["STATUS"]), event.decoded("DTSTART")))
    assert len({uid for uid, *_ in read}) == 1
    assert [rest for _, *rest in read] == [
        [0, "CONFIRMED", NOW + HOUR],
        [1, "CONFIRMED", NOW + 2 * HOUR],
        [2, "CANCELLED", NOW + 2 * HOUR],
    ]
