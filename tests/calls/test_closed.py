"""Out of hours, by real calls on a line whose clock says Saturday."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from sipsim.audio import RATE
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.line import Line, hear, prompts, running_line, wait_for

NUMBER = "18446664844"


def speech(line: Line, seconds: float) -> bytes:
    """Something to say: a prompt's own sound, as G.711 bytes."""
    menu = line.sound("menu")
    return menu.read_bytes()[: int(seconds * RATE)]


def _ticket(line: Line, number: str) -> Any:
    found = line.api("GET", "/v1/calls", params={"ani": number, "limit": 1})["items"]
    detail = line.api("GET", f"/v1/calls/{found[0]['id']}")
    return line.api("GET", f"/v1/tickets/{detail['ticket']['number']}")


async def _leave_message(line: Line, known: Recogniser, number: str, presses: dict[str, str]) -> RawCall:
    """Press keys as their prompts come, speak after the beep, and wait for the line to hang up."""
    async with RawCall(line.server, NUMBER, number) as call:
        for prompt, key in presses.items():
            # The closed message is listened to as far as the opening it tells.
            await asyncio.to_thread(hear, known, call.heard, prompt)
            await asyncio.sleep(5 if prompt == "closed-emergency" else 0)
            await call.press(key)
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        await call.speak(speech(line, 4))
        await call.press("#")
        await asyncio.to_thread(hear, known, call.heard, "message-review")
        await call.press("1")
        assert await call.ended_by_line(30)
    return call


async def test_emergency_message_becomes_an_urgent_ticket(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-7: for emergencies only, with the next opening; urgent, confirmed with its number, e-mail in the outbox."""
    number = ani()
    call = await _leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "1"})
    heard = closed_prompts.recognise(call.heard())
    names = prompts(heard)
    assert "lundi à 8 heures" in next(one.text for one in heard if one.prompt_id == "closed-emergency")
    assert names.index("message-received-urgent") < names.index("ticket-number") < names.index("goodbye")
    ticket = await asyncio.to_thread(_ticket, closed_line, number)
    assert (ticket["priority"], ticket["department"]) == ("urgente", "support")
    # Of the same digit said twice, one may be heard.
    spoken = [name.removeprefix("digit-") for name in names if name.startswith("digit-")]
    assert [digit for digit, _ in groupby(spoken)] == [digit for digit, _ in groupby(ticket["number"])]
    record = await asyncio.to_thread(closed_line.ended_call_from, number)
    played = [entry["facts"]["prompts"] for entry in record["timeline"] if entry["kind"] == "played"]
    assert "".join(name.removeprefix("digit-") for name in played if name.startswith("digit-")) == ticket["number"]
    query = "select recipient, state from outbox where kind = 'email' and ticket_number = ?"
    mails = closed_line.rows(query, int(ticket["number"]))
    assert mails == [("support@omnivigil.com", "pending")]
    # Whoever is on call that week is paged at once.
    query = "select recipient from outbox where kind = 'sms' and ticket_number = ?"
    pages = await asyncio.to_thread(wait_for, lambda: closed_line.rows(query, int(ticket["number"])), "a page")
    assert pages[0] == ("14185550161",)
    # None of OV-12's fields is guessed.
    assert [ticket[field] for field in ("observed", "expected", "impact", "mac", "attempted", "service")] == [None] * 6


async def test_other_requests_wait_for_the_opening(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-7: 2 leaves a message of normal priority for the next working day, which pages nobody."""
    number = ani()
    call = await _leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "2"})
    assert "message-received" in prompts(closed_prompts.recognise(call.heard()))
    ticket = await asyncio.to_thread(_ticket, closed_line, number)
    assert (ticket["priority"], ticket["promised_at"]) == ("normale", "2026-11-30T22:00:00Z")
    assert (
        closed_line.rows("select id from outbox where kind = 'sms' and ticket_number = ?", int(ticket["number"])) == []
    )


async def test_closed_department_takes_a_message(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-8: the hours, the next opening, a message, its ticket, and an e-mail to the department."""
    number = ani()
    call = await _leave_message(closed_line, closed_prompts, number, {"menu": "1"})
    names = prompts(closed_prompts.recognise(call.heard()))
    assert names[names.index("closed-hours") :][:3] == ["closed-hours", "closed-department", "message-record"]
    ticket = await asyncio.to_thread(_ticket, closed_line, number)
    assert ticket["department"] == "ventes"
    mails = closed_line.rows("select recipient from outbox where ticket_number = ?", int(ticket["number"]))
    assert mails == [("ventes@omnivigil.com",)]


async def test_hanging_up_after_speaking_keeps_the_message(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """A caller who hangs up instead of pressing # has left their message."""
    number = ani()
    async with RawCall(closed_line.server, NUMBER, number) as call:
        await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
        await call.press("3")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "beep", whole=True)
        await call.speak(speech(closed_line, 4))
    record = await asyncio.to_thread(closed_line.ended_call_from, number)
    assert record["result"] == "message"
    assert (await asyncio.to_thread(_ticket, closed_line, number))["department"] == "comptabilite"


async def test_a_message_can_be_listened_to_and_begun_anew(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """Who hangs up instead of speaking anew has left the first one."""
    number = ani()
    async with RawCall(closed_line.server, NUMBER, number) as call:

        async def heard(prompt: str, times: int = 1, *, whole: bool = False) -> None:
            await asyncio.to_thread(hear, closed_prompts, call.heard, prompt, whole=whole, times=times)

        await heard("menu")
        await call.press("4")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "beep", whole=True)
        await call.speak(speech(closed_line, 5))
        await call.press("#")
        await heard("message-review", whole=True)
        await call.press("2")
        await heard("message-review", times=2)
        # Between the two the caller heard what they had said: a piece of the menu.
        names = prompts(closed_prompts.recognise(call.heard()))
        assert "menu" in names[names.index("message-review") :]
        await call.press("3")
        await heard("beep", times=2)
    record = await asyncio.to_thread(closed_line.ended_call_from, number)
    assert record["result"] == "message"
    [message] = (await asyncio.to_thread(_ticket, closed_line, number))["messages"]
    assert 4 < message["seconds"] < 8
    assert not list((Path(closed_line.state) / "spool" / "messages").glob("*.before"))


async def test_a_second_message_by_the_same_caller_joins_the_first(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-7: the ticket becomes urgent when the second one is an emergency."""
    number = ani()
    await _leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "2"})
    first = await asyncio.to_thread(_ticket, closed_line, number)
    await _leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "1"})
    second = await asyncio.to_thread(_ticket, closed_line, number)
    assert second["number"] == first["number"]
    assert (first["priority"], second["priority"]) == ("normale", "urgente")
    assert [one["urgent"] for one in second["messages"]] == [False, True]


async def test_silence_and_next_to_nothing_are_asked_again(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """Each is told as what it is, and the caller may speak again."""
    async with RawCall(closed_line.server, NUMBER, ani()) as call:
        await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
        await call.press("4")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "beep", whole=True)
        # Recognised a moment before it is over; a key pressed in it is not one that ends the message.
        await asyncio.sleep(0.5)
        await call.press("#")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "message-silence")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "beep", whole=True, times=2)
        await call.speak(speech(closed_line, 1))
        await call.press("#")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "message-short")


async def test_english_while_closed(closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]) -> None:
    """OV-4: 9 works in the closed message too, which is said again in English."""
    async with RawCall(closed_line.server, NUMBER, ani()) as call:
        await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "closed-emergency")
        await call.press("9")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "closed-emergency", language="en")


async def test_hotline_2024_is_closed_on_saturday(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """HL-2: closed; the hours are told, and when it opens."""
    async with RawCall(closed_line.server, "33972596990", ani()) as call:
        await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
        await call.press("1")
        # To its end: it begins as it does for any opening.
        await asyncio.to_thread(hear, closed_prompts, call.heard, "closed-department", whole=True)
        heard = closed_prompts.recognise(call.heard())
    assert "closed-hours" in prompts(heard)
    assert any("lundi à 9 heures" in one.text for one in heard if one.prompt_id == "closed-department")


@pytest.mark.timeout(180)
async def test_noon_closes_to_the_second(tmp_path: Path, known_prompts: Recogniser, ani: Callable[[], str]) -> None:
    """OV-5: before 12:00:00 a technician is looked for; from 12:00:00 on it is closed until 13:00."""
    with running_line(tmp_path / "noon", now="2026-11-25T11:58:50-05:00") as line:
        known = Recogniser.load(Path(line.state) / "sounds")

        async def dials_2() -> list[str]:
            async with RawCall(line.server, NUMBER, ani()) as call:
                await asyncio.to_thread(hear, known, call.heard, "welcome")
                await call.press("2")
                await asyncio.sleep(6)
                return [one.text for one in known.recognise(call.heard())]

        assert "Un technicien vous répondra" in " ".join(await dials_2())

        def noon() -> Any:
            at = line.api("GET", "/v1/desks/omnivigil/hours")["at"]
            return at >= "2026-11-25T12:00:00"

        await asyncio.to_thread(wait_for, noon, "noon", 90)
        assert "aujourd’hui à 13 heures" in " ".join(await dials_2())
