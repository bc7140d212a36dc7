"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.typography import time_of_day, typeset, window

TORONTO = ZoneInfo("America/Toronto")


@pytest.mark.parametrize(
    ("at", "fr"),
    [
        (datetime(2026, 12, 5, 6, 0, tzinfo=UTC), "1\u00a0h"),
        (datetime(2026, 12, 5, 14, 5, tzinfo=UTC), "9\u00a0h\u00a005"),
        (datetime(2026, 12, 5, 5, 0, tzinfo=UTC), "0\u00a0h"),
        (datetime(2026, 12, 5, 4, 59, tzinfo=UTC), "23\u00a0h\u00a059"),
    ],
)
def test_french_has_no_zero_before_the_hour_and_no_minutes_on_the_hour(at: datetime, fr: str) -> None:
    assert time_of_day(at, TORONTO, "fr") == fr


def test_english_is_babel_s() -> None:
    assert time_of_day(datetime(2026, 12, 5, 14, 5, tzinfo=UTC), TORONTO, "en").startswith("9:05")


def test_french_signs_stay_on_the_line_of_their_word() -> None:
    text = "Une panne : « la messagerie » ; et après ? À 12:30, 5 % en moins."
    told = "Une panne\u00a0: «\u00a0la messagerie\u00a0»\u00a0; et après\u00a0? À 12:30, 5\u00a0% en moins."
    assert typeset(text) == told


def test_a_window_says_its_day_once() -> None:
    def told(ends: datetime) -> str:
        begins = datetime(2026, 12, 5, 6, 0, tzinfo=UTC)
        return window(begins, ends, TORONTO, day=str, hour=lambda at: time_of_day(at, TORONTO, "fr"))

    assert told(datetime(2026, 12, 5, 9, 0, tzinfo=UTC)) == "2026-12-05, 1\u00a0h – 4\u00a0h"
    assert told(datetime(2026, 12, 6, 5, 0, tzinfo=UTC)) == "2026-12-05, 1\u00a0h – 2026-12-06, 0\u00a0h"
