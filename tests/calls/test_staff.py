"""Who is rung: staff on a telephone outside, and whoever speaks the caller's language, by real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.phones import PhoneCall
from sipsim.records import Answering

from tests.calls.line import Line, wait_for
from tests.calls.queueing import Busy, busy, busy_line, kill, new_number

NADIA = "15145559104"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, int]]:
    """A line with a way out."""
    with busy_line(tmp_path_factory.mktemp("staff"), suited_s=6) as started:
        yield started


@pytest.fixture
async def line(running: tuple[Line, int], tmp_path: Path) -> AsyncIterator[Busy]:
    """With nobody on it."""
    async with busy(tmp_path, running) as around:
        yield around


def _nadia(line: Line) -> str:
    """She answers on a telephone outside, and comes on duty; what queues call her."""
    entry = {"name": "Nadia", "external_number": f"+{NADIA}", "queues": ["support"]}
    line.api("PUT", "/v1/directory/staff/nadia", json=entry)
    duty: dict[str, Any] = wait_for(lambda: _begins(line, "nadia"), "Nadia on duty")
    assert (duty["on_duty"], [one["queue"] for one in duty["queues"]]) == (True, ["support"])
    endpoint: str = duty["endpoint"]
    wait_for(lambda: _member(line, endpoint)["status"] == "idle", "a telephone that can be called")
    return endpoint


def _begins(line: Line, key: str) -> Any:
    answer = line.raw_api("PUT", f"/v1/staff/{key}/duty")
    return answer.json() if answer.status_code == 200 else None


def _member(line: Line, endpoint: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = line.api("GET", "/v1/queues/support/members")
    return next(one for one in found if one["endpoint"] == endpoint)


async def _takes(taking: PhoneCall, key: str, times: int = 1) -> None:
    for _ in range(times):
        await asyncio.to_thread(taking.press_when_heard, "take-call", key, after_s=1)


async def test_a_call_is_taken_outside_with_1_and_with_nothing_else(line: Busy) -> None:
    """A voicemail is no answer; who took the call is named, gets one at a time, and rests like everyone."""
    endpoint = await asyncio.to_thread(_nadia, line.line)
    nadia = line.customer(NADIA)
    number, other = new_number(), new_number()
    call = await line.caller(number)
    refused = await asyncio.to_thread(nadia.wait_ringing, 30)
    await _takes(refused, "2", times=2)
    await asyncio.to_thread(refused.wait_ended)
    assert line.places() == [number]
    taking = await asyncio.to_thread(nadia.wait_ringing, 30)
    await _takes(taking, "1")
    await asyncio.to_thread(line.until_answered, number, endpoint, within_s=20)
    record = line.line.call_from(number)
    assert {leg["role"]: leg["endpoint"] for leg in record["legs"]} == {"caller": None, "member": endpoint}
    assert NADIA not in str(record)
    waiting = await line.caller(other)
    assert (await asyncio.to_thread(_member, line.line, endpoint))["status"] == "in use"
    assert nadia.rung() == 2
    await asyncio.to_thread(taking.hang_up)
    await line.gone(call)
    after = await asyncio.to_thread(nadia.wait_ringing, 30)
    await _takes(after, "1")
    await asyncio.to_thread(line.until_answered, other, endpoint, within_s=20)
    await line.gone(waiting)
    assert line.line.api("DELETE", "/v1/staff/nadia/duty")["on_duty"] is False


async def test_a_callback_is_carried_out_by_who_answers_outside(line: Busy) -> None:
    """After 1 they hear who is called, as on a phone; the customer is dialled then."""
    endpoint = await asyncio.to_thread(_nadia, line.line)
    line.paused(endpoint, True)
    number = new_number()
    call = await line.caller(number)
    await line.ask(call)
    customer, nadia = line.customer(number), line.customer(NADIA)
    line.paused(endpoint, False)
    taking = await asyncio.to_thread(nadia.wait_ringing, 30)
    await _takes(taking, "1")
    await asyncio.to_thread(taking.wait_heard, "callback-brief")
    rings = await asyncio.to_thread(customer.wait_ringing, 40)
    await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=2)
    await asyncio.to_thread(line.until_state, number, "connected")
    await asyncio.to_thread(rings.hang_up)
    await asyncio.to_thread(line.until_state, number, "done")
    await asyncio.to_thread(wait_for, lambda: line.line.call_from(number)["answered_by"] == endpoint, "who answered")


async def test_on_duty_outside_over_a_crash_of_asterisk_and_service(line: Busy) -> None:
    """Who was on duty still is; a number that is taken away is called no more."""
    endpoint = await asyncio.to_thread(_nadia, line.line)
    await asyncio.to_thread(kill, line.line, "asterisk", "service")
    await asyncio.to_thread(wait_for, lambda: _member(line.line, endpoint)["status"] == "idle", "Nadia on duty", 30)
    line.line.api("DELETE", "/v1/directory/staff/nadia")
    await asyncio.to_thread(
        wait_for, lambda: not line.line.api("GET", "/v1/queues/support/members"), "Nadia logged out", 15
    )


def _speak(line: Line, **languages: str) -> None:
    """Which language each technician speaks, by phone; known to calls when this returns."""
    for phone, language in languages.items():
        (one,) = line.api("GET", "/v1/directory/staff", params={"phone": phone.removeprefix("t")})["items"]
        line.api("PATCH", f"/v1/directory/staff/{one['key']}", json={"languages": [language]})
    line.api("PUT", "/v1/directory/staff/last", json={"name": "Last", "external_number": "+15145559105"})
    wait_for(lambda: line.raw_api("GET", "/v1/staff/last/duty").status_code == 200, "what changed to be known")
    line.api("DELETE", "/v1/directory/staff/last")


async def test_who_speaks_the_caller_s_language_is_rung_first_and_others_after_a_while(line: Busy) -> None:
    """In any order of phones and callers; nobody waits longer than the desk file says while another is free."""
    await asyncio.to_thread(_speak, line.line, t7001="fr", t7002="en")
    for phone in ("7001", "7002"):
        line.technician(phone, Answering(how="answer"))
    english, french, more = new_number(), new_number(), new_number()
    first = await line.asks(english, language_key="9")
    await asyncio.to_thread(line.until_answered, english, "7002", within_s=30)
    second = await line.asks(french)
    await asyncio.to_thread(line.until_answered, french, "7001", within_s=30)
    await line.gone(second)
    third = await line.asks(more, language_key="9")
    await asyncio.to_thread(line.until_answered, more, "7001", within_s=60)
    (answered,) = [one for one in line.line.call_from(more)["timeline"] if one["kind"] == "answered"]
    assert answered["facts"]["waited_s"] >= 5, "7002 was waited for, who spoke with somebody"
    rang = [one["facts"]["endpoint"] for one in line.line.call_from(english)["timeline"] if one["kind"] == "ringing"]
    assert rang == ["7002"], "a phone that is passed over does not ring"
    await line.gone(first, third)
