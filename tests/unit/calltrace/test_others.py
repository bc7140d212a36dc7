"""Many calls at once: what hits many places is ours and must not be blamed on each customer (OV-18)."""

from __future__ import annotations

from ivr.calltrace.common_cause import bad_at_once
from ivr.evidence.legs import EndedLeg
from ivr.evidence.packet_buffer import EndedCall


def leg(name: str, place: str, lost: int = 0, their_lost: int = 0, rx: int = 1000) -> EndedLeg:
    return EndedLeg(
        linkedid="1.1",
        uniqueid=f"1.{name}",
        name=name,
        call_id=name,
        channel="",
        started=1.0,
        answered=True,
        codec="ulaw",
        remote=f"{place}:4000",
        their_number=None,
        rx=rx - lost,
        lost=lost,
        tx=1000,
        their_lost=their_lost,
        rtt_ms=20.0,
        their_ssrc=1,
    )


def call(place: str, *, lost: int = 0, missed: int = 0, far_lost: int = 0, number: int = 0) -> EndedCall:
    """A phone at a place, and the trunk; `missed` is what the phone did not get of what it was sent."""
    near = leg("6001", place, lost, far_lost + missed)
    legs = {"near": near, "far": leg("trunk", "198.51.100.2", far_lost, lost)}
    return EndedCall(linkedid=f"{place}-{number}", ended=0.0, legs=legs)


HERE = "192.0.2.7"


def found(*calls: EndedCall) -> int:
    return bad_at_once(calls, but=f"{HERE}-0", site=HERE)


def test_phones_of_many_places_in_either_direction() -> None:
    assert found(call("a", lost=50), call("b", missed=50), call("c", lost=50), call("d")) == 3


def test_one_place_is_one_however_often_and_the_reporters_own_is_none() -> None:
    assert (
        found(*[call("a", lost=50, number=n) for n in range(9)], *[call(HERE, lost=50, number=n) for n in range(9)])
        == 1
    )


def test_a_few_bad_places_among_many_good_ones_are_a_few_bad_places() -> None:
    assert found(*[call(place, lost=50) for place in "abc"], *[call(place) for place in "defg"]) == 0


def test_calls_with_both_sides_bad() -> None:
    assert found(*[call(HERE, lost=50, far_lost=50, number=n) for n in (1, 2, 3)]) == 3


def test_what_came_in_with_gaps_is_not_the_phones() -> None:
    assert found(*[call(place, far_lost=50) for place in "abc"]) == 0


def test_the_call_itself_does_not_count_nor_one_too_short_nor_one_without_a_place() -> None:
    short = EndedCall(linkedid="x", ended=0.0, legs={"n": leg("6001", "a", 20, rx=100)})
    assert found(call(HERE, lost=50, far_lost=50), short) == 0
