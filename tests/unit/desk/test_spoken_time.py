"""Moments as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.fields import Week
from ivr.desk.hours import Calendar
from ivr.desk.spoken_time import opening_phrase, phrases_ahead

TORONTO = ZoneInfo("America/Toronto")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO)


@pytest.mark.parametrize(
    ("now", "opening", "french", "english"),
    [
        ("2026-11-25T12:10", "2026-11-25T13:00", "aujourd’hui à 13 heures", "today at 1 p.m."),
        ("2026-11-25T17:00", "2026-11-26T08:00", "demain à 8 heures", "tomorrow at 8 a.m."),
        ("2026-11-27T17:00", "2026-11-30T08:00", "lundi à 8 heures", "Monday at 8 a.m."),
        ("2026-11-25T00:30", "2026-11-25T08:00", "aujourd’hui à 8 heures", "today at 8 a.m."),
        ("2026-12-24T17:00", "2026-12-30T08:00", "mercredi à 8 heures", "Wednesday at 8 a.m."),
        ("2026-12-24T17:00", "2026-12-31T08:00", "le jeudi 31 décembre à 8 heures", "Thursday, December 31 at 8 a.m."),
        ("2026-12-24T17:00", "2027-01-05T08:00", "le mardi 5 janvier à 8 heures", "Tuesday, January 5 at 8 a.m."),
        ("2027-01-20T17:00", "2027-02-01T08:00", "le lundi 1er février à 8 heures", "Monday, February 1 at 8 a.m."),
        ("2026-11-25T07:00", "2026-11-25T08:30", "aujourd’hui à 8 heures 30", "today at 8:30 a.m."),
        ("2026-11-25T07:00", "2026-11-25T08:05", "aujourd’hui à 8 heures 5", "today at 8:05 a.m."),
        ("2026-11-25T07:00", "2026-11-25T12:00", "aujourd’hui à midi", "today at noon"),
        ("2026-11-25T07:00", "2026-11-25T12:30", "aujourd’hui à midi 30", "today at 12:30 p.m."),
        ("2026-11-25T07:00", "2026-11-26T00:00", "demain à minuit", "tomorrow at midnight"),
        ("2026-11-25T00:10", "2026-11-25T00:30", "aujourd’hui à minuit 30", "today at 12:30 a.m."),
        ("2026-11-25T00:10", "2026-11-25T01:00", "aujourd’hui à 1 heure", "today at 1 a.m."),
        ("2026-11-25T12:10", "2026-11-25T21:00", "aujourd’hui à 21 heures", "today at 9 p.m."),
        # Over both changes of clocks a day is still a day.
        ("2026-03-07T23:30", "2026-03-08T08:00", "demain à 8 heures", "tomorrow at 8 a.m."),
        ("2026-10-31T23:30", "2026-11-02T08:00", "lundi à 8 heures", "Monday at 8 a.m."),
    ],
)
def test_ov7_the_next_opening_is_said_as_people_say_it(now: str, opening: str, french: str, english: str) -> None:
    assert opening_phrase(local(opening), local(now), "fr") == french
    assert opening_phrase(local(opening), local(now), "en") == english


def test_ov7_the_day_is_the_desk_s_and_not_the_clock_s() -> None:
    """OV-7: 23:30 in Toronto is the next day in UTC, and "tomorrow" is still tomorrow."""
    now = local("2026-11-25T23:30").astimezone(UTC)
    assert opening_phrase(local("2026-11-26T08:00"), now, "fr") == "demain à 8 heures"


@pytest.mark.parametrize("naive", [0, 1])
def test_naive_moments_are_refused(naive: int) -> None:
    """OV-7: "today" in which zone?"""
    moments = [local("2026-11-25T13:00"), local("2026-11-25T12:00")]
    moments[naive] = moments[naive].replace(tzinfo=None)
    with pytest.raises(ValueError, match="time zone"):
        opening_phrase(moments[0], moments[1], "fr")


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(
    minutes=st.integers(0, 30 * 1440),
    start=st.sampled_from(["2026-02-25T15:00", "2026-10-20T07:00", "2026-12-15T20:00"]),
)
def test_ov7_every_phrase_a_call_may_need_is_known_ahead(minutes: int, start: str) -> None:
    week = Week.model_validate(dict.fromkeys(("monday", "tuesday", "friday"), ("08:00-12:00", "13:00-17:00")))
    hours = Calendar(zone=TORONTO, week=week, holidays={local("2026-12-25T00:00").date(): ""}, exceptions={})
    ahead = phrases_ahead([hours], ["fr", "en"], local(start), 32)
    now = local(start) + timedelta(minutes=minutes)
    if not hours.is_open(now):
        opening = hours.next_opening(now)
        assert opening is not None
        assert {(language, opening_phrase(opening, now, language)) for language in ("fr", "en")} <= ahead
