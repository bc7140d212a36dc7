"""Out of hours, by real calls on a line whose clock says Saturday."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby

import pytest
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.line import Line, hear, prompts, wait_for
from tests.calls.messages import NUMBER, leave_message, speech, ticket_of

#: As far as the opening that the closed message tells, in seconds.
LISTENS_S = 5.0


@pytest.mark.smoke
async def test_emergency_message_becomes_an_urgent_ticket(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-7: for emergencies only, with the next opening; urgent, confirmed with its number, e-mail in the outbox."""
    number = ani()
    call = await leave_message(
        closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "1"}, listens_s=LISTENS_S
    )
    heard = closed_prompts.recognise(call.heard())
    names = prompts(heard)
    assert "lundi à 8 heures" in next(one.text for one in heard if one.prompt_id == "closed-emergency")
    assert names.index("message-received-urgent") < names.index("ticket-number") < names.index("goodbye")
    ticket = await asyncio.to_thread(ticket_of, closed_line, number)
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
    assert (await asyncio.to_thread(ticket_of, closed_line, number))["department"] == "comptabilite"


async def test_a_second_message_by_the_same_caller_joins_the_first(
    closed_line: Line, closed_prompts: Recogniser, ani: Callable[[], str]
) -> None:
    """OV-7: the ticket becomes urgent when the second one is an emergency."""
    number = ani()
    await leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "2"})
    first = await asyncio.to_thread(ticket_of, closed_line, number)
    await leave_message(closed_line, closed_prompts, number, {"menu": "2", "closed-emergency": "1"})
    second = await asyncio.to_thread(ticket_of, closed_line, number)
    assert second["number"] == first["number"]
    assert (first["priority"], second["priority"]) == ("normale", "urgente")
    assert [one["urgent"] for one in second["messages"]] == [False, True]


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
