"""The rules of one callback (OV-9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivr.callbacks.model import (
    Callback,
    NotNow,
    Outcome,
    State,
    after_attempt,
    connect,
    deadline_of,
    end,
    in_line,
    is_heavy,
    is_today,
    may_dial,
    stands,
    start_attempt,
)
from ivr.desk.fields import Week
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import load_desks
from ivr.desk.schema import CallbackRules

#: A Wednesday, 10:00 in Toronto.
NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
RULES = CallbackRules(attempts=3, pause_s=300)
CALENDAR = calendars_of(load_desks()["omnivigil"])["support"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}-05:00")


def callback(state: State = "pending", **changes: object) -> Callback:
    one = Callback(
        id="0123456789abcdef",
        desk="omnivigil",
        department="support",
        queue="support",
        language="fr",
        number="14185550101",
        endpoint=None,
        call_id="c",
        customer_id=None,
        identity={},
        mode="technician_first",
        state=state,
        arrived_at=NOW,
        requested_at=NOW,
        not_before=NOW,
        deadline=NOW + timedelta(hours=8),
    )
    return replace(one, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "deadline"),
    [
        ("2026-11-25T08:00:00", "2026-11-25T17:00:00"),  # eight open hours, lunch between them
        ("2026-11-25T16:30:00", "2026-11-26T16:30:00"),
        ("2026-11-27T16:00:00", "2026-11-30T16:00:00"),  # Friday has Monday before it
        ("2026-11-28T12:00:00", "2026-11-30T17:00:00"),  # asked on a Saturday
        ("2026-12-24T16:00:00", "2026-12-28T16:00:00"),  # Christmas, then a week-end
    ],
)
def test_the_deadline_counts_open_hours(asked: str, deadline: str) -> None:
    """Eight hours of the desk being open, half-open to the second."""
    assert deadline_of(CallbackRules(open_hours=8), CALENDAR, at(asked)) == at(deadline)


def test_a_desk_that_hardly_opens_gives_thirty_days() -> None:
    never = Calendar(zone=CALENDAR.zone, week=Week(), holidays={}, exceptions={})
    asked = at("2026-11-25T08:00:00")
    assert deadline_of(CallbackRules(open_hours=8), never, asked) == asked + timedelta(days=30)


@pytest.mark.parametrize(
    ("waiting", "wait_s", "technicians", "heavy"),
    [
        (3, 10.0, 1, True),
        (2, 300.0, 1, True),
        (2, 299.0, 1, False),
        (2, None, 1, False),
        (300, 9000.0, 0, False),
    ],
)
def test_offered_on_heavy_demand_only(waiting: int, wait_s: float | None, technicians: int, heavy: bool) -> None:
    """So many callers or such a wait, and somebody there to call back."""
    rules = CallbackRules(waiting=3, wait_s=300, technicians=1)
    assert is_heavy(rules, waiting=waiting, wait_s=wait_s, technicians=technicians) is heavy


@pytest.mark.parametrize(
    ("now", "wait_s", "today"),
    [
        ("2026-11-25T16:00:00", 3599.0, True),
        ("2026-11-25T16:00:00", 3600.0, False),
        ("2026-11-25T11:50:00", 1200.0, True),  # over lunch, and yet today
        ("2026-11-25T11:50:00", 14_999.0, True),  # ten minutes, and the four hours after lunch
        ("2026-11-25T11:50:00", 15_000.0, False),
        ("2026-11-25T12:30:00", 60.0, True),  # asked over lunch by who waited already
        ("2026-11-25T16:00:00", None, False),
        ("2026-11-25T18:00:00", 60.0, False),
    ],
)
def test_near_closing_it_is_told(now: str, wait_s: float | None, today: bool) -> None:
    """Closing minutes are exclusive."""
    assert is_today(CALENDAR, at(now), wait_s) is today


def test_it_stands_only_while_it_may_be_carried_out() -> None:
    one = callback()
    assert stands(one, NOW, is_open=True, technicians=1)
    assert not stands(one, NOW, is_open=False, technicians=1)
    assert not stands(one, NOW, is_open=True, technicians=0)
    assert not stands(one, one.deadline, is_open=True, technicians=1)
    assert not stands(callback(not_before=NOW + timedelta(seconds=1)), NOW, is_open=True, technicians=1)
    assert not stands(callback("dialling"), NOW, is_open=True, technicians=1)


def test_the_line_is_in_order_of_arrival() -> None:
    """Not of asking."""
    first = callback(id="a" * 16, arrived_at=NOW, requested_at=NOW + timedelta(minutes=9))
    second = callback(id="b" * 16, arrived_at=NOW + timedelta(minutes=1), requested_at=NOW + timedelta(minutes=2))
    assert in_line([second, first]) == [first, second]


def test_an_attempt_is_begun_once() -> None:
    begun = start_attempt(callback(), NOW)
    assert (begun.state, begun.attempts) == ("dialling", 1)
    with pytest.raises(NotNow):
        start_attempt(begun, NOW)


@pytest.mark.parametrize("state", ["pending", "connected", "done", "cancelled", "refused", "expired"])
def test_only_who_is_dialled_can_answer(state: State) -> None:
    with pytest.raises(NotNow):
        connect(callback(state), NOW)


@pytest.mark.parametrize("outcome", ["no-answer", "busy", "voicemail"])
def test_again_at_the_same_place_until_the_last_attempt(outcome: Outcome) -> None:
    one = callback()
    for attempt in (1, 2):
        one = after_attempt(start_attempt(one, NOW), outcome, RULES, NOW)
        assert (one.state, one.attempts, one.not_before) == ("pending", attempt, NOW + timedelta(seconds=300))
        assert one.arrived_at == NOW
    one = after_attempt(start_attempt(one, NOW), outcome, RULES, NOW)
    assert (one.state, one.ended_at) == ("expired", NOW)


def test_our_own_failure_does_not_use_up_the_attempts() -> None:
    """And yet it does not go on for ever."""
    one = callback()
    for _ in range(5):
        one = after_attempt(start_attempt(one, NOW), "interrupted", RULES, NOW)
        assert one.state == "pending"
    assert after_attempt(start_attempt(one, NOW), "failed", RULES, NOW).state == "expired"


def test_an_attempt_that_we_interrupted_is_not_one_of_the_customer_s() -> None:
    """Nor does it wait for a pause when it was a crash of ours: who was first in line stays first."""
    one = after_attempt(start_attempt(callback(), NOW), "interrupted", RULES, NOW, crashed=True)
    assert (one.state, one.not_before, one.attempts, one.interrupted) == ("pending", NOW, 1, 1)
    for _ in range(2):
        one = after_attempt(start_attempt(one, NOW), "no-answer", RULES, NOW)
        assert one.state == "pending"
    assert after_attempt(start_attempt(one, NOW), "no-answer", RULES, NOW).state == "expired"


def test_a_customer_who_was_cut_off_in_the_queue_is_called_again() -> None:
    """Called first, they pressed 1 and no technician had answered yet: back at the same place. Who talked is done."""
    one = connect(start_attempt(callback(mode="customer_first"), NOW), NOW)
    again = after_attempt(one, "interrupted", RULES, NOW)
    assert (again.state, again.arrived_at) == ("pending", one.arrived_at)
    with pytest.raises(NotNow):
        after_attempt(connect(start_attempt(callback(), NOW), NOW), "interrupted", RULES, NOW)


def test_no_attempt_after_the_deadline() -> None:
    one = start_attempt(callback(deadline=NOW + timedelta(seconds=300)), NOW)
    assert after_attempt(one, "busy", RULES, NOW).state == "expired"


def test_the_end_is_the_end() -> None:
    done = end(callback(), "done", "talked", NOW)
    assert end(done, "cancelled", "too late", NOW + timedelta(seconds=1)) is done


@pytest.mark.parametrize(
    ("position", "free", "outstanding", "may"),
    [(1, 1, 0, True), (1, 1, 1, False), (2, 1, 0, False), (2, 2, 1, True), (1, 0, 0, False), (3, 2, 0, False)],
)
def test_dials_never_exceed_free_technicians(position: int, free: int, outstanding: int, may: bool) -> None:
    assert may_dial(position=position, free=free, outstanding=outstanding) is may
