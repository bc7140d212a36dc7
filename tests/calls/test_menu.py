"""The menu, by real calls on an open line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

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


def _events(call: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in call["timeline"] if entry["kind"] == kind]


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


@pytest.mark.parametrize(
    ("key", "department", "phone"),
    [
        ("1", "ventes", "7101"),
        ("3", "comptabilite", "7103"),
        ("4", "service", "7104"),
        ("5", "portabilite", "7105"),
        ("6", "administration", "7106"),
    ],
)
async def test_departments_ring_their_own_phones(
    open_line: Line,
    farm: PhoneFarm,
    known_prompts: Recogniser,
    ani: Callable[[], str],
    key: str,
    department: str,
    phone: str,
) -> None:
    """OV-1: options 1 and 3 to 6; the department's phone rings, and both hear each other."""
    answering = await asyncio.to_thread(registered, farm, phone, Answering(how="answer", after_s=0.5))
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press(key)
        ringing = await asyncio.to_thread(answering.wait_ringing, 15)
        await asyncio.to_thread(ringing.wait_answered)
        assert caller.heard()[-1] == ("ringing-department", "fr")
    await asyncio.to_thread(ringing.wait_ended)
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert (record["department"], record["answered_by"], record["result"]) == (department, phone, "answered")
    assert {leg["role"]: leg["endpoint"] for leg in record["legs"]} == {"caller": None, "department": phone}
    assert record["ticket"]["department"] == department


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


async def test_star_says_it_again_and_zero_reaches_a_human(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-4: * repeats the menu from its beginning; 0 goes to a person. Every prompt can be cut short."""
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await asyncio.sleep(3)
        await call.press("*")
        await caller.hears("menu", times=2)
        again = [one for one in known_prompts.recognise(call.heard()) if one.prompt_id == "menu"]
        assert not again[0].complete
        await call.press("0")
        await caller.hears("transfer-human")
        await asyncio.to_thread(wait_for, lambda: open_line.call_from(number)["department"], "a route")
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert [entry["key"] for entry in _events(record, "pressed")] == ["*", "0"]
    assert record["department"] == "support"


async def test_two_wrong_answers_lead_to_a_person(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-4: a key outside the menu, then #; a person and not a hang-up."""
    number = ani()
    async with RawCall(open_line.server, NUMBER, number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press("8")
        await caller.hears("invalid")
        await call.press("#")
        await caller.hears("transfer-human")
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert [entry["what"] for entry in _events(record, "decided")][-1] == "operator"


async def test_silence_leads_to_a_person(open_line: Line, known_prompts: Recogniser, ani: Callable[[], str]) -> None:
    """OV-4: a caller who presses nothing, twice, is given a person."""
    async with RawCall(open_line.server, NUMBER, ani()) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("no-answer", 45)
        await caller.hears("transfer-human", 45)


@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.2, 3.0, 6.0])
async def test_hang_up_at_any_point_is_recorded(open_line: Line, ani: Callable[[], str], after_s: float) -> None:
    """A caller who hangs up in mid-prompt has a whole record: what was played, when it ended, and why."""
    number = ani()
    async with RawCall(open_line.server, NUMBER, number):
        await asyncio.sleep(after_s)
    record = await asyncio.to_thread(open_line.ended_call_from, number)
    assert (record["result"], record["reason"]) == ("hung-up-in-menu", "caller hung up")
    kinds = [entry["kind"] for entry in record["timeline"]]
    assert kinds[0] == "started"
    assert "ended" in kinds


HOSTILE = {
    "absent": b"<sip:127.0.0.1>",
    "anonymous": b'"Anonymous" <sip:anonymous@anonymous.invalid>',
    "forty digits": b"<sip:" + b"4" * 40 + b"@127.0.0.1>",
    "quotes": b'"x\\"; drop \\" table" <sip:5145550000@127.0.0.1>',
    "escaped line breaks": b"<sip:514%0d%0aX-Evil%3a%20yes@127.0.0.1>",
    "expansion": b'"${SHELL(id)} $[1+1]" <sip:$EXTEN@127.0.0.1>',
    "UTF-8": '"Éloïse Bélanger-Ñ" <sip:5145550000@127.0.0.1>'.encode(),
    "Latin-1": '"Éloïse" <sip:5145550000@127.0.0.1>'.encode("latin-1"),
    "commas": b"<sip:1,2,3,queue@127.0.0.1>",
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


@pytest.mark.parametrize(("key", "department"), [("1", "logiciel"), ("2", "cloud"), ("4", "administratif")])
async def test_hotline_2024_keys(
    open_line: Line, known_prompts: Recogniser, ani: Callable[[], str], key: str, department: str
) -> None:
    """HL-1: keys 1, 2 and 4."""
    number = ani()
    async with RawCall(open_line.server, "33972596990", number) as call:
        caller = Caller(call, known_prompts)
        await caller.hears("menu")
        await call.press(key)
        record = await asyncio.to_thread(
            wait_for,
            lambda: open_line.call_from(number) if open_line.call_from(number)["department"] else None,
            "a route",
        )
        assert record["department"] == department
        await caller.hears("ringing-department" if department == "administratif" else "queue-wait")
