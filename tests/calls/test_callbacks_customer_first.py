"""Being called back, the customer first: dialled when a technician is free, then at their place in the queue."""

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
    """A line that calls the customer first."""
    with busy_line(tmp_path_factory.mktemp("customer-first"), mode="customer_first") as started:
        yield started


@pytest.fixture
async def line(running: tuple[Line, int], tmp_path: Path) -> AsyncIterator[Busy]:
    """With nobody on it."""
    async with busy(tmp_path, running) as around:
        yield around


async def test_dialled_when_a_technician_is_free(line: Busy) -> None:
    """The technician's phone rings only for a person; the customer stands at the kept place."""
    technician = line.technician()
    line.paused("7001", True)
    number, later = new_number(), new_number()
    await line.ask(await line.caller(number))
    await line.caller(later)
    await asyncio.to_thread(line.until_places, f"held {number}", later)
    customer = line.customer(number)
    assert customer.rung() == 0
    line.paused("7001", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 20)
    # Nobody else is dialled or rung meanwhile: the free technician is theirs.
    assert technician.rung() == 0
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
    answered = await asyncio.to_thread(technician.wait_ringing, 20)
    await asyncio.to_thread(line.until_places, later)
    card = line.line.api("GET", "/v1/calls", params={"ani": number})["items"][0]
    assert card["dialled"] == "callback"
    assert card["answered_by"] == "7001"
    await asyncio.to_thread(rings.hang_up)
    await asyncio.to_thread(answered.wait_ended)
    await asyncio.to_thread(line.until_state, number, "done")


async def test_nobody_answers(line: Busy) -> None:
    """The technician is given to the next caller; the customer keeps the place for the next attempt."""
    technician = line.technician()
    line.paused("7001", True)
    number, later = new_number(), new_number()
    await line.ask(await line.caller(number))
    await line.caller(later)
    customer = line.customer(number, Answering(how="ring"))
    line.paused("7001", False)
    await asyncio.to_thread(customer.wait_ringing, 20)
    one = await asyncio.to_thread(line.until_attempted, number, 1)
    assert one["reason"] == "no-answer"
    await asyncio.to_thread(wait_for, lambda: technician.rung() == 1, "the next caller's turn", 20)
    line.paused("7001", True)
    await asyncio.to_thread(line.until_places, f"held {number}", within_s=20)


async def test_busy_refused_and_a_voicemail(line: Busy) -> None:
    """Whoever is not reached keeps the place for the next attempt, and whoever comes next has their turn meanwhile."""
    technician = line.technician()
    line.paused("7001", True)
    number, other = new_number(), new_number()
    await line.ask(await line.caller(number))
    await line.ask(await line.caller(other))
    await asyncio.to_thread(line.until_places, f"held {number}", f"held {other}")
    customer, refuses = line.customer(number, Answering(how="busy")), line.customer(other)
    line.paused("7001", False)
    rings = await asyncio.to_thread(refuses.wait_ringing, 30)
    one = line.callback(number)
    assert (one["state"], one["attempts"], one["reason"]) == ("pending", 1, "busy")
    customer.answering(Answering())
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "2", after_s=1)
    refused = await asyncio.to_thread(line.until_state, other, "refused")
    assert (refused["attempts"], refuses.rung()) == (1, 1)
    # The second attempt is answered, and nobody presses 1.
    expired = await asyncio.to_thread(line.until_state, number, "expired", 90)
    assert expired["reason"] == "2 attempts, the last: voicemail"
    assert customer.rung() == 2
    assert technician.rung() == 0
    assert line.places() == []


@pytest.mark.timeout(240)
async def test_asterisk_is_killed_as_they_are_dialled_then_the_service_as_they_are_asked(line: Busy) -> None:
    """The first attempt is over; in the second, 1 pressed while the service is dead leads to the kept place."""
    technician = line.technician()
    line.paused("7001", True)
    number, later = new_number(), new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number, Answering(how="ring"))
    line.paused("7001", False)
    await asyncio.to_thread(customer.wait_ringing, 30)
    # The next attempt comes at once when somebody is free: it is to wait for the one who calls later.
    line.paused("7001", True)
    await asyncio.to_thread(wait_for, lambda: line.break_is_kept("7001"), "7001's break on disk")
    await asyncio.to_thread(kill, line.line, "asterisk")
    await asyncio.to_thread(technician.register)
    one = await asyncio.to_thread(line.until_attempted, number, 1)
    assert (one["reason"], one["interrupted"]) == ("interrupted", 1)
    customer.answering(Answering())
    await asyncio.to_thread(line.until_places, f"held {number}", within_s=60)
    await asyncio.to_thread(wait_for, lambda: line.reachable("7001"), "7001's phone known to the queue", 60)
    await line.caller(later)
    line.paused("7001", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 30)
    await asyncio.to_thread(rings.wait_heard, "callback-greeting")
    before = await asyncio.to_thread(kill_only, line.line, "service")
    await asyncio.to_thread(rings.press, "1")
    answered = await asyncio.to_thread(technician.wait_ringing, 30)
    await asyncio.to_thread(returned, line.line, ("service",), before)
    # Nothing is held for the customer any more, and who called later is known to the new service as well.
    await asyncio.to_thread(line.until_places, later)
    # It is the customer whom the technician talks to.
    assert not rings.ended
    assert technician.rung() == 1
    await asyncio.to_thread(rings.hang_up)
    await asyncio.to_thread(answered.wait_ended)
    done = await asyncio.to_thread(line.until_state, number, "done")
    assert (done["attempts"], customer.rung()) == (2, 2)
    await asyncio.to_thread(technician.wait_ringing, 20)
