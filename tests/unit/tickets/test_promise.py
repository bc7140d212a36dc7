"""What a caller who leaves a message out of hours is promised, at the edges of the hours."""

from __future__ import annotations

import pytest

from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.tickets.promise import NO_PROMISE, Promise, in_doubt, promised
from tests.unit.tickets.conftest import local


class TestPromised:
    @pytest.mark.parametrize(
        ("at", "until"),
        [
            ("2026-11-25T07:59:59", "2026-11-25T17:00"),
            ("2026-11-25T08:00", None),
            ("2026-11-25T11:59:59", None),
            ("2026-11-25T12:00", "2026-11-25T17:00"),  # lunch
            ("2026-11-25T16:59:59", None),
            ("2026-11-25T17:00", "2026-11-26T17:00"),
            ("2026-11-27T22:00", "2026-11-30T17:00"),  # a Friday
            ("2026-12-24T22:00", "2026-12-28T17:00"),  # Christmas, then a weekend
            ("2026-03-07T22:00", "2026-03-09T17:00"),  # clocks go forward
            ("2026-10-31T22:00", "2026-11-02T17:00"),  # and back
        ],
    )
    def test_ov7_what_is_no_emergency_waits_for_the_next_working_day(
        self, omnivigil: Desk, calendar: Calendar, at: str, until: str | None
    ) -> None:
        found = promised(omnivigil.departments["support"], calendar, urgent=False, at=local(at))
        assert found == (Promise(priority="normale", until=local(until)) if until else NO_PROMISE)

    def test_ov7_an_emergency_has_its_own_half_hour(self, omnivigil: Desk, calendar: Calendar) -> None:
        found = promised(omnivigil.departments["support"], calendar, urgent=True, at=local("2026-11-25T22:00"))
        assert found == Promise(priority="urgente")

    def test_ov8_where_nobody_was_asked_no_priority_is_guessed(self, omnivigil: Desk, calendar: Calendar) -> None:
        found = promised(omnivigil.departments["ventes"], calendar, urgent=False, at=local("2026-11-25T22:00"))
        assert found == Promise(until=local("2026-11-26T17:00"))

    @pytest.mark.parametrize(
        ("department", "at", "urgent"),
        [
            ("support", "2026-11-25T16:59:59", False),
            ("support", "2026-11-25T17:00", True),
            ("ventes", "2026-11-25T17:00", False),
        ],
    )
    def test_ov7_who_could_not_be_asked_at_night_has_an_emergency(
        self, omnivigil: Desk, calendar: Calendar, department: str, at: str, urgent: bool
    ) -> None:
        assert in_doubt(omnivigil.departments[department], calendar, local(at)) is urgent

    def test_a_naive_moment_is_refused(self, omnivigil: Desk, calendar: Calendar) -> None:
        at = local("2026-11-25T22:00").replace(tzinfo=None)
        with pytest.raises(ValueError, match="no time zone"):
            promised(omnivigil.departments["support"], calendar, urgent=False, at=at)
