"""A customer who was dialled first joins the queue and is answered, all while the service is dead (OV-9)."""

from __future__ import annotations

from ivr.callbacks import store as statements
from ivr.store.engine import Store
from tests.integration.callbacks.world import World


async def test_their_place_is_given_up(store: Store) -> None:
    """While they talk nothing is held for them, so that whoever waits is told the true place; and it ends as done."""
    world = World(store=store, mode="customer_first")
    world.set_technician("7001", "busy")
    caller = await world.caller("15145551000")
    await world.agree(caller, await world.press(caller))
    later = await world.caller("15145551001")
    world.set_technician("7001", "idle")
    await world.settle()
    (channel,) = world.dialling
    (callback,) = world.accepted
    await world.answers_without_the_service(channel, met=True)
    assert [entry.uniqueid for entry in world.entries] == [later]
    await world.check()
    async with store.reading() as unit:
        one = await statements.get(unit, callback)
    assert one is not None
    assert one.state == "connected"
    await world.hang_up(channel)
    await world.settle()
    async with store.reading() as unit:
        one = await statements.get(unit, callback)
    assert one is not None
    assert (one.state, one.attempts) == ("done", 1)
