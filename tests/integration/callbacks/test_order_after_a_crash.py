"""After a crash of our own those first in line are dialled first, and no attempt of theirs is used up (OV-9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivr.callbacks.channels import part_of
from ivr.store.engine import Store
from tests.integration.callbacks.world import QUEUE, World


def held(world: World) -> list[str]:
    """The numbers for whom places are held, in order."""
    parts = [part_of(entry.uniqueid) for entry in world.entries]
    return [one.number for part in parts if part is not None and (one := world.keeper.get(part.callback)) is not None]


async def line_of_four(world: World) -> list[str]:
    """Four callbacks, the first of them being dialled."""
    numbers = [f"1514555{n:04}" for n in range(1000, 1004)]
    world.set_technician("7001", "busy")
    for number in numbers:
        caller = await world.caller(number)
        await world.agree(caller, await world.press(caller))
    world.set_technician("7001", "idle")
    await world.settle()
    await world.distribute()
    assert list(world.dialling.values()) == numbers[:1]
    return numbers


async def test_who_was_being_dialled_is_first_again_at_once(store: Store) -> None:
    world = World(store=store, mode="technician_first")
    numbers = await line_of_four(world)
    world.start_service()
    await world.restart_asterisk()
    # No second has passed.
    assert held(world) == numbers
    await world.distribute()
    assert list(world.dialling.values()) == numbers[:1]
    # Both of the customer's own attempts are still to come: this is the first of them.
    (channel,) = world.dialling
    await world.customer(channel, "NOANSWER")
    one = next(one for one in world.keeper.active() if one.number == numbers[0])
    assert (one.state, one.attempts, one.interrupted) == ("pending", 2, 1)
    await world.check()


@dataclass
class Slowly(World):
    """An Asterisk in which a channel takes its time to join the queue."""

    on_the_way: list[tuple[str, int]] = field(default_factory=list)

    async def hold(self, uniqueid: str, queue: str, position: int, *, rings: bool, **_: Any) -> None:
        self.on_the_way.append((uniqueid, position))
        # Of two that are on their way the second may come first, and is rung first.
        assert len(self.on_the_way) == 1, "places join side by side"

    async def let_in(self) -> None:
        """Whoever is on the way stands there, and the keeper hears of it."""
        (uniqueid, position), self.on_the_way = self.on_the_way[0], []
        await super().hold(uniqueid, QUEUE, position, rings=True)
        await self.settle()


async def test_places_are_taken_one_after_the_other(store: Store) -> None:
    before = World(store=store, mode="technician_first")
    numbers = await line_of_four(before)
    world = Slowly(store=store, mode="technician_first", now=before.now, arrivals=before.arrivals)
    world.set_technician("7001", "busy")
    await world.settle()
    for count in range(1, len(numbers) + 1):
        await world.let_in()
        assert held(world) == numbers[:count]
    assert world.on_the_way == []
