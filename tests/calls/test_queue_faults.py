"""What goes wrong in a queue: phones that are unplugged, keys pressed at random. Nobody loses their place (OV-9)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall
from sipsim.records import Answering

from tests.calls.line import Line, wait_for
from tests.calls.queueing import NUMBER, Busy, busy, busy_line, kill, kill_only, new_number, returned


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, int]]:
    """A line that offers callbacks to everyone."""
    with busy_line(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.fixture
async def line(running: tuple[Line, int], tmp_path: Path) -> AsyncIterator[Busy]:
    """With nobody on it."""
    async with busy(tmp_path, running) as around:
        yield around


def unplugged(line: Busy, folder: Path) -> None:
    """7001 rings, and in the midst of it the phone has no power any more: it says nothing to anybody."""
    with PhoneFarm(folder / "unplugged", server=line.line.address) as farm:
        phone = farm.phone("7001", password="demo-7001", answering=Answering(how="ring")).register()
        line.line.api("PUT", "/v1/queues/support/members/7001")
        phone.wait_ringing(30)
        os.kill(farm.pid, signal.SIGKILL)


async def test_a_phone_unplugged_in_mid_ring(line: Busy, tmp_path: Path) -> None:
    """The caller keeps their place and the next technician answers."""
    line.technician("7002")
    line.paused("7002", True)
    number = new_number()
    call = await line.caller(number)
    await asyncio.to_thread(unplugged, line, tmp_path)
    assert line.places() == [number]
    line.paused("7002", False)
    await asyncio.to_thread(line.until_answered, number, "7002", within_s=60)
    assert not await call.ended_by_line(1)


async def test_a_phone_unplugged_as_a_callback_rings(line: Busy, tmp_path: Path) -> None:
    """Nobody was dialled, no attempt is spent, and the place is kept for the next technician."""
    line.technician("7002")
    line.paused("7002", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number)
    await asyncio.to_thread(unplugged, line, tmp_path)
    await asyncio.to_thread(line.until_places, f"held {number}", within_s=30)
    assert line.callback(number)["attempts"] == 0
    line.paused("7002", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 60)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
    one = await asyncio.to_thread(line.until_state, number, "connected")
    assert one["attempts"] == 1
    assert customer.rung() == 1


async def test_keys_pressed_at_random(line: Busy) -> None:
    """A crying child, a bad line: what means nothing changes nothing, and a key that does still works afterwards."""
    line.technician()
    line.paused("7001", True)
    numbers = [new_number() for _ in range(2)]
    calls = [await line.caller(number) for number in numbers]
    await line.hear(calls[0], "callback-offer")
    for key in "345670#*8*#24680#*3":
        await calls[0].press(key)
        await asyncio.sleep(0.05)
    await asyncio.to_thread(line.until_places, *numbers)
    assert "left-queue" not in [entry["kind"] for entry in line.line.call_from(numbers[0])["timeline"]]
    await line.ask(calls[0])
    await asyncio.to_thread(line.until_places, f"held {numbers[0]}", numbers[1])


async def test_the_service_is_killed_while_callers_wait(line: Busy) -> None:
    """They are told their place again by the next one, and whoever answers sees who calls."""
    line.technician()
    line.paused("7001", True)
    number = new_number()
    call = await line.caller(number)
    await line.hear(call, "callback-offer")
    before = line.line.call_from(number)
    await asyncio.to_thread(kill, line.line, "service")
    await asyncio.to_thread(line.until_places, number)
    await line.hear(call, "callback-offer")
    line.paused("7001", False)
    await asyncio.to_thread(line.until_answered, number, "7001", within_s=60)
    await line.gone(call)
    after = await asyncio.to_thread(line.line.ended_call_from, number)
    assert (after["id"], after["queued_at"], after["result"]) == (before["id"], before["queued_at"], "answered")
    assert "resumed" in [entry["kind"] for entry in after["timeline"]]


async def test_the_service_is_killed_as_a_phone_rings(line: Busy) -> None:
    """It is answered while nobody looks; afterwards it is known who talks to whom."""
    phone = line.technician(how=Answering(how="ring"))
    number = new_number()
    call = await line.caller(number)
    ringing = await asyncio.to_thread(phone.wait_ringing, 30)
    # What has happened so far is written every second.
    await asyncio.sleep(2)
    before = await asyncio.to_thread(kill_only, line.line, "service")
    await asyncio.to_thread(ringing.pick_up)
    await asyncio.to_thread(returned, line.line, ("service",), before)
    await asyncio.to_thread(line.until_answered, number, "7001", within_s=10)
    await line.gone(call)
    after = await asyncio.to_thread(line.line.ended_call_from, number)
    assert (after["result"], after["queue"]) == ("answered", "support")
    assert {leg["role"]: leg["endpoint"] for leg in after["legs"]}["member"] == "7001"


async def test_callers_come_while_the_service_is_away(line: Busy) -> None:
    """The dialplan takes them to the queue by itself. There they are met: they are told what everybody is told, a key
    leads back to their place, and whoever answers sees who calls."""
    line.technician()
    line.paused("7001", True)
    number, second = new_number(), new_number()
    before = await asyncio.to_thread(kill_only, line.line, "service")
    call = await RawCall(line.line.server, NUMBER, number).__aenter__()
    line.callers.append(call)
    await line.hear(call, "fallback-queue")
    behind = await RawCall(line.line.server, NUMBER, second).__aenter__()
    line.callers.append(behind)
    await asyncio.to_thread(returned, line.line, ("service",), before)
    await asyncio.to_thread(line.until_places, number, second, within_s=30)
    await line.hear(call, "queue-youarenext", language="fr")
    await line.hear(call, "callback-offer", language="fr")
    await call.press("9")
    await line.hear(call, "queue-youarenext", language="en")
    await asyncio.to_thread(line.until_places, number, second)
    await call.press("1")
    await line.hear(call, "callback-confirm", language="en")
    await call.press("*")
    await line.hear(call, "callback-back", language="en")
    await asyncio.to_thread(line.until_places, number, second)
    await line.gone(behind)
    line.paused("7001", False)
    await asyncio.to_thread(line.until_answered, number, "7001", within_s=60)
    await line.gone(call)
    after = await asyncio.to_thread(line.line.ended_call_from, number)
    assert (after["result"], after["queue"], after["department"]) == ("answered", "support", "support")
    assert "met-in-queue" in [entry["kind"] for entry in after["timeline"]]


async def test_asterisk_is_killed_while_callers_wait(line: Busy) -> None:
    """Its calls are over, and nobody goes on waiting on the board. Who comes then is not sent to the message box while
    the technicians' phones are not known to be there yet; nobody is logged out, nor is a break over."""
    line.technician()
    number = new_number()
    line.technician("7002")
    line.paused("7002", True)
    line.paused("7001", True)
    await line.caller(number)
    await asyncio.to_thread(kill, line.line, "asterisk")
    await asyncio.to_thread(line.until_places, within_s=30)

    def breaks() -> bool:
        members = line.line.api("GET", "/v1/queues/support/members")
        return {one["endpoint"]: one["paused"] for one in members} == {"7001": True, "7002": True}

    await asyncio.to_thread(wait_for, breaks, "both technicians' breaks", 30)
    next_number = new_number()
    call = await line.caller(next_number)
    await asyncio.to_thread(line.until_places, next_number, within_s=30)
    await line.gone(call)
    after = await asyncio.to_thread(line.line.ended_call_from, number)
    assert (after["result"], after["reason"]) == ("abandoned", "asterisk-restarted")


async def test_the_service_is_killed_as_a_callback_is_confirmed(line: Busy) -> None:
    """It is committed, the dialplan confirms it, and the caller does not wait a second time."""
    line.technician()
    line.paused("7001", True)
    number = new_number()
    call = await line.caller(number)
    await line.hear(call, "callback-offer")
    await call.press("1")
    await line.hear(call, "callback-confirm")
    await call.press("1")
    await line.hear(call, "callback-accepted")
    await asyncio.to_thread(kill, line.line, "service")
    await line.hear(call, "fallback-settled")
    assert await call.ended_by_line(10)
    await asyncio.to_thread(line.until_places, f"held {number}", within_s=30)
    records = line.line.api("GET", "/v1/calls", params={"ani": number})["items"]
    assert [one["result"] for one in records] == ["callback"]


async def test_both_are_killed_in_a_call_s_first_second(line: Busy) -> None:
    """The call has a record all the same."""
    number = new_number()
    call = await RawCall(line.line.server, NUMBER, number).__aenter__()
    line.callers.append(call)
    await asyncio.to_thread(kill, line.line, "service", "asterisk")

    def record() -> dict[str, Any] | None:
        items = line.line.api("GET", "/v1/calls", params={"ani": number, "limit": 1})["items"]
        return items[0] if items and items[0]["reason"] == "asterisk-killed" else None

    after = await asyncio.to_thread(wait_for, record, "the call's record", 90)
    assert after["result"] == "failed"
