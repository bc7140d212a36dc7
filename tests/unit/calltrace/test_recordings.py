"""How long a call's recording is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ivr.calltrace.recordings import erase_at
from ivr.desk.schema import CallAudio, CallTrace

ENDED = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
RULES = CallTrace(department="support", within_min=30, audio=CallAudio(keep_days=14))


def test_unreported_it_goes_when_it_cannot_be_reported_any_more() -> None:
    assert erase_at(ENDED, None, RULES) == ENDED + timedelta(minutes=40)


def test_reported_it_is_kept_as_long_as_the_desk_says() -> None:
    reported = ENDED + timedelta(minutes=29)
    assert erase_at(ENDED, reported, RULES) == reported + timedelta(days=14)


def test_a_desk_that_wants_none_any_more_has_them_erased() -> None:
    rules = CallTrace(department="support")
    assert erase_at(ENDED, ENDED, rules) == erase_at(ENDED, None, rules) == ENDED
