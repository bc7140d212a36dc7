"""The database is away in the midst of a callback: nobody is dialled again who has been talked to (OV-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ivr.callbacks import store as statements
from ivr.callbacks.model import Callback
from ivr.store.engine import Store, StoreUnavailable
from tests.integration.callbacks.world import World

NUMBER = "15145551000"


class Away:
    """A store that can be away."""

    def __init__(self, store: Store) -> None:
        self._store, self.away = store, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Any]:
        if self.away:
            raise StoreUnavailable(reason="gone")
        async with self._store.unit() as unit:
            yield unit


async def _dialled(store: Store, mode: str) -> tuple[World, Away, str]:
    """A world in which a customer is being dialled; the database, and the dialling channel."""
    away = Away(store)
    world = World(store=away, mode=mode)  # type: ignore[arg-type]
    world.set_technician("7001", "busy")
    uniqueid = await world.caller(NUMBER)
    await world.agree(uniqueid, await world.press(uniqueid))
    world.set_technician("7001", "idle")
    await world.settle()
    await world.distribute()
    return world, away, next(iter(world.dialling))


async def _stored(world: World, store: Store) -> Callback:
    async with store.reading() as unit:
        found = await statements.get(unit, next(iter(world.accepted)))
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["technician_first", "customer_first"])
async def test_away_when_they_press_1_and_back_while_they_talk(store: Store, mode: str) -> None:
    world, away, channel = await _dialled(store, mode)
    away.away = True
    with pytest.raises(StoreUnavailable):
        await world.customer(channel, "answers")
    away.away = False
    await world.settle()
    assert (await _stored(world, store)).state == "connected"


async def test_away_until_after_they_have_talked(store: Store) -> None:
    """They are not called again, and what is written in the end is what was."""
    world, away, channel = await _dialled(store, "technician_first")
    away.away = True
    with pytest.raises(StoreUnavailable):
        await world.customer(channel, "answers")
    await world.hang_up(channel)
    with pytest.raises(StoreUnavailable):
        await world.settle()
    answered_at = world.now
    world.now += timedelta(minutes=5)
    away.away = False
    for _ in range(3):
        world.now += timedelta(seconds=5)
        await world.settle()
    stored = await _stored(world, store)
    assert (stored.state, stored.attempts, stored.answered_at) == ("done", 1, answered_at)
    assert len(world.dialled) == 1
