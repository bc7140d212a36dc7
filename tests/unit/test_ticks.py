"""Rests that end together."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.ticks import beat_after, rest, rest_unless

RESTS = st.sampled_from([0.05, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0])


@given(rest_s=RESTS, now_s=st.floats(0, 1e7))
def test_a_rest_is_about_as_long_as_was_asked_for(rest_s: float, now_s: float) -> None:
    assert rest_s / 8 - 1e-6 <= beat_after(rest_s, now_s) - now_s <= rest_s * 9 / 8 + 1e-6


@given(rest_s=RESTS, now_s=st.floats(0, 1e7), late=st.floats(-1 / 16, 0.8))
def test_one_after_another_they_are_exactly_as_long(rest_s: float, now_s: float, late: float) -> None:
    """However long what is done between takes, and should a timer be a little early."""
    beat = beat_after(rest_s, now_s)
    assert beat_after(rest_s, beat + late * rest_s) == pytest.approx(beat + rest_s)


@given(now_s=st.floats(0, 1e7), late=st.floats(0, 0.05))
def test_longer_rests_end_with_shorter_ones(now_s: float, late: float) -> None:
    beat = beat_after(2.0, now_s)
    assert beat == pytest.approx(beat_after(0.5, beat - 0.5 + late))
    assert beat == pytest.approx(beat_after(0.25, beat - 0.25 + late))


async def test_those_who_rest_wake_at_once() -> None:
    loop, woken = asyncio.get_running_loop(), []

    async def one(began_s: float) -> None:
        await asyncio.sleep(began_s)
        await rest(0.2)
        woken.append(loop.time())

    await asyncio.sleep(beat_after(0.2, loop.time()) - loop.time())
    await asyncio.gather(*(one(0.02 * n) for n in range(8)))
    # On a slow machine some may begin a beat later; those of one beat are together.
    assert len({round(at / 0.2) for at in woken}) < 4


async def test_a_rest_ends_early_for_who_is_woken() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(rest_unless(event, 3600))
    await asyncio.sleep(0)
    assert not waiting.done()
    event.set()
    async with asyncio.timeout(5):
        await waiting
    await rest_unless(asyncio.Event(), 0.01)
