"""Toll fraud: whatever a phone registers, and whatever a caller says, no call goes out by it. A carrier counts."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import suppress

import pytest
from sipsim.impaired import PhoneCall as BarePhone
from sipsim.raw import CallFailed, RawCall

from tests.calls.fraud import Carrier, Thief
from tests.calls.line import Line, wait_for

ABROAD = "011441234567890"


async def call_6001(line: Line, number: str = "14185550101") -> None:
    """From the trunk; nobody answers in these tests."""
    with suppress(CallFailed, TimeoutError):
        async with asyncio.timeout(1.5), RawCall(line.server, number, "5145550111"):
            pass


def refusals(line: Line) -> int:
    """How many contacts were not rung."""
    found = re.search(
        r'^omnivigil_calls_refused_total{reason="contact"} (\d+)', line.raw_api("GET", "/metrics").text, re.M
    )
    return int(found[1]) if found is not None else 0


@pytest.fixture
def thefts(outside: int) -> dict[str, list[list[str]]]:
    """What a thief registers, one REGISTER after the other; each line is a Contact header."""
    there = f"127.0.0.1:{outside}"
    evil = f"<sip:{ABROAD}@{there}>"
    return {
        "a second contact in a header of its own": [["<sip:6001@{}>", evil]],
        "a second contact in the same header": [["<sip:6001@{}>, " + evil]],
        "its own taken back": [["<sip:6001@{}>", evil], ["<sip:6001@{}>;expires=0"]],
        "in one go": [["<sip:6001@{}>"], ["<sip:6001@{}>;expires=0", evil]],
        "the first is no SIP contact": [["<tel:+15145550199>", evil]],
        "under the account's name": [["<sip:6001@{}>", f"<sip:6001@{there}>"]],
        "under no number": [["<sip:6001@{}>", f"<sip:taxi@{there}>"]],
        "another channel": [[f"<sip:x&PJSIP/outbound/sip:{ABROAD}@{there}>"]],
        "a trunk by name": [[f"<sip:x&PJSIP/{ABROAD}@outbound>"]],
        "the end of the list": [[f"<sip:a,40,&PJSIP/{ABROAD}@outbound,@{{}}>"]],
        "a parameter that is a channel": [[f"<sip:6001@{{}};x=1&PJSIP/{ABROAD}@outbound>"]],
        "where a request goes in truth": [[f"<sip:{ABROAD}@{there};maddr=127.0.0.1>"]],
        "the line itself": [["<sip:6001@{}>", "<sip:14185550101@127.0.0.1:SIP>"]],
        "another name of this machine": [["<sip:6001@{}>", f"<sip:{ABROAD}@localhost:{outside}>"]],
    }


async def test_a_contact_leads_nowhere_but_to_its_phone(
    line: Line, carrier: Carrier, thefts: dict[str, list[list[str]]]
) -> None:
    """By the phone's number from the trunk, and by its extension from a colleague, also while the contact is new."""
    for what, registers in thefts.items():
        async with Thief(line.server, "6001") as thief:
            for contacts in registers:
                await thief.register([one.replace("SIP", str(line.sip)) for one in contacts])
                # In the moment before Asterisk has asked whether it is there, and after it.
                await call_6001(line)
            with suppress(CallFailed, TimeoutError):
                async with asyncio.timeout(1.5), BarePhone(line.server, "6002", "demo-6002", "6001"):
                    pass
        assert carrier.invited == [], what


async def test_a_phone_with_one_contact_of_its_own_is_rung(line: Line, carrier: Carrier) -> None:
    """Two devices of one account both; and the one beside a contact that leads elsewhere."""
    async with Thief(line.server, "6001") as one, Thief(line.server, "6001") as other:
        assert await one.register(["<sip:6001@{};ob>"]) == 200
        assert await other.register(["<sip:6001@{};transport=UDP>"]) == 200
        await call_6001(line)
        assert (one.asked > 0, other.asked > 0) == (True, True)
    async with Thief(line.server, "6001") as one:
        await one.register(["<sip:6001@192.0.2.9:7;line=abc>", f"<sip:{ABROAD}@127.0.0.1:9>"])
        await call_6001(line)
        assert one.asked > 0
    assert carrier.invited == []


async def test_a_register_binds_the_address_that_it_came_from(line: Line, outside: int) -> None:
    """However many it names, in whichever way; a phone still takes all of its own back."""
    evil = f"<sip:{ABROAD}@127.0.0.1:{outside}>"
    async with Thief(line.server, "6001") as thief:
        for contacts in (["<sip:6001@{}>", evil], ["<sip:6001@{}>, " + evil], [evil, "<sip:6001@{}>", evil, evil]):
            assert await thief.register(contacts) == 200
            assert thief.bound
            assert all(thief.own in one for one in thief.bound), contacts
            assert await thief.register(["*"], expires_s=0) == 200
            assert thief.bound == []


async def test_a_queue_rings_no_contact_that_leads_elsewhere(line: Line, carrier: Carrier, outside: int) -> None:
    """A technician's account; and when its contact is its own, it is rung."""
    async with Thief(line.server, "7001") as thief:
        await thief.register([f"<sip:{ABROAD}@127.0.0.1:{outside}>"])
        await asyncio.to_thread(line.api, "PUT", "/v1/queues/support/members/7001")
        before = await asyncio.to_thread(refusals, line)
        try:
            async with RawCall(line.server, "18446664844", "5145550112") as call:
                await call.press("2")

                await asyncio.to_thread(wait_for, lambda: refusals(line) > before, "the refusal", 30)
                assert carrier.invited == []
                await thief.register(["*"], expires_s=0)
                await thief.register(["<sip:7001@{}>"])
                await asyncio.to_thread(wait_for, lambda: thief.asked > 0, "the phone's ringing", 30)
        finally:
            await asyncio.to_thread(line.api, "DELETE", "/v1/queues/support/members/7001")
    assert carrier.invited == []
    assert "refused" in line.log()


@pytest.mark.parametrize(
    "number",
    [
        f"+18446664844,{ABROAD}",
        "+18446664844%2C2",
        f"+{ABROAD}",
        f"{ABROAD}@outbound",
        f"14185550101&PJSIP/{ABROAD}@outbound",
        f"14185550101%26PJSIP%2F{ABROAD}%40outbound",
        f"Local/{ABROAD}@outside",
        "$%7BSHELL(id)%7D",
        "outside",
        "s",
    ],
)
async def test_no_number_names_a_route(line: Line, carrier: Carrier, number: str) -> None:
    """What is dialled from the trunk, and by a phone that may not call abroad."""
    await call_6001(line, number)
    with suppress(CallFailed, TimeoutError):
        async with asyncio.timeout(1.5), BarePhone(line.server, "6002", "demo-6002", number):
            pass
    assert carrier.invited == []


async def test_no_header_names_a_route(line: Line, carrier: Carrier) -> None:
    """Of a call from the trunk to a phone that is there."""
    evil = f"sip:{ABROAD}@127.0.0.1"
    headers = {
        "Diversion": f"<{evil}>;reason=unconditional".encode(),
        "P-Asserted-Identity": f'"&PJSIP/{ABROAD}@outbound" <{evil}>'.encode(),
        "Remote-Party-ID": f"<{evil}>;party=calling".encode(),
        "Referred-By": f"<{evil}>".encode(),
        "Route": f"<{evil};lr>".encode(),
        "Refer-To": f"<{evil}>".encode(),
    }
    async with Thief(line.server, "6001") as phone:
        await phone.register(["<sip:6001@{}>"])
        for name, value in headers.items():
            with suppress(CallFailed, TimeoutError):
                names = f'"x&PJSIP/{ABROAD}@outbound,40" <sip:5145550113@127.0.0.1>'.encode()
                call = RawCall(line.server, "14185550101", from_header=names, extra={name: value})
                async with asyncio.timeout(1.5), call:
                    pass
        assert phone.asked > 0
    assert carrier.invited == []


async def test_what_chance_invents_goes_nowhere_either(line: Line, carrier: Carrier, outside: int) -> None:
    """Contacts, names and numbers put together from what means something to somebody; always the same ones."""
    chance = random.Random(17)
    there = f"127.0.0.1:{outside}"
    users = ["6001", "taxi", ABROAD, f"x&PJSIP/{ABROAD}", f"%2B1900&Local/{ABROAD}", "a,40,", "", "6001-0x1f", "6001:x"]
    hosts = ["{}", there, "outbound", "localhost", f"127.1:{outside}", f"[::1]:{outside}", f"127.0.0.1:{line.sip}"]
    ends = [
        "",
        ";ob",
        ";maddr=127.0.0.1",
        f";x=&PJSIP/{ABROAD}@outbound",
        ";transport=tcp",
        ";lr",
        f"?Route=<sip:{there}>",
    ]
    more = ["", ";expires=0", ";q=0.1", ';+sip.instance="<urn:uuid:1>"', f", <sip:{ABROAD}@{there}>"]
    numbers = [
        "14185550101",
        "+14185550101",
        f"14185550101,{ABROAD}",
        f"+{ABROAD}",
        "6001",
        f"{ABROAD}%40outbound",
        "*57",
    ]

    def contact() -> str:
        host, user = chance.choice(hosts), chance.choice(users)
        return (
            f"<{chance.choice(['sip', 'sip', 'sips', 'tel'])}:{user}@{host}{chance.choice(ends)}>{chance.choice(more)}"
        )

    for _ in range(12):
        async with Thief(line.server, "6001") as thief:
            first = [f"<sip:6001@{{}}{chance.choice(ends)}>"] if chance.random() < 0.5 else []
            await thief.register(
                first + [contact() for _ in range(chance.randint(1, 3))], via=chance.choice([None, there])
            )
            with suppress(CallFailed, TimeoutError):
                who = f'"&PJSIP/{ABROAD}@outbound" <sip:{chance.choice(users) or "x"}@{chance.choice(["a", there])}>'
                call = RawCall(line.server, chance.choice(numbers), from_header=who.encode())
                async with asyncio.timeout(0.5), call:
                    pass
    assert carrier.invited == []
