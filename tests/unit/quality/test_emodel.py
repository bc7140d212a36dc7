"""G.107 against figures worked out by hand, and its edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.quality.emodel import codec_name, mos, score


def test_a_perfect_call_is_toll_quality() -> None:
    found = score("ulaw", 0.0, 0.0)
    assert found is not None
    assert (found.r, found.mos) == (93.2, 4.41)


@pytest.mark.parametrize(
    ("codec", "loss", "delay", "r"),
    [
        ("ulaw", 0.05, 0, 93.2 - 95 * 5 / (5 + 25.1)),
        ("PCMA", 0.0, 200, 93.2 - 0.024 * 200 - 0.11 * (200 - 177.3)),
        ("g729", 0.02, 100, 93.2 - 2.4 - 11 - 84 * 2 / (2 + 19)),
    ],
)
def test_the_formula(codec: str, loss: float, delay: float, r: float) -> None:
    found = score(codec, loss, delay)
    assert found is not None
    assert found.r == pytest.approx(r, abs=0.06)


@pytest.mark.parametrize(("codec", "loss"), [("opus", 0.0), (None, 0.0), ("ulaw", None)])
def test_what_is_unknown_stays_unknown(codec: str | None, loss: float | None) -> None:
    assert score(codec, loss, 20) is None


def test_losses_in_bursts_are_worse() -> None:
    scattered, bursts = score("ulaw", 0.1, 0), score("ulaw", 0.1, 0, burst=4)
    assert scattered is not None
    assert bursts is not None
    assert bursts.r < scattered.r


@pytest.mark.parametrize(("loss", "delay", "burst"), [(-0.1, 0, 1), (1.1, 0, 1), (0, -1, 1), (0, 1e9, 1), (0, 0, 0.5)])
def test_absurd_figures_are_refused(loss: float, delay: float, burst: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        score("ulaw", loss, delay, burst=burst)


@given(st.floats(0, 1), st.floats(0, 59_999))
def test_a_score_is_a_score(loss: float, delay: float) -> None:
    found = score("ulaw", loss, delay)
    assert found is not None
    assert 1 <= found.mos <= 4.5
    assert 0 <= found.r <= 100


@given(st.floats(-50, 150))
def test_opinions_never_fall_as_r_rises(r: float) -> None:
    assert mos(r) <= mos(r + 1) + 1e-9


def test_codecs_are_known_by_their_other_names() -> None:
    assert [codec_name(name) for name in ("PCMU", "G729", "g.722", "", None)] == ["ulaw", "g729", "g722", None, None]
