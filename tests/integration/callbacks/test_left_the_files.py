"""A desk, queue or department that left the desk files while a callback waits there: it waits, and the others go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ivr.callbacks import store as statements
from ivr.callbacks.channels import new_id
from ivr.callbacks.model import State
from ivr.store.engine import Store
from tests.integration.callbacks.world import World

GONE: list[dict[str, Any]] = [{"desk": "gone"}, {"queue": "gone"}, {"department": "gone"}]


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: next(iter(gone)))
@pytest.mark.parametrize("mode", ["technician_first", "customer_first"])
async def test_the_others_go_on(store: Store, mode: str, gone: dict[str, Any]) -> None:
    """The service is started with files that do not know it any more; it is first in line, and in nobody's way."""
    world = World(store=store, mode=mode)
    world.set_technician("7001", "busy")
    caller = await world.caller("15145551001")
    await world.agree(caller, await world.press(caller))
    (other,) = world.keeper.active()
    stranded = replace(other, id=new_id(), number="15145551000", arrived_at=world.now.replace(hour=1), **gone)
    async with store.unit() as unit:
        await statements.add(unit, stranded)
    world.start_service()
    await world.settle()
    assert [one.id for one in world.keeper.active()] == [stranded.id, other.id]
    assert [world.keeper.serves(one) for one in world.keeper.active()] == [False, True]
    # The other has its place, its turn comes, and it is carried out; nothing is held or dialled for the first.
    assert len(world.entries) == 1
    world.set_technician("7001", "idle")
    await world.settle()
    await world.distribute()
    (channel,) = world.dialling
    assert list(world.dialling.values()) == [other.number]
    await world.customer(channel, "answers")
    if mode == "customer_first":
        await world.distribute()
    await world.hang_up(channel)
    await world.settle()
    async with store.reading() as unit:
        found = await statements.get(unit, other.id)
    assert found is not None
    assert found.state == "done"
    # It may be cancelled like any other; else it waits until its deadline, and ends then.
    world.now = stranded.deadline
    await world.settle()
    async with store.reading() as unit:
        found = await statements.get(unit, stranded.id)
    assert found is not None
    assert (found.state, found.attempts) == ("expired", 0)
    assert world.lapsed == [stranded.id]


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: next(iter(gone)))
@pytest.mark.parametrize("state", ["dialling", "connected"])
async def test_an_attempt_that_was_under_way(store: Store, state: State, gone: dict[str, Any]) -> None:
    """Its channels are gone with the old service: it is over like any attempt, and the database does not keep it."""
    world = World(store=store, mode="technician_first")
    world.set_technician("7001", "busy")
    caller = await world.caller("15145551001")
    await world.agree(caller, await world.press(caller))
    (other,) = world.keeper.active()
    stranded = replace(other, id=new_id(), number="15145551000", attempts=1, dialled_at=world.now, **gone)
    stranded = replace(stranded, state=state, answered_at=world.now if state == "connected" else None)
    async with store.unit() as unit:
        await statements.add(unit, stranded)
    world.start_service()
    for _ in range(4):
        world.now += timedelta(seconds=31)
        await world.settle()
    async with store.reading() as unit:
        found = await statements.get(unit, stranded.id)
    assert found is not None
    assert found.state == ("done" if state == "connected" else "pending")
    assert len(world.entries) == 1
