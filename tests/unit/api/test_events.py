"""The bus: everyone hears everything in order, or is cut off."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ivr.events import EventBus, Listener

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)


def publish(bus: EventBus, *numbers: int) -> None:
    for number in numbers:
        bus.publish("call.started", NOW, {"n": number})


async def heard(listener: Listener) -> list[int]:
    return [event.data["n"] async for event in listener]


async def test_every_listener_hears_what_is_published_after_it_came() -> None:
    bus = EventBus()
    publish(bus, 1)
    first, second = bus.listen(), bus.listen()
    publish(bus, 2, 3)
    bus.close()
    assert await heard(first) == await heard(second) == [2, 3]


async def test_who_comes_back_hears_what_was_missed_then_what_is_new_once_each() -> None:
    bus = EventBus()
    publish(bus, 1, 2, 3)
    listener = bus.listen(after=1)
    publish(bus, 4)
    bus.close()
    assert await heard(listener) == [2, 3, 4]


async def test_what_is_no_longer_kept_is_known_to_be_missing() -> None:
    bus = EventBus(kept=2)
    assert bus.remembers(0)
    publish(bus, 1, 2, 3)
    assert not bus.remembers(0)
    assert bus.remembers(1)
    assert bus.remembers(3)
    assert not bus.remembers(4)  # of another run of the service


async def test_a_listener_that_falls_behind_is_cut_off_and_the_others_are_not() -> None:
    bus = EventBus(backlog=2)
    slow, quick = bus.listen(), bus.listen()
    publish(bus, 1, 2)
    assert [(await anext(quick)).data["n"] for _ in range(2)] == [1, 2]
    publish(bus, 3)
    assert bus.listeners == 1
    assert (await anext(quick)).data["n"] == 3
    assert await heard(slow) == [1, 2]


async def test_what_has_gathered_is_taken_together_and_the_end_comes_after_it() -> None:
    bus = EventBus()
    listener = bus.listen()
    assert listener.more() == []
    publish(bus, 1, 2, 3)
    assert (await anext(listener)).data["n"] == 1
    assert [event.data["n"] for event in listener.more()] == [2, 3]
    publish(bus, 4)
    bus.close()
    assert [event.data["n"] for event in listener.more()] == [4]
    assert await heard(listener) == []


def test_an_event_is_put_into_words_once() -> None:
    event = EventBus().publish("call.started", NOW, {"n": 1})
    assert event.json == b'{"at":"2026-12-24T16:59:00Z","n":1}'
    assert event.json is event.json


async def test_a_listener_that_left_is_forgotten() -> None:
    bus = EventBus()
    with bus.listen():
        assert bus.listeners == 1
    assert bus.listeners == 0


async def test_a_waiting_listener_is_woken_by_the_end_and_stays_ended() -> None:
    bus = EventBus()
    listener = bus.listen()
    waiting = asyncio.create_task(heard(listener))
    await asyncio.sleep(0)
    bus.close()
    assert await waiting == []
    with pytest.raises(StopAsyncIteration):
        await anext(listener)
    assert await heard(bus.listen()) == []


def test_runs_of_the_service_are_told_apart() -> None:
    assert EventBus().run != EventBus().run
