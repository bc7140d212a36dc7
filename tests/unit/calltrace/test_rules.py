"""What a report leads to: OV-13, OV-16, OV-24, and several reports that are one incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivr.calltrace.rules import Reported, call_mos, priority_of, route_of, silent, together
from ivr.quality.figures import CallFigures, Direction, Leg
from ivr.quality.verdict import Cause, Verdict

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


def verdict(cause: Cause) -> Verdict:
    return Verdict(cause=cause, confidence=0.9, reasons=())


@pytest.mark.parametrize(
    ("cause", "with_partner", "without"),
    [
        ("ours", "level-4", "level-4"),
        ("trunk", "level-4", "level-4"),
        ("uplink", "partner", "customer"),
        ("downlink", "partner", "customer"),
        ("access", "partner", "customer"),
        ("other-party", "partner", "customer"),
        ("inconclusive", "partner", "level-2"),
    ],
)
def test_ov16_and_ov24_who_gets_it(cause: Cause, with_partner: str, without: str) -> None:
    assert route_of(verdict(cause), partner=True) == with_partner
    assert route_of(verdict(cause), partner=False) == without


@pytest.mark.parametrize(
    ("mos", "no_audio", "priority"),
    [
        (4.2, True, "haute"),
        (2.59, False, "haute"),
        (2.6, False, "moyenne"),
        (3.59, False, "moyenne"),
        (3.6, False, "normale"),
        (None, False, "moyenne"),
    ],
)
def test_ov13_priority_by_score(mos: float | None, no_audio: bool, priority: str) -> None:
    assert priority_of(mos, no_audio) == priority


def test_the_score_is_the_worse_of_what_both_heard() -> None:
    good, bad = Direction(packets=1000, lost=0), Direction(packets=800, lost=200)
    near = Leg(name="6001", codec="ulaw", up=bad, down=good, rtt_ms=20)
    far = Leg(name="6002", codec="ulaw", up=good, down=Direction(), rtt_ms=20)
    assert call_mos(CallFigures(near=near, far=far)) == pytest.approx(2.6, abs=0.1)
    assert call_mos(CallFigures(near=Leg(name="6001", codec="ulaw"))) is None


def test_what_nobody_says_they_heard_is_not_heard_well() -> None:
    """No RTCP of the phone's: that we lost nothing on the way says nothing of what it received."""
    good, bad = Direction(packets=1000, lost=0), Direction(packets=800, lost=200)
    near = Leg(name="6001", codec="ulaw", up=good, rtt_ms=20)
    far = Leg(name="outbound", codec="ulaw", up=good, down=good, rtt_ms=20)
    assert call_mos(CallFigures(near=near, far=far)) is None
    assert call_mos(CallFigures(near=near, far=replace(far, up=bad))) == pytest.approx(2.6, abs=0.1)
    assert call_mos(CallFigures(near=replace(near, down=good), far=far)) == pytest.approx(4.4, abs=0.1)


def test_no_audio_at_all() -> None:
    assert silent(CallFigures(near=Leg(name="6001", up=Direction(packets=0, lost=0))))
    assert not silent(CallFigures(near=Leg(name="6001")))


def reported(name: str, minutes_ago: float, **shared: str) -> Reported:
    values: dict[str, str | None] = {"trunk": None, "site": None, "codec": None} | shared
    return Reported(id=name, at=NOW - timedelta(minutes=minutes_ago), **values)


class TestTogether:
    def test_three_within_fifteen_minutes_that_share_something(self) -> None:
        found = together(
            [reported("a", 14.9, trunk="x"), reported("b", 5, trunk="x"), reported("c", 0, trunk="x")], NOW
        )
        assert [(one.by, one.value, one.traces) for one in found] == [("trunk", "x", ("a", "b", "c"))]

    def test_not_two_nor_what_is_too_old_nor_what_is_unknown(self) -> None:
        assert together([reported("a", 1, site="s"), reported("b", 1, site="s")], NOW) == []
        assert (
            together([reported("a", 15, site="s"), reported("b", 1, site="s"), reported("c", 0, site="s")], NOW) == []
        )
        assert together([reported("a", 1), reported("b", 1), reported("c", 0)], NOW) == []

    def test_each_thing_that_is_shared(self) -> None:
        reports = [reported(name, 1, site="s", codec="ulaw") for name in "abc"]
        assert [one.by for one in together(reports, NOW)] == ["site", "codec"]
