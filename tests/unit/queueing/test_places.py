"""The order of a queue: who arrived first stands first (OV-9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.queueing.places import Place, Places

START = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


def place(minute: int, callback: str | None = None) -> Place:
    return Place(
        uniqueid=f"{minute}.1",
        channel=f"PJSIP/trunk-{minute}",
        arrived_at=START + timedelta(minutes=minute),
        callback=callback,
    )


def test_positions_count_from_1() -> None:
    """As app_queue says them."""
    places = Places([place(1), place(2), place(3)])
    assert [places.position(f"{n}.1") for n in (1, 2, 3, 4)] == [1, 2, 3, None]


def test_who_comes_back_stands_where_they_stood() -> None:
    """Before everyone who came later, behind everyone who came earlier."""
    places = Places([place(1), place(3), place(5)])
    assert places.position_for(START + timedelta(minutes=2)) == 2
    assert places.position_for(START) == 1
    assert places.position_for(START + timedelta(minutes=9)) == 4


def test_who_came_in_the_same_instant_stays_before_who_is_asked_about_later() -> None:
    """OV-9: whoever asks second of two who arrived at once stands second."""
    places = Places([place(1), place(2)])
    assert places.position_for(START + timedelta(minutes=1)) == 2
    assert places.position_for(START + timedelta(minutes=2)) == 3


def test_a_place_is_found_by_its_channel() -> None:
    places = Places([place(1), place(2)])
    assert places.find("2.1") == place(2)
    assert places.find("3.1") is None


def test_who_is_leaving_is_not_counted() -> None:
    """Whether or not Asterisk has told of it yet."""
    places = Places([place(1), place(2)])
    assert places.position_for(START + timedelta(minutes=1), besides="1.1") == 1
    places.leave("1.1")
    assert places.position_for(START + timedelta(minutes=1), besides="1.1") == 1


def test_who_joins_again_moves() -> None:
    """One channel has one place."""
    places = Places([place(1), place(2)])
    places.join(place(2), 1)
    assert [one.uniqueid for one in places] == ["2.1", "1.1"]


def test_a_held_place_is_found_by_its_callback() -> None:
    places = Places([place(1), place(2, "ab")])
    found = places.of_callback("ab")
    assert found is not None
    assert found.uniqueid == "2.1"
    assert places.of_callback("cd") is None


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Places().position_for(datetime(2026, 11, 25, 15, 0))  # noqa: DTZ001


@given(st.permutations(range(8)))
def test_whoever_joins_when_the_order_is_that_of_arrival(order: list[int]) -> None:
    """Each put where they belong, in whatever order they come: the queue is in order of arrival."""
    places = Places()
    for minute in order:
        one = place(minute)
        places.join(one, places.position_for(one.arrived_at))
    assert [one.uniqueid for one in places] == [f"{minute}.1" for minute in range(8)]
