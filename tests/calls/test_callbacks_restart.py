"""kill -9 of the service, of Asterisk, of both, in each state of a callback: the places stand again, nobody is dialled
twice (OV-9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sipsim.records import Answering

from tests.calls.line import Line, wait_for
from tests.calls.queueing import Busy, busy, busy_line, kill, kill_only, new_number, returned


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, int]]:
    """A line that may be hurt."""
    with busy_line(tmp_path_factory.mktemp("restart"), real_voice=True) as started:
        yield started


@pytest.fixture
async def line(running: tuple[Line, int], tmp_path: Path) -> AsyncIterator[Busy]:
    """With nobody on it."""
    async with busy(tmp_path, running) as around:
        yield around


@pytest.mark.parametrize("what", [("service",), ("asterisk",), ("service", "asterisk")], ids=" and ".join)
async def test_places_stand_again_in_order(line: Busy, what: tuple[str, ...]) -> None:
    """In order of original arrival, and ahead of who calls later."""
    technician = line.technician()
    line.paused("7001", True)
    numbers = [new_number() for _ in range(2)]
    calls = [await line.caller(number) for number in numbers]
    # The second asks first: arrival decides.
    await line.ask(calls[1])
    await line.ask(calls[0])
    held = [f"held {number}" for number in numbers]
    await asyncio.to_thread(line.until_places, *held)
    await asyncio.to_thread(kill, line.line, *what)
    # Phones register again after a while; the test does not wait for it.
    await asyncio.to_thread(technician.register)
    await asyncio.to_thread(line.until_places, *held, within_s=45)
    # After a restart of Asterisk, until its news reaches the queue, nobody would be there to answer a new caller.
    await asyncio.to_thread(wait_for, lambda: line.reachable("7001"), "7001's phone known to the queue", 60)
    later = new_number()
    await line.caller(later)
    await asyncio.to_thread(line.until_places, *held, later)


async def test_the_service_is_killed_while_the_customer_is_dialled(line: Busy) -> None:
    """The attempt goes on without it, and is not made a second time."""
    technician = line.technician()
    line.paused("7001", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number, Answering(how="answer", after_s=9))
    line.paused("7001", False)
    await asyncio.to_thread(customer.wait_ringing, 30)
    await asyncio.to_thread(kill, line.line, "service")
    await asyncio.to_thread(
        wait_for, lambda: line.callback(number)["state"] != "pending", "what was begun is known", 20
    )
    assert line.callback(number)["attempts"] == 1
    await asyncio.sleep(5)
    assert customer.rung() == 1
    assert technician.rung() == 1


async def test_asterisk_is_killed_while_they_talk(line: Busy) -> None:
    """It is over; the customer is not called again."""
    technician = line.technician()
    line.paused("7001", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number)
    line.paused("7001", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 30)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
    await asyncio.to_thread(line.until_state, number, "connected")
    await asyncio.to_thread(kill, line.line, "asterisk")
    await asyncio.to_thread(technician.register)
    await asyncio.to_thread(line.until_state, number, "done")
    await asyncio.sleep(3)
    assert customer.rung() == 1


async def test_the_service_is_killed_as_they_are_asked_and_as_they_talk(line: Busy) -> None:
    """1 pressed while it is dead connects them; killed again, they talk on; it ends as done, after one dialling."""
    technician = line.technician()
    line.paused("7001", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number)
    line.paused("7001", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 30)
    await asyncio.to_thread(rings.wait_heard, "callback-greeting")
    before = await asyncio.to_thread(kill_only, line.line, "service")
    await asyncio.to_thread(rings.press, "1")
    await asyncio.to_thread(returned, line.line, ("service",), before)
    connected = await asyncio.to_thread(line.until_state, number, "connected")
    await asyncio.to_thread(kill, line.line, "service")
    assert not rings.ended
    assert line.callback(number)["state"] == "connected"
    await asyncio.to_thread(rings.hang_up)
    done = await asyncio.to_thread(line.until_state, number, "done")
    assert (done["attempts"], done["answered_at"]) == (1, connected["answered_at"])
    assert (customer.rung(), technician.rung()) == (1, 1)


@pytest.mark.timeout(300)
async def test_asterisk_then_both_are_killed_while_the_customer_is_dialled(line: Busy) -> None:
    """Each attempt is made once, and the next at once, at the place that was kept."""
    technician = line.technician()
    line.paused("7001", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number, Answering(how="ring"))
    line.paused("7001", False)
    for attempt, what in enumerate((("asterisk",), ("service", "asterisk")), 1):
        await asyncio.to_thread(customer.wait_ringing, 60)
        assert line.callback(number)["attempts"] == attempt
        await asyncio.to_thread(kill, line.line, *what)
        await asyncio.to_thread(technician.register)
        one = await asyncio.to_thread(line.until_interrupted, number, attempt)
        assert one["reason"] == "interrupted"
    customer.answering(Answering())
    rings = await asyncio.to_thread(customer.wait_ringing, 60)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
    await asyncio.to_thread(line.until_state, number, "connected")
    await asyncio.to_thread(rings.hang_up)
    done = await asyncio.to_thread(line.until_state, number, "done")
    assert (done["attempts"], customer.rung()) == (3, 3)
