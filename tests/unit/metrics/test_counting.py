"""The score of a leg, as it is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.evidence.legs import EndedLeg
from ivr.metrics.counters import leg_mos

CLEAN = EndedLeg(
    linkedid="1.1",
    uniqueid="1.1",
    name="6001",
    call_id="a",
    channel="PJSIP/6001-1",
    started=1.0,
    answered=True,
    codec="ulaw",
    remote=None,
    their_number=None,
    rx=1000,
    lost=0,
    tx=1000,
    their_lost=0,
    rtt_ms=20.0,
    their_ssrc=None,
)


def test_a_clean_leg_is_as_good_as_the_telephone_gets() -> None:
    assert leg_mos(CLEAN) == pytest.approx(4.41, abs=0.02)


def test_the_worse_direction_counts() -> None:
    down = leg_mos(replace(CLEAN, their_lost=100))
    both = leg_mos(replace(CLEAN, their_lost=100, lost=20))
    assert down is not None
    assert down < 3.5
    assert both == down


@pytest.mark.parametrize(
    "leg",
    [
        replace(CLEAN, answered=False),
        replace(CLEAN, feature=True),
        replace(CLEAN, codec="opus"),
        replace(CLEAN, rx=100, tx=100),
        replace(CLEAN, rx=None, tx=None),
        replace(CLEAN, lost=None, their_lost=None),
    ],
)
def test_what_is_not_known_is_not_counted(leg: EndedLeg) -> None:
    assert leg_mos(leg) is None


def test_more_lost_than_sent_is_all_lost() -> None:
    assert leg_mos(replace(CLEAN, tx=300, their_lost=400)) == pytest.approx(1.0, abs=0.2)
