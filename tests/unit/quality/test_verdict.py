"""On whose side a fault is (OV-24): each direction in turn, and what must never be said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.quality.figures import CallFigures, Direction, Leg
from ivr.quality.verdict import judge
from ivr.quality.words import CAUSES, advice, cause_text, reason_texts


def way(lost: int = 0, *, of: int = 1000, jitter: float | None = 1.0) -> Direction:
    return Direction(packets=of - lost, lost=lost, jitter_ms=jitter)


UNKNOWN = Direction()


GOOD = way()


def call(
    near_up: Direction = GOOD,
    near_down: Direction = GOOD,
    far_up: Direction = GOOD,
    far_down: Direction = GOOD,
    *,
    near_rtt: float | None = 20,
    far_rtt: float | None = 20,
    trunk: bool = True,
    others_bad: int = 0,
) -> CallFigures:
    near = Leg(name="6001", codec="ulaw", up=near_up, down=near_down, rtt_ms=near_rtt)
    far = Leg(name="outbound" if trunk else "6002", trunk=trunk, codec="ulaw", up=far_up, down=far_down, rtt_ms=far_rtt)
    return CallFigures(near=near, far=far, others_bad=others_bad)


class TestOneSideAndDirection:
    def test_the_phones_uplink_though_the_far_end_misses_the_same_packets(self) -> None:
        """What we never got we could not send on."""
        assert judge(call(near_up=way(50), far_down=way(50))).cause == "uplink"

    def test_the_phones_downlink(self) -> None:
        assert judge(call(near_down=way(50))).cause == "downlink"

    def test_both_of_the_phones_directions_are_its_access(self) -> None:
        assert judge(call(near_up=way(50), far_down=way(50), near_down=way(50))).cause == "access"

    def test_the_trunk_either_way(self) -> None:
        assert judge(call(far_up=way(50), near_down=way(50))).cause == "trunk"
        assert judge(call(far_down=way(50))).cause == "trunk"

    def test_what_was_lost_before_us_is_taken_off_packet_by_packet(self) -> None:
        """OV-24: of 22 that the far end missed, 20 never reached us; the other two are no fault of the way on."""
        assert judge(call(far_up=way(20), near_down=way(22))).cause == "trunk"
        assert judge(call(near_up=way(20), far_down=way(22))).cause == "uplink"

    def test_the_other_phone_is_no_supplier(self) -> None:
        verdict = judge(call(far_up=way(50), near_down=way(50), trunk=False))
        assert verdict.cause == "other-party"
        assert verdict.outside

    def test_jitter_that_came_with_the_audio_is_not_the_phones(self) -> None:
        assert judge(call(far_up=way(jitter=40), near_down=way(jitter=42))).cause == "trunk"
        assert judge(call(near_down=way(jitter=42))).cause == "downlink"
        assert judge(call(near_up=way(jitter=40), far_down=way(jitter=42))).cause == "uplink"

    def test_a_long_way_there_and_back(self) -> None:
        assert judge(call(near_rtt=400)).cause == "access"
        assert judge(call(far_rtt=400)).cause == "trunk"


class TestOurs:
    def test_both_sides_at_once(self) -> None:
        assert judge(call(near_up=way(50), far_up=way(50), near_down=way(50), far_down=way(50))).cause == "ours"
        assert judge(call(near_down=way(50), far_down=way(50))).cause == "ours"
        assert judge(call(near_rtt=400, far_rtt=400)).cause == "ours"

    def test_many_calls_at_once(self) -> None:
        assert judge(call(near_up=way(50), far_down=way(50), others_bad=3)).cause == "ours"
        assert judge(call(near_up=way(50), far_down=way(50), others_bad=2)).cause == "uplink"
        told = {others: judge(call(near_up=way(50), far_down=way(50), others_bad=others)).reasons for others in (2, 3)}
        assert [[one.values for one in told[n] if one.key == "many-calls"] for n in (2, 3)] == [[], [{"calls": 3.0}]]

    @given(st.lists(st.integers(0, 300), min_size=4, max_size=4))
    def test_what_hits_both_sides_is_never_the_customers(self, lost: list[int]) -> None:
        """OV-18: a customer is not sent to their provider for what is ours."""
        near_up, far_up, near_down, far_down = lost
        verdict = judge(
            call(way(50 + near_up), way(50 + far_up + near_down), way(50 + far_up), way(50 + near_up + far_down))
        )
        assert verdict.cause in ("ours", "inconclusive")


class TestUnknown:
    def test_too_little_audio(self) -> None:
        verdict = judge(call(*[way(20, of=200)] * 4))
        assert (verdict.cause, verdict.confidence) == ("inconclusive", 0)

    def test_nothing_at_all(self) -> None:
        assert judge(CallFigures(near=Leg(name="6001"))).reasons[0].key == "no-packets"

    def test_a_phone_that_never_reports_is_not_a_perfect_one(self) -> None:
        verdict = judge(call(near_down=UNKNOWN))
        assert verdict.cause == "inconclusive"
        assert {reason.key for reason in verdict.reasons} == {"near-down-unknown", "unknown-direction"}

    def test_an_unknown_other_side_leaves_the_phone_unblamed(self) -> None:
        assert judge(call(way(50), way(50), UNKNOWN, UNKNOWN)).cause == "inconclusive"

    def test_less_sure_with_less_known(self) -> None:
        known, partly = judge(call(near_up=way(50), far_down=way(50))), judge(call(near_up=way(50), far_down=UNKNOWN))
        assert partly.cause == known.cause == "uplink"
        assert partly.confidence < known.confidence

    def test_how_sure(self) -> None:
        """Confidence is printed in notices: surer with more loss, with more audio, and with every direction known."""
        three_times = call(near_up=way(21), far_down=way(21))
        partly = call(near_up=way(21), far_down=UNKNOWN)
        shorter = call(way(28, of=800), way(of=800), way(of=800), way(28, of=800))
        assert [judge(one).confidence for one in (three_times, partly, shorter)] == [0.89, 0.76, 0.91]

    def test_all_is_well(self) -> None:
        verdict = judge(call())
        assert (verdict.cause, [one.key for one in verdict.reasons]) == ("inconclusive", ["clean"])

    def test_a_phone_that_sends_nothing(self) -> None:
        verdict = judge(call(near_up=Direction(packets=0, lost=0), far_down=UNKNOWN))
        assert verdict.cause == "uplink"
        assert "near-up-silent" in {one.key for one in verdict.reasons}

    def test_a_call_to_the_line_itself_has_one_leg(self) -> None:
        near = Leg(name="6001", codec="ulaw", up=way(), down=way(80))
        assert judge(CallFigures(near=near)).cause == "downlink"


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 2000)), min_size=8, max_size=8),
    st.lists(st.one_of(st.none(), st.floats(0, 1000)), min_size=4, max_size=4),
    st.booleans(),
)
def test_every_call_gets_a_verdict_in_words(counts: list[int | None], jitters: list[float | None], trunk: bool) -> None:
    ways = [Direction(packets=counts[2 * i], lost=counts[2 * i + 1], jitter_ms=jitters[i]) for i in range(4)]
    verdict = judge(call(*ways, trunk=trunk))
    assert 0 <= verdict.confidence < 1
    for language in CAUSES:
        assert cause_text(verdict, language)
        assert all("{" not in text for text in reason_texts(verdict, language))
        assert (advice(verdict, language) is not None) == verdict.outside


@pytest.mark.parametrize(("language", "text"), [("fr", "5,0\u00a0%"), ("en", "5.0%")])
def test_figures_are_written_as_the_language_does(language: str, text: str) -> None:
    reasons = reason_texts(judge(call(near_up=way(50), far_down=way(50))), language)
    assert any(text in one for one in reasons)
