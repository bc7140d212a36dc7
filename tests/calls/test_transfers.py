"""Transfers by REFER (RFC 3515): who may, to whom, and what becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sipsim.handset import Handset, Talk
from sipsim.message import Message
from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall
from sipsim.records import Answering

from tests.calls.conftest import Make, log_out_all, registered
from tests.calls.fraud import Carrier
from tests.calls.line import Line, wait_for

NUMBER = "18446664844"


@pytest.fixture
async def phone(line: Line) -> AsyncIterator[Make]:
    """Makes registered handsets; at the end nobody is logged in."""
    async with AsyncExitStack() as stack:

        async def make(name: str, **options: Any) -> Handset:
            one = await stack.enter_async_context(Handset(line.server, name, f"demo-{name}", **options))
            assert (await one.register()).status == 200
            stack.push_async_callback(one.register, 0)
            return one

        yield make
    log_out_all(line)


@asynccontextmanager
async def served(line: Line, technician: Handset, number: str) -> AsyncIterator[tuple[RawCall, Talk]]:
    """A caller who talks with a technician."""
    line.api("PUT", f"/v1/queues/support/members/{technician.name}")
    async with RawCall(line.server, NUMBER, number) as caller:
        await asyncio.sleep(1)
        await caller.press("2")
        talk = await technician.rung(30)
        await talk.pick_up()
        await until(lambda: line.call_from(number)["answered_by"] == technician.name, "the technician's answer")
        yield caller, talk


async def until(look: Callable[[], Any], what: str) -> Any:
    """Wait for it beside what goes on."""
    return await asyncio.to_thread(wait_for, look, what, 30)


def told(call: dict[str, Any], *kinds: str) -> list[tuple[Any, ...]]:
    """Of a call's timeline what is of these kinds."""
    facts = (one["facts"] for one in call["timeline"] if one["kind"] in kinds)
    return [tuple(one[name] for name in ("by", "to", "endpoint") if name in one) for one in facts]


async def outcome(talk: Talk, reply: Message) -> int:
    """The last word on a transfer: the answer, or what is told after it (RFC 3515, section 2.4.4)."""
    if reply.status != 202:
        return reply.status
    return int((await talk.told("NOTIFY", "terminated")).body.split(" ")[1])


async def test_a_technician_transfers_to_a_colleague(line: Line, phone: Make) -> None:
    """Blind: the colleague rings, has the caller, and is in the record; the technician is off and rests."""
    annie, luc = await phone("7001"), await phone("7002")
    async with served(line, annie, "14185557001") as (caller, talk):
        # Only the user counts, whatever host a phone writes.
        assert await outcome(talk, await talk.refer("<sip:7002@elsewhere.example>")) == 200
        taken = await luc.rung()
        await until(lambda: line.call_from("14185557001")["state"] == "ringing", "a call that is transferred")
        await taken.pick_up()
        await until(lambda: line.call_from("14185557001")["answered_by"] == "7002", "the colleague's answer")
        assert line.call_from("14185557001")["state"] == "talking"
        before = len(taken.stream.media.frames)
        await caller.speak(b"\x20" * 8000)
        assert len(taken.stream.media.frames) > before + 25
        [member] = line.api("GET", "/v1/queues/support/members")
        assert (member["endpoint"], member["status"]) == ("7001", "idle")
    call = line.ended_call_from("14185557001")
    assert told(call, "transferred", "answered") == [("7001",), ("7001", "7002"), ("7002",)]
    assert [(leg["role"], leg["endpoint"]) for leg in call["legs"][1:]] == [("member", "7001"), ("member", "7002")]
    assert all(leg["answered_at"] and leg["ended_at"] for leg in call["legs"])
    assert (call["result"], call["reason"]) == ("answered", "hung up after talking")


async def test_what_nobody_answers_comes_back(line: Line, phone: Make) -> None:
    """From a colleague who declines and from one whose phone is off; the technician goes on with the caller."""
    annie, luc = await phone("7001"), await phone("7002")
    async with served(line, annie, "14185557002") as (caller, talk):
        await talk.refer("<sip:7002@x>")
        (await luc.rung()).refuse()
        back = await annie.rung()
        await back.pick_up()
        await until(lambda: line.call_from("14185557002")["state"] == "talking", "the technician's second answer")
        await back.refer("<sip:7106@x>")
        again = await annie.rung()
        await again.pick_up()
        await until(lambda: len(told(line.call_from("14185557002"), "answered")) == 3, "the third answer")
        assert not caller.ended
    call = line.ended_call_from("14185557002")
    assert call["answered_by"] == "7001"
    assert told(call, "transferred", "returned") == [("7001", "7002"), ("7001",), ("7001", "7106"), ("7001",)]


async def test_should_the_technician_be_gone_the_queue_has_the_caller_first(line: Line, phone: Make) -> None:
    """Before those who wait there already."""
    annie = await phone("7001")
    async with (
        served(line, annie, "14185557003") as (caller, talk),
        RawCall(line.server, NUMBER, "14185557004") as other,
    ):
        await asyncio.sleep(1)
        await other.press("2")
        await until(lambda: line.call_from("14185557004")["state"] == "queue", "another caller who waits")
        line.api("PUT", "/v1/queues/support/members/7001/pause", json={"paused": True})
        await talk.refer("<sip:7106@x>")
        (await annie.rung()).refuse()

        def places() -> bool:
            found = line.api("GET", "/v1/queues/support")["places"]
            return [line.api("GET", f"/v1/calls/{one['call_id']}")["ani"] for one in found] == [
                "14185557003",
                "14185557004",
            ]

        await until(places, "the caller before the other one")
        assert line.call_from("14185557003")["state"] == "queue"
        assert not caller.ended


@pytest.mark.parametrize("to", ["611", NUMBER, "support"])
async def test_back_to_the_queue(line: Line, phone: Make, to: str) -> None:
    """By the line's numbers and by its name: whoever is free there answers, and has the call."""
    annie, luc = await phone("7001"), await phone("7002")
    number = f"1418555701{len(to) % 10}"
    async with served(line, annie, number) as (_, talk):
        line.api("PUT", "/v1/queues/support/members/7002")
        await talk.refer(f"<sip:{to}@x>")
        await (await luc.rung(30)).pick_up()
        await until(lambda: line.call_from(number)["answered_by"] == "7002", "an answer from the queue")
    assert told(line.ended_call_from(number), "transferred") == [("7001", to if to == "support" else "support")]


@pytest.mark.parametrize("to", ["7103", "comptabilite"])
async def test_to_a_department(line: Line, phone: Make, to: str) -> None:
    """By its phone, and by its name."""
    annie, accounting = await phone("7001"), await phone("7103")
    number = f"1418555702{len(to) % 10}"
    async with served(line, annie, number) as (_, talk):
        await talk.refer(f"<sip:{to}@x>")
        await (await accounting.rung()).pick_up()
        await until(lambda: line.call_from(number)["answered_by"] == "7103", "accounting's answer")


async def test_an_attended_transfer(line: Line, phone: Make) -> None:
    """The colleague was asked first (Replaces, RFC 3891); the caller is theirs from then on."""
    annie, luc = await phone("7001"), await phone("7002")
    async with served(line, annie, "14185557030") as (caller, talk):
        assert (await talk.offer("sendonly")).status == 200
        asking = asyncio.create_task(annie.dial("7002"))
        asked = await luc.rung()
        await asked.pick_up()
        consulted = await asking
        # They talk: a transfer within milliseconds of the answer, before Asterisk has put the two together, fails.
        await consulted.stream.speak(b"\x20" * 1600)
        await until(lambda: len(asked.stream.media.frames) > 5, "the technician's voice")
        assert await outcome(talk, await talk.refer(f"<sip:7002@x?Replaces={consulted.replaces}>")) == 200
        await until(lambda: line.call_from("14185557030")["answered_by"] == "7002", "the colleague as who answers")
        before = len(asked.stream.media.frames)
        await caller.speak(b"\x20" * 8000)
        assert len(asked.stream.media.frames) > before + 25
        assert not asked.ended.is_set()
    call = line.ended_call_from("14185557030")
    assert told(call, "transferred", "answered") == [("7001",), ("7001", "7002"), ("7002",)]
    assert ("member", "7002") in [(leg["role"], leg["endpoint"]) for leg in call["legs"]]


async def test_a_real_phone_transfers(line: Line, tmp_path: Path) -> None:
    """PJSIP's: blind, to one who declines, so that the caller comes back; then after asking."""
    with PhoneFarm(tmp_path / "phones", server=line.address) as phones:
        annie = registered(phones, "7001", Answering(how="answer"))
        luc = registered(phones, "7002", Answering(how="decline"))
        line.api("PUT", "/v1/queues/support/members/7001")
        async with RawCall(line.server, NUMBER, "14185557050") as caller:
            await asyncio.sleep(1)
            await caller.press("2")
            talk = await asyncio.to_thread(annie.wait_ringing, 30)
            await asyncio.to_thread(talk.wait_answered)
            talk.transfer("7002")
            assert (await asyncio.to_thread(talk.wait_for, "transfer")).facts["status"] < 300
            back = await asyncio.to_thread(annie.wait_ringing, 30)
            await asyncio.to_thread(back.wait_answered)
            luc.answering(Answering(how="answer"))
            back.hold()
            asking = annie.dial("7002")
            await asyncio.to_thread(asking.wait_answered)
            back.connect(asking)
            await until(lambda: line.call_from("14185557050")["answered_by"] == "7002", "the colleague")
            assert not caller.ended
        line.api("DELETE", "/v1/queues/support/members/7001")
    assert told(line.ended_call_from("14185557050"), "transferred", "returned") == [
        ("7001", "7002"),
        ("7001",),
        ("7001", "7002"),
    ]


TARGETS = [
    "<sip:19005551234@x>",
    "<sip:011441234567890@x>",
    "<sip:+441234567890@x>",
    "<sip:5145550199@x>",
    "<sip:6001@x>",
    "<sip:911@x>",
    "<sip:*22@x>",
    "<sip:@x>",
    "<sip:x>",
    "<sip:7002%40outbound@x>",
    "<sip:7002&PJSIP%2F011441234567890%40outbound@x>",
    "<sip:7002,60@x>",
    "<sip:omnivigil@x>",
    "<sip:transfer-back@x>",
    "<sip:s@x>",
    "<sip:$%7BSHELL(id)%7D@x>",
    "<sip:7002@x?Replaces=nobody%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    "<tel:+15145550199>",
    "Local/7002@outside",
    "",
]


async def test_nothing_else_is_a_target(line: Line, phone: Make, carrier: Carrier) -> None:
    """Toll fraud by transfer: refused at once, nobody is called, and the talk goes on."""
    annie, luc = await phone("7001"), await phone("7002")
    async with served(line, annie, "14185557040") as (caller, talk):
        for to in TARGETS:
            talk.requests.clear()
            assert await outcome(talk, await talk.refer(to)) in (400, 403, 404, 500), to
        # No subscription to tell by: the answer is the refusal (RFC 4488).
        assert (await talk.refer("<sip:900@x>", headers={"Refer-Sub": "false"})).status == 404
        assert (await talk.ask("REFER")).status == 400
        assert line.call_from("14185557040")["state"] == "talking"
        before = len(talk.stream.media.frames)
        await caller.speak(b"\x20" * 8000)
        assert len(talk.stream.media.frames) > before + 25
        assert not luc.was_rung
    assert carrier.invited == []
    assert told(line.ended_call_from("14185557040"), "transferred") == []


@pytest.mark.parametrize("name", ["6001", "5145550111"])
async def test_customers_and_trunks_transfer_nobody(line: Line, phone: Make, carrier: Carrier, name: str) -> None:
    """A customer's phone and a trunk's caller: refused, and the talk goes on."""
    annie, luc = await phone("7001"), await phone("7002")
    line.api("PUT", "/v1/queues/support/members/7001")
    async with Handset(line.server, name, f"demo-{name}") as customer:
        talk = await customer.dial("611" if name == "6001" else NUMBER)
        if name != "6001":
            await asyncio.sleep(1)
            await talk.stream.press("2")
        served_by = await annie.rung(30)
        await served_by.pick_up()
        for to in ("<sip:7002@x>", "<sip:011441234567890@x>", f"<sip:7002@x?Replaces={served_by.replaces}>"):
            assert (await talk.refer(to)).status == 603
        before = len(served_by.stream.media.frames)
        await talk.stream.speak(b"\x20" * 8000)
        assert len(served_by.stream.media.frames) > before + 25
        assert not luc.was_rung
        assert not talk.ended.is_set()
    assert carrier.invited == []
