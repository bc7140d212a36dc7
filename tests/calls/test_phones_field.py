"""Phones as they are in the field: by TCP, dead ones, keys sent twice, holds, and requests that nobody expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sipsim.handset import Handset, Talk
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import Make, registered
from tests.calls.line import Line, hear, prompts, wait_for

NUMBER = "18446664844"
EVENTS = "a=rtpmap:101 telephone-event/8000"


async def until(look: Callable[[], Any], what: str) -> Any:
    """Wait for it beside what goes on."""
    return await asyncio.to_thread(wait_for, look, what, 30)


def status(line: Line, name: str) -> str | None:
    """How a technician's phone is, as the queue knows it; None for who is not logged in."""
    members = line.api("GET", "/v1/queues/support/members")
    return next((one["status"] for one in members if one["endpoint"] == name), None)


async def says(phone: Handset, known: Recogniser, code: str) -> list[str]:
    """Dial a code to its end; what was said."""
    talk = await phone.dial(code)
    await asyncio.wait_for(talk.ended.wait(), 20)
    return prompts(known.recognise(talk.stream.heard()))


@asynccontextmanager
async def trunk_call(handset: Make, number: str, **options: Any) -> AsyncIterator[Talk]:
    """A call from the network."""
    caller = await handset(number, account=False)
    talk = await caller.dial(NUMBER, **options)
    yield talk
    await talk.hang_up()


async def talks(one: Talk, other: Talk) -> None:
    """What each says is heard by the other."""
    for speaker, listener in ((one, other), (other, one)):
        before = len(listener.stream.media.frames)
        await speaker.stream.speak(b"\x20" * 8000)
        await until(lambda: len(listener.stream.media.frames) > before + 25, "audio")  # noqa: B023


async def test_a_phone_on_tcp_is_rung(
    open_line: Line, handset: Make, known_prompts: Recogniser, technicians: None
) -> None:
    """As by UDP: it logs in with *22, a customer's call rings it, and both hear each other."""
    technician, customer = await handset("7002", transport="tcp"), await handset("6001")
    assert await says(technician, known_prompts, "*22") == ["technician-login"]
    assert status(open_line, "7002") == "idle"
    talk = await customer.dial("611")
    answered = await technician.rung(30)
    await answered.pick_up()
    await talks(talk, answered)


async def test_a_colleague_on_tcp_is_rung(handset: Make) -> None:
    """By its extension; the one who calls is on TCP too."""
    called, caller = await handset("6002", transport="tcp"), await handset("6003", transport="tcp")
    dialling = asyncio.create_task(caller.dial("6002"))
    answered = await called.rung()
    await answered.pick_up()
    await talks(await dialling, answered)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_dead_phone_is_not_logged_in(
    open_line: Line, handset: Make, known_prompts: Recogniser, technicians: None, transport: str
) -> None:
    """It is registered and calls, and nothing reaches it: *22 says so."""
    phone = await handset("7002", transport=transport, deaf=True)
    assert await says(phone, known_prompts, "*22") == ["technician-unreachable"]
    assert status(open_line, phone.name) is None


async def test_a_device_that_is_gone_takes_no_place_of_one_that_is_there(open_line: Line, handset: Make) -> None:
    """Two devices; one has a new port, and the place that answered no more goes, not the other device."""
    there = await handset("7002")
    async with Handset(open_line.server, "7002", "demo-7002", deaf=True) as before:
        await before.register()
        # As long as the line waits for an answer to its question whether it is there.
        await asyncio.sleep(5)
        before.cut()
    async with Handset(open_line.server, "7002", "demo-7002") as back:
        contacts = (await back.register()).text.count("\nContact:")
        assert contacts == 2
        caller = await handset("6001")
        dialling = asyncio.create_task(caller.dial("7002"))
        rung = [await device.rung() for device in (there, back)]
        await rung[0].pick_up()
        await talks(await dialling, rung[0])
        await asyncio.wait_for(rung[1].ended.wait(), 10)


async def test_a_phone_that_rebooted_is_rung_where_it_is_now(
    open_line: Line, handset: Make, technicians: None, ani: Callable[[], str]
) -> None:
    """By the queue, which rings one place of a phone: not the one of before, though that has not been asked since."""
    before = await handset("7002")
    open_line.api("PUT", "/v1/queues/support/members/7002")
    await until(lambda: before.asked, "the line's question whether it is there")
    before.cut()
    async with Handset(open_line.server, "7002", "demo-7002") as now, trunk_call(handset, ani()) as talk:
        await now.register()
        await asyncio.sleep(5)
        await talk.stream.press("2")
        answered = await now.rung(15)
        await answered.pick_up()
        await talks(talk, answered)


@pytest.mark.parametrize("lag_s", [-0.1, 0.1, 0.3])
async def test_a_key_sent_twice_is_pressed_once(farm: PhoneFarm, handset: Make, lag_s: float) -> None:
    """By INFO and RFC 4733, whichever comes first; two real presses of a key are two, and one way alone is enough."""
    phone = await asyncio.to_thread(registered, farm, "6002", Answering(how="answer"))
    caller = await handset("6001")
    talk = await caller.dial("6002")
    called = await asyncio.to_thread(phone.wait_ringing)

    async def info(key: str) -> None:
        body = f"Signal={key}\r\nDuration=160\r\n"
        assert (await talk.ask("INFO", headers={"Content-Type": "application/dtmf-relay"}, body=body)).status == 200

    async def both(key: str) -> None:
        async def event() -> None:
            await asyncio.sleep(max(0.0, -lag_s))
            await talk.stream.press(key)

        async def signal() -> None:
            await asyncio.sleep(max(0.0, lag_s))
            await info(key)

        await asyncio.gather(event(), signal())

    await both("5")
    await both("7")
    await both("7")
    for press, key in ((info, "3"), (talk.stream.press, "4")):
        for _ in range(2):
            await press(key)
            await asyncio.sleep(0.25)
    await both("9")
    await until(lambda: called.digits.endswith("9"), "the last key")
    assert called.digits == "57733449"


OPUS = "96 0 101\na=rtpmap:96 opus/48000/2\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/48000"
OTHER_TYPE = "0 96\na=rtpmap:0 PCMU/8000\na=rtpmap:96 telephone-event/8000"
BOTH_RATES = (
    "107 0 110 100\na=rtpmap:107 opus/48000/2\na=rtpmap:0 PCMU/8000\n"
    "a=rtpmap:110 telephone-event/48000\na=rtpmap:100 telephone-event/8000"
)


@pytest.mark.parametrize(
    ("formats", "type_", "rate"), [(OPUS, 101, 48000), (OTHER_TYPE, 96, 8000), (BOTH_RATES, 100, 8000)]
)
async def test_keys_of_other_clocks_and_types_are_heard(
    open_line: Line, handset: Make, ani: Callable[[], str], formats: str, type_: int, rate: int
) -> None:
    """RFC 4733 beside Opus, with the clock of it; and on whatever payload type a phone likes."""
    number = ani()
    async with trunk_call(handset, number, formats=formats) as talk:
        talk.stream.event_type, talk.stream.event_rate = type_, rate
        await asyncio.sleep(1)
        await talk.stream.press("9")

        def pressed() -> list[str]:
            events = open_line.call_from(number)["timeline"]
            return [one["facts"]["key"] for one in events if one["kind"] == "pressed"]

        await until(lambda: pressed() == ["9"], "the key, once")


HOLDS: list[dict[str, Any]] = [
    {"way": "sendonly"},
    {},
    {"way": "inactive"},
    {},
    {"host": "0.0.0.0"},
    {},
    {"late": True},
    {"formats": f"8 101\na=rtpmap:8 PCMA/8000\n{EVENTS}"},
    {"formats": f"9 101\na=rtpmap:9 G722/8000\n{EVENTS}"},
    {"formats": f"0 101\na=rtpmap:0 PCMU/8000\n{EVENTS}"},
]


async def test_a_call_goes_on_whatever_is_changed_in_it(
    open_line: Line, handset: Make, known_prompts: Recogniser, technicians: None, ani: Callable[[], str]
) -> None:
    """Hold, other codecs and empty re-INVITEs: in the menu, in the queue, and on both sides of the talk."""
    number, technician = ani(), await handset("7002")
    open_line.api("PUT", "/v1/queues/support/members/7002")
    open_line.api("PUT", "/v1/queues/support/members/7002/pause", json={"paused": True})

    async def change(talk: Talk) -> None:
        for how in HOLDS:
            assert (await talk.offer(**how)).status == 200, how
            assert (await talk.ask("UPDATE")).status == 200
            assert (await talk.ask("OPTIONS")).status == 200
            assert not talk.ended.is_set()

    async with trunk_call(handset, number) as talk:
        await change(talk)
        await talk.stream.press("2")
        await until(lambda: open_line.call_from(number)["state"] == "queue", "a place in the queue")
        await change(talk)
        assert open_line.call_from(number)["state"] == "queue"
        open_line.api("PUT", "/v1/queues/support/members/7002/pause", json={"paused": False})
        answered = await technician.rung(30)
        await answered.pick_up()
        await talks(talk, answered)
        await change(talk)
        await change(answered)
        await talks(talk, answered)


async def test_an_offer_that_comes_late(handset: Make, open_line: Line, ani: Callable[[], str]) -> None:
    """An INVITE without SDP: the line offers, and keys are heard by the event number that it offers."""
    number = ani()
    async with trunk_call(handset, number, late=True) as talk:
        await asyncio.sleep(1)
        await talk.stream.press("2")
        await until(lambda: open_line.call_from(number)["department"] == "support", "the key")


@pytest.mark.parametrize("refresher", ["uac", "uas"])
async def test_session_timers(handset: Make, ani: Callable[[], str], refresher: str) -> None:
    """RFC 4028: whoever refreshes, and by UPDATE as by re-INVITE; who asks for too little is told the least."""
    headers = {"Supported": "timer", "Session-Expires": f"120;refresher={refresher}"}
    async with trunk_call(handset, ani(), headers=headers) as talk:
        assert talk.reply.header("Session-Expires") == f"120;refresher={refresher}"
        reply = await talk.ask("UPDATE", headers=headers)
        assert (reply.status, reply.header("Session-Expires")) == (200, f"120;refresher={refresher}")
        assert (await talk.offer()).status == 200
        reply = await talk.ask("UPDATE", headers={"Supported": "timer", "Session-Expires": "30"})
        assert (reply.status, reply.header("Min-SE")) == (422, "90")
        assert not talk.ended.is_set()


UNEXPECTED: list[tuple[str, dict[str, str], str, int]] = [
    ("INFO", {"Content-Type": "application/x-unknown"}, "x", 415),
    ("INFO", {"Content-Type": "application/x-unknown", "Info-Package": "nothing"}, "<x/>", 415),
    ("INFO", {}, "", 200),
    ("MESSAGE", {"Content-Type": "text/plain"}, "Bonjour", 405),
    ("SUBSCRIBE", {"Event": "message-summary", "Expires": "60"}, "", 489),
    ("PUBLISH", {"Event": "presence", "Expires": "60"}, "", 489),
    ("NOTIFY", {"Event": "presence", "Subscription-State": "active"}, "", 481),
    ("OPTIONS", {}, "", 200),
    ("NONSENSE", {}, "", 405),
]


async def test_what_nobody_expects_is_answered_at_once(handset: Make, open_line: Line, ani: Callable[[], str]) -> None:
    """Within a call, which goes on; a phone that hears nothing would end it after 32 s."""
    async with trunk_call(handset, ani()) as talk:
        for method, headers, body, answer in UNEXPECTED:
            reply = await asyncio.wait_for(talk.ask(method, headers=headers, body=body), 5)
            assert (method, reply.status) == (method, answer)
        assert not talk.ended.is_set()
        before = len(talk.stream.media.frames)
        await until(lambda: len(talk.stream.media.frames) > before, "the menu, still")


async def test_a_subscription_is_refused_for_good(handset: Make, open_line: Line) -> None:
    """Voicemail lamps and presence: 489 tells a phone that there is no such thing (RFC 6665, section 4.1.2.1)."""
    phone = await handset("6001")
    for method, event in (("SUBSCRIBE", "message-summary"), ("SUBSCRIBE", "presence"), ("PUBLISH", "presence")):
        reply = await phone.ask(method, f"sip:6001@{open_line.address}", headers={"Event": event, "Expires": "60"})
        assert reply.status == 489
    for method in ("MESSAGE", "NOTIFY", "INFO", "REFER"):
        assert (await phone.ask(method, f"sip:6001@{open_line.address}")).status in (405, 501)


async def test_nobody_takes_a_call_over_by_its_name(
    handset: Make, open_line: Line, technicians: None, ani: Callable[[], str]
) -> None:
    """An INVITE with Replaces (RFC 3891) is an ordinary call: the talk that it names goes on."""
    technician, other = await handset("7002"), await handset("6001")
    open_line.api("PUT", "/v1/queues/support/members/7002")
    async with trunk_call(handset, ani()) as talk:
        await asyncio.sleep(1)
        await talk.stream.press("2")
        answered = await technician.rung(30)
        await answered.pick_up()
        named = answered.replaces.replace("%3B", ";").replace("%3D", "=")
        taking = await other.dial("611", headers={"Replaces": named, "Require": "replaces"})
        await talks(talk, answered)
        await taking.hang_up()
        assert not answered.ended.is_set()


NAMES = {
    "latin-1": b'"Ren\xe9e C\xf4t\xe9"',
    "right-to-left": '"\u202eélociN\u202c \u200f\u05d0\u05d1"'.encode(),
    "long": b'"' + "Éléonore ".encode() * 22 + b'"',
    "cut": '"Zoé'.encode()[:-1] + b'"',
}


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_leaves_the_record_whole(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str], name: str
) -> None:
    """Of a caller: the menu answers, and the call's JSON and the calls' list can be read."""
    from sipsim.raw import RawCall

    number = ani()
    from_header = NAMES[name] + f" <sip:{number}@127.0.0.1>".encode()
    async with RawCall(open_line.server, NUMBER, from_header=from_header) as call:
        await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
        record = open_line.call_from(number)
    assert record["ani"] == number
    assert any(one["id"] == record["id"] for one in open_line.api("GET", "/v1/calls", params={"ani": number})["items"])
