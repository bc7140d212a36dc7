"""Being called back while the place is kept (OV-9), by real calls: the technician is called first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.raw import RawCall
from sipsim.records import Answering

from tests.calls.line import Line, wait_for
from tests.calls.queueing import ACCOUNTING, NUMBER, Busy, busy, busy_line, new_number


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, int]]:
    """A line that offers callbacks to everyone, and dials again after 5 s."""
    with busy_line(tmp_path_factory.mktemp("callbacks")) as started:
        yield started


@pytest.fixture
async def line(running: tuple[Line, int], tmp_path: Path) -> AsyncIterator[Busy]:
    """With nobody on it."""
    async with busy(tmp_path, running) as around:
        yield around


async def test_the_third_of_five_keeps_the_place(line: Busy) -> None:
    """OV-9: the place is held from the press on; positions stay true; technician and customer are connected."""
    technician = line.technician(how=Answering(how="answer"))
    line.paused("7001", True)
    numbers = [new_number() for _ in range(5)]
    calls = [await line.caller(number) for number in numbers]
    await asyncio.to_thread(line.until_places, *numbers)
    third = calls[2]
    heard = await line.hear(third, "callback-offer")
    assert heard.language == "fr"
    names = line.heard(third)
    place = names.index("queue-thereare")
    assert names[place : place + 3] == ["queue-thereare", "digit-3", "queue-holdtime"]
    await third.press("1")
    # Held at once, before a word is said, so that nobody moves up.
    held = [*numbers[:2], "?", *numbers[3:]]

    def standing() -> bool:
        return [one if one in numbers else "?" for one in line.places()] == held

    await asyncio.to_thread(wait_for, standing, "the held place")
    await line.hear(third, "callback-confirm")
    await third.press("1")
    assert await third.ended_by_line(30)
    assert "callback-accepted" in line.heard(third)
    await asyncio.to_thread(line.until_places, *numbers[:2], f"held {numbers[2]}", *numbers[3:])
    # The fifth is still told the fifth place.
    await line.hear(calls[4], "queue-thereare")
    await line.hear(calls[4], "digit-5")
    await line.gone(calls[0], calls[1])
    customer = line.customer(numbers[2])
    line.paused("7001", False)
    rings = await asyncio.to_thread(customer.wait_ringing, 40)
    briefed = await asyncio.to_thread(technician.wait_ringing)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=2)
    await asyncio.to_thread(line.until_state, numbers[2], "connected")
    names = [one.prompt_id for one in briefed.heard()]
    assert names[0] == "callback-brief"
    assert names[-1] == "callback-brief-dialling"
    # They hear each other.
    menu = line.line.sound("queue-patience")
    rings.play(_wav(menu, Path(line.line.state) / "said.wav"))
    await asyncio.to_thread(briefed.wait_heard, "queue-patience")
    await asyncio.to_thread(rings.hang_up)
    done = await asyncio.to_thread(line.until_state, numbers[2], "done")
    assert done["attempts"] == 1
    await asyncio.to_thread(wait_for, lambda: customer.rung() == 1 and technician.rung() >= 2, "the next caller")


def _wav(ulaw: Path, to: Path) -> Path:
    from sipsim.audio import read_ulaw, write_wav

    write_wav(to, read_ulaw(ulaw))
    return to


async def test_change_of_mind(line: Busy) -> None:
    """Star returns to the very place."""
    line.technician()
    line.paused("7001", True)
    numbers = [new_number() for _ in range(3)]
    calls = [await line.caller(number) for number in numbers]
    await line.hear(calls[1], "callback-offer")
    await calls[1].press("1")
    await line.hear(calls[1], "callback-confirm")
    await calls[1].press("*")
    await line.hear(calls[1], "callback-back")
    await asyncio.to_thread(line.until_places, *numbers)
    assert line.line.api("GET", "/v1/callbacks", params={"number": numbers[1]})["items"] == []


async def test_a_voicemail_is_no_answer(line: Busy) -> None:
    """Whoever answers must press 1: again later, at the same place; then the ticket and a text message say so."""
    technician = line.technician()
    number = new_number()
    line.paused("7001", True)
    await line.ask(await line.caller(number))
    customer = line.customer(number)
    line.paused("7001", False)
    first = await asyncio.to_thread(technician.wait_ringing, 20)
    await asyncio.to_thread(first.wait_heard, "callback-no-answer", timeout_s=60)
    one = await asyncio.to_thread(line.until_attempted, number, 1)
    assert one["reason"] == "voicemail"
    expired = await asyncio.to_thread(line.until_state, number, "expired", 60)
    assert expired["attempts"] == 2
    assert customer.rung() == 2
    sms = line.line.rows("select recipient, ticket_number from outbox where kind = 'sms' and recipient = ?", number)
    assert len(sms) == 1
    history = line.line.api("GET", f"/v1/tickets/{sms[0][1]}")["history"]
    assert "callback-expired" in [event["kind"] for event in history]


async def test_busy_then_answered(line: Busy) -> None:
    """Busy: dialled again at the same place, ahead of who came later."""
    technician = line.technician()
    number, later = new_number(), new_number()
    line.paused("7001", True)
    await line.ask(await line.caller(number))
    customer = line.customer(number, Answering(how="busy"))
    line.paused("7001", False)
    await asyncio.to_thread(technician.wait_ringing, 20)
    one = await asyncio.to_thread(line.until_attempted, number, 1)
    line.paused("7001", True)
    assert one["reason"] == "busy"
    customer.answering(Answering(how="answer"))
    await line.caller(later)
    await asyncio.to_thread(line.until_places, f"held {number}", later)
    line.paused("7001", False)
    await asyncio.to_thread(customer.wait_ringing, 1)
    rings = await asyncio.to_thread(customer.wait_ringing, 30)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "2", after_s=2)
    refused = await asyncio.to_thread(line.until_state, number, "refused")
    assert refused["attempts"] == 2


@pytest.mark.smoke
async def test_calling_in_while_waiting(line: Busy) -> None:
    """From outside, whoever says that they call from a number hears the place and that the callback stands; they can
    neither cancel it nor take its place, for the number may be made up."""
    line.technician()
    line.paused("7001", True)
    first, number, last = new_number(), new_number(), new_number()
    await line.caller(first)
    await line.ask(await line.caller(number))
    await line.caller(last)
    await asyncio.to_thread(line.until_places, first, f"held {number}", last)
    async with RawCall(line.line.server, NUMBER, number) as again:
        await line.hear(again, "welcome")
        await again.press("2")
        await line.hear(again, "callback-pending-stands")
        names = line.heard(again)
        assert names[names.index("callback-pending") :][:3] == ["callback-pending", "queue-thereare", "digit-2"]
        await again.press("3")
        await line.hear(again, "callback-pending-stands")
        await again.press("2")
        await asyncio.to_thread(line.until_places, first, f"held {number}", last, number)
    assert line.callback(number)["state"] == "pending"


async def test_calling_in_after_a_missed_callback(line: Busy) -> None:
    """Nobody answers; who calls in then keeps the callback at its place."""
    technician = line.technician()
    line.paused("7001", True)
    number = new_number()
    await line.ask(await line.caller(number))
    customer = line.customer(number, Answering(how="ring"))
    line.paused("7001", False)
    briefed = await asyncio.to_thread(technician.wait_ringing, 20)
    await asyncio.to_thread(briefed.wait_heard, "callback-no-answer", timeout_s=60)
    line.paused("7001", True)
    one = await asyncio.to_thread(line.until_attempted, number, 1)
    assert one["reason"] == "no-answer"
    await _calls_in(line, number, "1", "callback-kept")
    await asyncio.to_thread(line.until_places, f"held {number}", within_s=30)
    assert line.callback(number) | {"position": 1} == one | {"position": 1}
    assert (customer.rung(), technician.rung()) == (1, 1)


async def _calls_in(line: Busy, number: str, key: str, prompt: str) -> None:
    """Somebody who waits for a callback calls, chooses, is told that it was understood, and the call is over."""
    async with RawCall(line.line.server, NUMBER, number) as call:
        await line.hear(call, "welcome")
        await call.press("2")
        await line.hear(call, "callback-pending-stands")
        await call.press(key)
        assert await call.ended_by_line(30)
        assert line.heard(call)[-2:] == [prompt, "goodbye"]


async def test_english_in_the_queue(line: Busy) -> None:
    """OV-4: 9 at any moment, in the queue too; the place stays, and what is told is told in English."""
    line.technician()
    line.paused("7001", True)
    number, other = new_number(), new_number()
    call = await line.caller(number)
    await line.caller(other)
    await line.hear(call, "queue-youarenext")
    await call.press("9")
    await asyncio.to_thread(line.until_places, number, other)
    await line.hear(call, "queue-youarenext", language="en")


@pytest.mark.smoke
async def test_a_registered_phone_is_rung_itself(line: Busy) -> None:
    """611 from a phone: the phone is called back, without a trunk; its owner's language carries over."""
    technician = line.technician()
    line.paused("7001", True)
    phone = line.phones.phone("6001", password="demo-6001").register()
    call = phone.dial("611")
    await asyncio.to_thread(call.wait_heard, "callback-offer", timeout_s=40)
    call.press("1")
    await asyncio.to_thread(call.wait_heard, "callback-confirm")
    call.press("1")
    await asyncio.to_thread(call.wait_ended)
    line.paused("7001", False)
    rings = await asyncio.to_thread(phone.wait_ringing, 30)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
    number = "14185550101"
    await asyncio.to_thread(line.until_state, number, "connected")
    # The card that the technician sees is the customer's.
    (talking,) = line.line.api("GET", "/v1/calls", params={"ani": number, "limit": 1})["items"]
    card = line.line.api("GET", f"/v1/calls/{talking['id']}")
    assert card["dialled"] == "callback"
    assert card["answered_by"] == "7001"
    assert card["identity"]["customer"]["account"] == "C-1001"
    assert technician.rung() == 1
    await asyncio.to_thread(rings.hang_up)
    await asyncio.to_thread(line.until_state, number, "done")
    card = line.line.api("GET", f"/v1/calls/{talking['id']}")
    assert {leg["role"]: leg["endpoint"] for leg in card["legs"]} == {"caller": "6001", "member": "7001"}
    assert all(leg["answered_at"] and leg["ended_at"] for leg in card["legs"])
    assert [one["facts"]["endpoint"] for one in card["timeline"] if one["kind"] == "answered"] == ["7001", "6001"]


async def test_a_department_outside_takes_a_call_with_1(line: Busy) -> None:
    """Whoever answers it hears that somebody waits, and is put through with 1 only: a voicemail is no answer."""
    person = line.customer(ACCOUNTING)
    for key, answered in (("2", False), ("1", True)):
        number = new_number()
        call = await line.at_menu(number)
        await call.press("3")
        taking = await asyncio.to_thread(person.wait_ringing, 40)
        await asyncio.to_thread(taking.press_when_heard, "take-call", key, after_s=1)
        if not answered:
            await asyncio.to_thread(taking.press_when_heard, "take-call", key, after_s=1)
            await line.hear(call, "nobody-answers")
            await line.gone(call)
            continue
        talking = await asyncio.to_thread(wait_for, lambda n=number: _talking(line, n), "the answer", 30)
        assert [one["facts"]["endpoint"] for one in talking["timeline"] if one["kind"] == "answered"] == ["outside"]
        assert ACCOUNTING not in {leg["endpoint"] for leg in talking["legs"]}
        taking.play(_wav(line.line.sound("queue-patience"), Path(line.line.state) / "accounting.wav"))
        await line.hear(call, "queue-patience")
        await asyncio.to_thread(taking.hang_up)
        await line.gone(call)


def _talking(line: Busy, number: str) -> dict[str, Any] | None:
    call = line.line.call_from(number)
    return call if any(one["kind"] == "answered" for one in call["timeline"]) else None
