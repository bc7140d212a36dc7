"""Whatever is pressed, the call goes somewhere (OV-4), soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.load import Desks

#: Asks and decisions of the longest call: 40 questions, each with at most one decision, and a few at the end.
LIMIT = 100

moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
callers = st.builds(
    menu.Caller,
    number=st.none() | st.just("14185550101"),
    language=st.sampled_from([None, "fr", "en", "es"]),
    registered_phone=st.sampled_from([None, "6001"]),
    known=st.booleans(),
)
answers = st.one_of(st.none(), st.sampled_from(menu.KEYS))


def follow(
    steps: menu.Conversation, presses: list[str | None], then: str | None
) -> tuple[menu.Destination, list[menu.Step]]:
    """Answer with `presses`, then with `then` for ever."""
    seen: list[menu.Step] = []
    answer: str | None = None
    while len(seen) < LIMIT:
        try:
            step = steps.send(answer) if answer is not None else next(steps)
        except StopIteration as end:
            return end.value, seen
        seen.append(step)
        answer = None
        if isinstance(step, menu.Ask):
            answer = presses.pop(0) if presses else then
    raise AssertionError("the menu does not end")


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(
    number=st.sampled_from(["18446664844", "611", "33972596990"]),
    caller=callers,
    at=moments,
    presses=st.lists(answers, max_size=60) | st.lists(st.sampled_from("*9"), max_size=60),
    then=answers | st.sampled_from("*9"),
)
def test_ov4_the_menu_ends_at_a_destination_whatever_is_pressed(
    desks: Desks,
    calendars: Mapping[str, Mapping[str, Calendar]],
    number: str,
    caller: menu.Caller,
    at: datetime,
    presses: list[str | None],
    then: str | None,
) -> None:
    desk = desks.by_number(number)
    assert desk is not None
    to, seen = follow(menu.line(desk, calendars[desk.id], caller, number, lambda: at), list(presses), then)
    department = desk.departments[to.department]
    is_open = calendars[desk.id][to.department].is_open(at)
    assert to.language in desk.languages
    assert all(step.language in desk.languages for step in seen if isinstance(step, menu.Ask))
    assert all(step.prompts for step in seen if isinstance(step, menu.Ask))
    if to.kind == "message":
        assert not is_open
        assert to.urgent <= (department.closed == "emergency")
    else:
        assert is_open
        assert to.queue == department.queue
        assert to.phones == department.phones
        assert to.queue or to.phones
    if not presses and then is None:
        assert to.department == desk.menu.operator


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(at=moments, key=st.sampled_from("7839#"), caller=callers)
def test_two_unknown_answers_always_reach_the_operator(
    desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]], at: datetime, key: str, caller: menu.Caller
) -> None:
    """OV-4: of the keys here only 9 and 3 mean something, and to the French desk only 3."""
    desk = desks["hotline-2024"]
    if key in desk.menu.keys:
        key = "9"
    to, seen = follow(menu.line(desk, calendars[desk.id], caller, "33972596990", lambda: at), [key, key], None)
    assert to.department == "logiciel"
    assert sum(isinstance(step, menu.Ask) for step in seen) == 3


@pytest.mark.parametrize("at", [datetime(2026, 11, 25, 15, tzinfo=UTC), datetime(2026, 11, 28, 15, tzinfo=UTC)])
@pytest.mark.parametrize("first", ["", "2", "1", "7"])
@pytest.mark.parametrize("key", [*menu.KEYS, None])
def test_ov4_whoever_leans_on_one_key_reaches_somebody(
    desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]], key: str | None, first: str, at: datetime
) -> None:
    caller = menu.Caller(number=None, language=None, registered_phone=None, known=False)
    for number in ("18446664844", "33972596990"):
        desk = desks.by_number(number)
        assert desk is not None
        steps = menu.line(desk, calendars[desk.id], caller, number, lambda: at)
        to, seen = follow(steps, list(first), key)
        assert to.queue or to.phones or to.kind == "message"
        assert sum(isinstance(step, menu.Ask) for step in seen) <= 40
