"""Rests of what looks again and again: all of it wakes together.

Each waking of an idle process costs more than most of what is then looked at, so rests end on common beats: those of
half a second on every half second, those of two seconds on every other second.
"""

from __future__ import annotations

import asyncio
import math

#: Who wakes this part of a rest before its beat has slept enough, and waits for the next one.
_ENOUGH = 1 / 8


def beat_after(rest_s: float, now_s: float) -> float:
    """Return when a rest of about `rest_s` seconds that begins at `now_s` ends; both by the same clock.

    It lasts an eighth of `rest_s` at least and nine eighths at most; one after another, exactly `rest_s`.
    """
    return (math.floor(now_s / rest_s + _ENOUGH) + 1) * rest_s


async def rest(about_s: float) -> None:
    """Sleep for about so many seconds, until the next beat."""
    now_s = asyncio.get_running_loop().time()
    await asyncio.sleep(beat_after(about_s, now_s) - now_s)


async def rest_unless(woken: asyncio.Event, about_s: float) -> None:
    """Sleep until the next beat or until `woken` is set."""
    try:
        async with asyncio.timeout_at(beat_after(about_s, asyncio.get_running_loop().time())):
            await woken.wait()
    except TimeoutError:
        pass
