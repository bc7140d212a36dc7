"""Who is logged in stays so, whatever Asterisk had time to write before it was killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from ivr.asterisk.ami import RECONNECTED
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.errors import Unavailable
from ivr.queueing.roster import Roll
from ivr.store.engine import Store
from tests.fakes.ami import FakeAmi


class World:
    """A roll, and an Asterisk that forgets."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ami = FakeAmi("support", "sales")
        self.members = AmiQueueMembers(self.ami)
        self.roll = Roll(store, self.ami, self.members)

    async def hears(self) -> None:
        """The service enters what Asterisk has told, and writes it."""
        while not self.ami._events.empty():
            if (event := self.ami._events.get_nowait()) is not None:
                self.roll.enter(event)
        await self.roll.write()

    def asterisk_is_killed(self, at: str, *, forgets: tuple[str, ...]) -> None:
        """Nobody says who is gone."""
        for members in self.ami.queues.members.values():
            for endpoint in forgets:
                members.pop(f"PJSIP/{endpoint}", None)
        self.ami.queues.started = at
        self.ami.queues.asked.clear()

    async def logged_in(self) -> dict[str, bool]:
        """Who is logged in to support, and whether they have a break."""
        return {one.endpoint: one.paused for one in await self.members.list("support")}


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    world = World(store)
    await world.roll.call()
    yield world
    await world.ami.close()


async def test_who_logged_in_just_before_the_crash_is_logged_in_again(world: World) -> None:
    await world.members.add("support", "7001", "Luc")
    await world.members.add("support", "7002", "Ève")
    await world.members.pause(None, "7002", True, "lunch")
    await world.hears()
    world.asterisk_is_killed("10:05:00", forgets=("7001", "7002"))
    world.roll.enter(RECONNECTED)
    await world.roll.call()
    assert await world.logged_in() == {"7001": False, "7002": True}
    # Their phones are asked at once.
    assert world.ami.queues.asked == ["7001", "7002"]


@pytest.mark.parametrize("service", ["the same", "a new one"])
async def test_a_break_is_what_it_was(world: World, service: str) -> None:
    await world.members.add("support", "7001", "Luc")
    await world.members.pause("support", "7001", True, "lunch")
    await world.hears()
    await world.members.pause("support", "7001", False, "")
    world.asterisk_is_killed("10:05:00", forgets=())
    if service == "a new one":
        world.roll = Roll(world.store, world.ami, world.members)
    await world.roll.call()
    assert await world.logged_in() == {"7001": True}


async def test_what_was_done_while_the_service_was_away_stands(world: World) -> None:
    """The same Asterisk has run all the time: its word is the truth."""
    await world.members.add("support", "7001", "Luc")
    await world.hears()
    await world.members.remove("support", "7001")
    await world.members.add("support", "7002", "Ève")
    roll = Roll(world.store, world.ami, world.members)
    await roll.call()
    assert await world.logged_in() == {"7002": False}
    world.asterisk_is_killed("10:05:00", forgets=("7002",))
    await roll.call()
    assert await world.logged_in() == {"7002": False}


async def test_who_logged_out_is_not_logged_in_again(world: World) -> None:
    await world.members.add("support", "7001", "Luc")
    await world.members.remove("support", "7001")
    await world.hears()
    world.asterisk_is_killed("10:05:00", forgets=())
    await world.roll.call()
    assert await world.logged_in() == {}


async def test_phones_that_asterisk_does_not_know_to_be_there_are_asked(world: World) -> None:
    for name in ("7001", "7002"):
        await world.members.add("support", name, name)
    world.ami.queues.members["support"]["PJSIP/7002"]["status"] = "5"
    await world.roll.call()
    assert world.ami.queues.asked == ["7002"]


async def test_what_could_not_be_written_is_written_later(world: World) -> None:
    await world.members.add("support", "7001", "Luc")
    with world.ami.away(), suppress(Unavailable):
        await world.roll.call()
    await world.hears()
    world.asterisk_is_killed("10:05:00", forgets=("7001",))
    await world.roll.call()
    assert await world.logged_in() == {"7001": False}
