"""Phones call each other and the outside; the outside calls phones, and nothing else through us."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sipsim.impaired import GOOD, Network, TrunkEnd
from sipsim.impaired import PhoneCall as BarePhone
from sipsim.phones import PhoneFarm
from sipsim.raw import CallFailed, RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import registered
from tests.calls.forwarder import Forwarder
from tests.calls.line import Line, prompts


def bare(line: Line, number: str, phone: str = "6001") -> BarePhone:
    return BarePhone(line.server, phone, f"demo-{phone}", number)


@pytest.mark.smoke
async def test_phone_to_phone_by_extension_and_by_number(farm: PhoneFarm) -> None:
    """Both hear each other, and the one who is called sees the caller's own number, whatever it claims."""
    called = registered(farm, "6002", Answering(how="answer", after_s=0.1))
    caller = registered(farm, "6001")
    for number in ("6002", "4185550102", "14185550102"):
        call = caller.dial(number)
        call.wait_answered()
        ringing = called.wait_ringing()
        assert "14185550101" in ringing.events[0].facts["remote"]
        ringing.wait_answered()
        assert call.hang_up().talked_s > 0
        ringing.wait_ended()


async def test_a_phone_that_is_not_there(farm: PhoneFarm) -> None:
    ending = registered(farm, "6001").dial("7106").wait_ended()
    assert ending.talked_s == 0


async def test_the_outside_reaches_a_phone_by_its_number(farm: PhoneFarm, open_line: Line) -> None:
    called = registered(farm, "6003", Answering(how="answer", after_s=0.1))
    for number in ("14185550103", "+14185550103", "4185550103"):
        async with RawCall(open_line.server, number, "5145550111"):
            ringing = await asyncio.to_thread(called.wait_ringing)
            await asyncio.to_thread(ringing.wait_answered)
        await asyncio.to_thread(ringing.wait_ended)


@pytest.mark.parametrize("number", ["15145550199", "+15145550199", "0115145550199", "911", "6001", "*57", "*22", "611"])
async def test_what_comes_from_the_outside_cannot_go_out_again(open_line: Line, number: str) -> None:
    """Nor use phones' codes, nor their extensions."""
    with pytest.raises(CallFailed) as failed:
        async with RawCall(open_line.server, number, "5145550111"):
            pass
    assert failed.value.status in (404, 603)


async def test_phones_reach_the_outside_as_their_account_allows(line: Line, outside: int) -> None:
    """Local and national calls go out in one form; what toll fraud dials is refused and said so."""
    dialled: list[str] = []

    def networks(number: str) -> tuple[Network, Network]:
        dialled.append(number)
        return GOOD, GOOD

    trunk = TrunkEnd(networks)
    await trunk.open(outside)
    try:
        for number in ("5145550199", "15145550199", "+15145550199", "14165550199", "18005550199", "911"):
            async with bare(line, number):
                await asyncio.sleep(0.1)
        assert dialled == ["15145550199"] * 3 + ["14165550199", "18005550199", "911"]
        # An emergency goes out from any phone.
        async with bare(line, "911", "7106"):
            await asyncio.sleep(0.1)
        assert dialled[6:] == ["911"]
        del dialled[:]
        for number in ("12125550199", "18765550199", "19005550199", "15149765555", "011442079460000", "+442079460000"):
            async with bare(line, number):
                await asyncio.sleep(0.3)
        # Our own numbers never leave.
        async with bare(line, "18446664844"):
            await asyncio.sleep(0.2)
        assert dialled == []
    finally:
        trunk.close()


async def test_no_phone_sends_a_call_elsewhere(line: Line, outside: int) -> None:
    """Toll fraud by a phone that answers 302: with a number its own account may call, with a channel of our own making,
    with a contact that ends the list of who is rung; called by a phone, by the outside, and by ourselves."""
    dialled: list[str] = []

    def networks(number: str) -> tuple[Network, Network]:
        dialled.append(number)
        return GOOD, GOOD

    trunk = TrunkEnd(networks)
    await trunk.open(outside)
    channels = ("PJSIP/011442079460000%40outbound", "Local/011442079460000%40outside", "15145550199")
    try:
        for number in channels:
            for contact in ("sip:{}", "sip:a,40,@{}"):
                async with Forwarder(line.server, "6001", moved_to=f"sip:{number}@{{}}", contact=contact) as phone:
                    with suppress(CallFailed, TimeoutError):
                        async with bare(line, "6001", "6002"):
                            pass
                    assert phone.asked or contact != "sip:{}"
            async with Forwarder(line.server, "6001", moved_to=f"sip:{number}@{{}}") as phone:
                with suppress(CallFailed, TimeoutError):
                    async with RawCall(line.server, "14185550101", "5145550111"):
                        pass
                assert phone.asked
            async with Forwarder(line.server, "7001", moved_to=f"sip:{number}@{{}}") as phone:
                report = {"call_id": number, "device": "6003", "figures": {"near": {}}}
                trace = await asyncio.to_thread(line.api, "POST", "/v1/call-traces", json=report)
                path = f"/v1/call-traces/{trace['id']}/call-back"
                await asyncio.to_thread(line.api, "POST", path, json={"technician": "7001"})
                await asyncio.sleep(1)
                assert phone.asked
        assert dialled == []
    finally:
        trunk.close()


async def test_a_refused_call_says_why(farm: PhoneFarm, known_prompts: Recogniser) -> None:
    call = registered(farm, "6001").dial("011442079460000")
    call.wait_ended(30)
    assert prompts(known_prompts.recognise(call.recording)) == ["not-allowed"]


async def test_without_a_way_out_the_caller_hears_so(farm: PhoneFarm, known_prompts: Recogniser) -> None:
    call = registered(farm, "6001").dial("5145550199")
    call.wait_ended(30)
    assert prompts(known_prompts.recognise(call.recording)) == ["no-way-out"]
