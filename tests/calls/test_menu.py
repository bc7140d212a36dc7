"""The menu, by real calls on an open line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from sipsim.errors import PhoneTimeout
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import CallFailed, RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import registered
from tests.calls.line import Line, hear, prompts, silences, wait_for

NUMBER = "18446664844"
FIRST = ["welcome", "language-offer", "menu"]


class Caller:
    """A caller from the network whose presses follow what is heard."""

    def __init__(self, call: RawCall, known: Recogniser) -> None:
        self.call, self.known = call, known

    async def hears(self, prompt: str, within_s: float = 45.0, *, times: int = 1) -> str:
        """Wait for a prompt's beginning, for so many of them; its language."""
        found = await asyncio.to_thread(hear, self.known, self.call.heard, prompt, within_s, times=times)
        return found.language

    def heard(self) -> list[tuple[str, str]]:
        """Prompt and language of everything so far."""
        return [(one.prompt_id, one.language) for one in self.known.recognise(self.call.heard())]


@pytest.mark.smoke
async def test_menu_is_heard_whole_in_french(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-1, OV-4: welcome, the offer of English, the menu; French first, and no silence in between."""
    async with RawCall(open_line.server, NUMBER, ani()) as call:
        await asyncio.to_thread(hear, known_prompts, call.heard, "menu", whole=True)
        heard = known_prompts.recognise(call.heard())
        gaps = silences(call.heard())
    assert prompts(heard)[:3] == FIRST
    assert {one.language for one in heard} == {"fr"}
    assert heard[2].complete
    assert [gap for gap in gaps if gap[0] < heard[2].end_s] == []


async def test_a_department_rings_its_own_phone(
    open_line: Line,
    farm: PhoneFarm,
    known_prompts: Recogniser,
    ani: Callable[[], str],
) -> None:
    """OV-1: option 1; the department's phone rings, and both hear each other."""
    answering = await asyncio.to_thread(registered, farm, "7101", Answering(how="answer", after_s=0.5))
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press("1")
        ringing = await asyncio.to_thread(answering.wait_ringing, 15)
        await asyncio.to_thread(ringing.wait_answered)
        assert caller.heard()[-1] == ("ringing-department", "fr")
    await asyncio.to_thread(ringing.wait_ended)
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert (record["department"], record["answered_by"], record["result"]) == ("ventes", "7101", "answered")
    assert {leg["role"]: leg["endpoint"] for leg in record["legs"]} == {"caller": None, "department": "7101"}
    assert record["ticket"]["department"] == "ventes"


@pytest.mark.smoke
async def test_support_queue_is_option_2(
    open_line: Line, farm: PhoneFarm, known_prompts: Recogniser, ani: Callable[[], str], technicians: None
) -> None:
    """OV-1, OV-6: option 2 leads to the queue, and a technician answers."""
    technician = await asyncio.to_thread(registered, farm, "7001", Answering(how="answer", after_s=0.5))
    open_line.api("PUT", "/v1/queues/support/members/7001")
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press("2")
        # It may ring first for a caller of another test, who hangs up.
        await asyncio.to_thread(
            wait_for,
            lambda: open_line.call_from(number)["answered_by"] == "7001" and technician.rung(),
            "an answer",
            45,
        )
        # Whoever waits a little longer than the ring hears more of the same.
        said = caller.heard()
        assert said[said.index(("queue-wait", "fr")) + 1] == ("services-operational", "fr")
        await asyncio.sleep(1)
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert (record["queue"], record["answered_by"], record["result"]) == ("support", "7001", "answered")
    assert record["ticket"]["status"] == "new"


def _answers(technician: Phone) -> None:
    """It may ring first for a caller of another test, who hangs up meanwhile."""
    while True:
        ringing = technician.wait_ringing(30)
        with contextlib.suppress(PhoneTimeout):
            ringing.wait_answered()
            return


@pytest.mark.smoke
async def test_611_from_a_registered_phone(
    open_line: Line, farm: PhoneFarm, known_prompts: Recogniser, technicians: None
) -> None:
    """OV-2: straight to technical support, without the menu; the phone is known by its registration."""
    technician = await asyncio.to_thread(registered, farm, "7001", Answering(how="answer", after_s=0.5))
    open_line.api("PUT", "/v1/queues/support/members/7001")
    phone = await asyncio.to_thread(registered, farm, "6001")
    call = await asyncio.to_thread(phone.dial, "611")
    await asyncio.to_thread(call.wait_answered)
    await asyncio.to_thread(_answers, technician)
    assert "menu" not in prompts(known_prompts.recognise(call.recording))
    assert "queue-wait" in prompts(known_prompts.recognise(call.recording))
    record = open_line.api("GET", "/v1/calls", params={"endpoint": "6001", "limit": 1})["items"][0]
    assert record["identity"]["by"] == "endpoint"
    assert record["identity"]["customer"]["account"] == "C-1001"
    await asyncio.to_thread(call.hang_up)


async def test_a_claimed_caller_id_is_not_a_phone(open_line: Line) -> None:
    """OV-2: who claims to be 6001 without its password is challenged; the trunk cannot dial 611."""
    with pytest.raises(CallFailed) as refused:
        async with RawCall(open_line.server, "611", "6001"):
            pass
    assert refused.value.status == 401
    with pytest.raises(CallFailed) as unknown:
        async with RawCall(open_line.server, "611", "4185550101"):
            pass
    assert unknown.value.status == 404


@pytest.mark.smoke
async def test_english_on_9_and_remembered(open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]) -> None:
    """OV-4: 9 switches in the middle of a prompt; the same caller hears English at once the next time."""
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("language-offer")
        await call.press("9")
        assert await caller.hears("menu") == "en"
        await call.press("2")
        assert await caller.hears("queue-wait") == "en"
        await asyncio.to_thread(wait_for, lambda: open_line.call_from(number)["department"], "a route")
    await asyncio.to_thread(open_line.ended_call_from, number)
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        assert {language for _, language in caller.heard()} == {"en"}


async def test_a_hang_up_is_recorded(open_line: Line, ani: Callable[[], str]) -> None:
    """A caller who hangs up in mid-prompt has a whole record: what was played, when it ended, and why."""
    number = ani()
    async with RawCall(open_line.server, NUMBER, number):
        await asyncio.sleep(1.2)
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert (record["result"], record["reason"]) == ("hung-up-in-menu", "caller hung up")
    kinds = [entry["kind"] for entry in record["timeline"]]
    assert kinds[0] == "started"
    assert "ended" in kinds


HOSTILE = {
    "escaped line breaks": b"<sip:514%0d%0aX-Evil%3a%20yes@127.0.0.1>",
    "expansion": b'"${SHELL(id)} $[1+1]" <sip:$EXTEN@127.0.0.1>',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_caller_ids_are_served(open_line: Line, known_prompts: Recogniser, name: str) -> None:
    """OV-3: whatever the network says of the caller, they hear the menu and can choose."""
    async with RawCall(open_line.server, NUMBER, from_header=HOSTILE[name]) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press("0")
        await caller.hears("transfer-human")
    assert open_line.healthy()


async def test_an_unknown_number_is_not_in_service(farm: PhoneFarm, known_prompts: Recogniser, open_line: Line) -> None:
    """A phone that dials what is not a number of ours is told so; nothing goes out."""
    phone = await asyncio.to_thread(registered, farm, "6002")
    call = await asyncio.to_thread(phone.dial, "990055512")
    await asyncio.to_thread(call.wait_ended)
    assert prompts(known_prompts.recognise(call.recording)) == ["not-in-service"]


async def test_hotline_2024_answers_on_its_own_number(
    open_line: Line, farm: PhoneFarm, known_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """HL-1: another desk in the same process, in French only; 3 is its sales."""
    sales = await asyncio.to_thread(registered, farm, "7201", Answering(how="answer", after_s=0.3))
    async with RawCall(open_line.server, "33972596990", ani()) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        found = known_prompts.recognise(call.heard())
        assert {one.desk for one in found} == {"hotline-2024"}
        assert prompts(found) == ["welcome", "menu"]
        await call.press("3")
        ringing = await asyncio.to_thread(sales.wait_ringing, 15)
        await asyncio.to_thread(ringing.wait_answered)
    await asyncio.to_thread(ringing.wait_ended)
