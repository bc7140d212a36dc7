"""Those who are gone without a word: technicians who do not take their calls, and callers of whom nothing is heard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.records import Answering

from tests.calls.line import OPEN, Line, free_ports, running_line, wait_for
from tests.calls.queueing import Busy, busy, desks, new_number

#: Seconds of the line below: how long phones ring, who declined rests, and a caller is missed.
RING_S, REST_S, SILENT_S = 6, 120, 6


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, int]]:
    """A line that is quick to notice, and the port of its carrier."""
    folder = tmp_path_factory.mktemp("gone")
    path = desks(folder / "desks", waiting=1000) / "omnivigil.yaml"
    quick = f"    ring_s: {RING_S}\n    misses: 2\n    declined_rest_s: {REST_S}\n"
    path.write_text(re.sub(r"    ring_s: 20\n", quick, path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    port = free_ports(1)[0]
    options = ("--desks", str(folder / "desks"), "--outbound", f"127.0.0.1:{port}", "--rtp-timeout", str(SILENT_S))
    with running_line(folder / "line", now=OPEN, options=options) as line:
        yield line, port


@pytest.fixture
async def around(tmp_path: Path, running: tuple[Line, int]) -> AsyncIterator[Busy]:
    """Phones around it."""
    async with busy(tmp_path, running) as found:
        yield found


def member(line: Line, endpoint: str) -> dict[str, Any]:
    """A technician as the queue has them."""
    found: list[dict[str, Any]] = line.api("GET", "/v1/queues/support/members")
    return next(one for one in found if one["endpoint"] == endpoint)


def rung(call: dict[str, Any]) -> list[str]:
    """Whose phones rang for a call, in order."""
    return [one["facts"]["endpoint"] for one in call["timeline"] if one["kind"] == "ringing"]


async def test_who_declines_is_not_rung_again_and_the_next_one_answers(around: Busy) -> None:
    """The next phone rings at once; after two refusals the first has a break, and comes back with *22."""
    line, number, second = around.line, new_number(), new_number()
    declining = await asyncio.to_thread(around.technician, "7001", Answering(how="decline"))
    await asyncio.to_thread(around.technician, "7002", Answering(how="answer", after_s=0.5))
    around.paused("7002", True)
    await asyncio.to_thread(wait_for, lambda: around.reachable("7001") and around.reachable("7002"), "both there")
    await around.caller(number)
    await asyncio.to_thread(wait_for, lambda: member(line, "7001")["paused"], "a rest for 7001")
    around.paused("7002", False)
    await asyncio.to_thread(around.until_answered, number, "7002", within_s=20)
    assert rung(line.call_from(number)) == ["7001", "7002"]
    # They end their rest, and decline again: a break, of which operations are told.
    around.paused("7002", True)
    around.paused("7001", False)
    await around.caller(second)
    told = "select count(*) from outbox where kind = 'email' and subject like '%plus personne%support%'"
    await asyncio.to_thread(wait_for, lambda: line.rows(told)[0][0] == 1, "an e-mail to operations")
    assert member(line, "7001")["paused"]
    assert rung(line.call_from(second)) == ["7001"]
    # Nobody is at work, and the caller keeps their place.
    assert around.places() == [second]
    call = await asyncio.to_thread(declining.dial, "*22")
    await asyncio.to_thread(call.wait_ended)
    (told_back,) = around.known.recognise(call.recording)
    assert told_back.may_be("technician-back")
    await asyncio.to_thread(wait_for, lambda: rung(line.call_from(second)) == ["7001", "7001"], "7001 to be rung")


async def test_who_lets_it_ring_has_a_break_after_so_many(around: Busy) -> None:
    """One ring each, then the next phone; nobody is rung for ever."""
    line, number = around.line, new_number()
    await asyncio.to_thread(around.technician, "7001", Answering(how="ring"))
    await asyncio.to_thread(wait_for, lambda: around.reachable("7001"), "7001 in the queue")
    await around.caller(number)
    await asyncio.to_thread(wait_for, lambda: member(line, "7001")["paused"], "a break for 7001", 6 * RING_S)
    assert rung(line.call_from(number)) == ["7001", "7001"]
    line.api("PUT", "/v1/queues/support/members/7001/pause", json={"paused": False})
    await asyncio.to_thread(wait_for, lambda: len(rung(line.call_from(number))) == 3, "7001 to be rung", 3 * RING_S)


def ended(line: Line, number: str) -> tuple[str, str]:
    """How the latest call from a number ended."""
    call = line.ended_call_from(number)
    return call["result"], call["reason"]


async def test_the_place_of_a_caller_who_vanished_is_kept(around: Busy) -> None:
    """Out of the queue soon, with everybody else's phones muted; and back at the place by calling again."""
    line, first, second = around.line, new_number(), new_number()
    await asyncio.to_thread(around.technician, "7001", Answering(how="ring"))
    around.paused("7001", True)
    gone = await around.caller(first)
    # Comfort noise alone, as from a phone that suppresses silence.
    await around.caller(second)
    gone.vanish()
    await asyncio.to_thread(around.until_places, second, within_s=4 * SILENT_S)
    assert ended(line, first) == ("abandoned", "vanished in the queue")
    again = await around.at_menu(first)
    await again.press("2")
    await around.hear(again, "place-kept")
    await again.press("1")
    await asyncio.to_thread(around.until_places, first, second)
    # Who hangs up has said goodbye.
    await around.gone(again)
    await asyncio.to_thread(around.until_places, second)
    last = await around.at_menu(first)
    await last.press("2")
    await asyncio.to_thread(around.until_places, second, first)
    assert "place-kept" not in around.heard(last)


async def test_a_technician_who_answers_nobody_has_not_answered(around: Busy) -> None:
    """The caller was gone when the technician answered: abandoned, and their place is kept."""
    line, number = around.line, new_number()
    await asyncio.to_thread(around.technician, "7001", Answering(how="answer", after_s=0.5))
    around.paused("7001", True)
    await asyncio.to_thread(wait_for, lambda: around.reachable("7001"), "7001 in the queue")
    call = await around.caller(number)
    call.vanish()
    around.paused("7001", False)
    await asyncio.to_thread(around.until_answered, number, "7001", within_s=SILENT_S)
    assert await call.ended_by_line(4 * SILENT_S)
    assert ended(line, number) == ("abandoned", "vanished in the queue")
    assert line.call_from(number)["answered_by"] is None


async def test_callers_vanish_in_the_menu_the_box_and_while_they_talk(around: Busy) -> None:
    """The call ends soon; what was recorded is a message, and the ticket of a talk says how it ended."""
    line, menu, box, talk = around.line, new_number(), new_number(), new_number()
    await asyncio.to_thread(around.technician, "7001", Answering(how="answer", after_s=0.2))
    await asyncio.to_thread(wait_for, lambda: around.reachable("7001"), "7001 in the queue")
    talking = await around.caller(talk)
    await asyncio.to_thread(around.until_answered, talk, "7001", within_s=20)
    leaving = await around.at_menu(box)
    await leaving.press("1")
    await around.hear(leaving, "message-record")
    await around.hear(leaving, "beep")
    speech = line.sound("menu").read_bytes()[: 8000 * 5]
    await leaving.speak(speech)
    leaving.vanish()
    choosing = await around.at_menu(menu)
    choosing.vanish()
    # Long enough for a caller who was there when they were answered.
    await talking.speak(speech[: 8000 * 4])
    talking.vanish()
    for call in (leaving, choosing, talking):
        assert await call.ended_by_line(5 * SILENT_S)
    assert ended(line, menu) == ("hung-up-in-menu", "vanished in the menu")
    assert ended(line, box) == ("message", "vanished after leaving a message")
    assert ended(line, talk) == ("answered", "vanished while talking")
    left = line.rows("select seconds from messages where number = ?", box)
    assert len(left) == 1
    assert 2 < left[0][0] < 30
    history = "select count(*) from ticket_events e join tickets t on t.number = e.ticket_number"
    history += " join calls c on c.id = t.call_id where c.ani = ? and e.kind = 'cut-off'"
    await asyncio.to_thread(wait_for, lambda: line.rows(history, talk)[0][0] == 1, "the ticket's word of it")
    await asyncio.to_thread(wait_for, lambda: not member(line, "7001")["in_call"], "7001 to be free again")
