"""Who waits, who goes first, and who is sent away."""

from __future__ import annotations

import asyncio

import pytest

from ivr.accounts.fair_queue import LineFull, Turns


async def test_few_at_once_known_ones_first_and_no_line_without_an_end() -> None:
    turns, order, go = Turns(at_once=1, waiting=2), [], asyncio.Event()

    async def one(name: str, *, known: bool) -> None:
        async with turns.turn(known=known):
            order.append(name)
            await go.wait()

    tasks = [asyncio.create_task(one(name, known=known)) for name, known in (("a", False), ("b", False), ("c", False))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(one("known", known=True)))
    await asyncio.sleep(0)
    with pytest.raises(LineFull):
        await one("d", known=False)
    go.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "known", "b", "c"]


async def test_who_leaves_the_line_takes_no_turn_along() -> None:
    turns, go = Turns(at_once=1, waiting=5), asyncio.Event()

    async def one() -> str:
        async with turns.turn(known=False):
            await go.wait()
            return "done"

    tasks = [asyncio.create_task(one()) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    go.set()
    await asyncio.sleep(0)
    # Its turn may have come in the same moment.
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == results[3] == "done"
    assert turns._running == 0
