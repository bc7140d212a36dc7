"""Technicians at work: logging in and out by phone and by API, pausing, answering, resting."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering
from sipsim.witness import Witness

from tests.calls.conftest import registered
from tests.calls.line import Line, hear, prompts, wait_for

NUMBER = "18446664844"


def _says(phone: Phone, known: Recogniser, code: str) -> list[str]:
    """Dial a feature code to its end; what was said."""
    call = phone.dial(code)
    call.wait_ended()
    return prompts(known.recognise(call.recording))


def _member(line: Line, endpoint: str) -> dict[str, Any] | None:
    members = line.api("GET", "/v1/queues/support/members")
    return next((one for one in members if one["endpoint"] == endpoint), None)


@contextmanager
def events(line: Line) -> Iterator[list[dict[str, Any]]]:
    """The line's server-sent events while the block runs; each as its kind and its data."""
    token = (Path(line.state) / "demo-token").read_text().strip()
    seen: list[dict[str, Any]] = []
    listening = threading.Event()

    def listen() -> None:
        url = f"http://127.0.0.1:{line.http}/v1/events"
        try:
            with httpx.stream("GET", url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as answer:
                listening.set()
                kind = ""
                for row in answer.iter_lines():
                    name, _, value = row.partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        seen.append({"kind": kind, **json.loads(value)})
        except httpx.HTTPError:
            return

    threading.Thread(target=listen, daemon=True).start()
    assert listening.wait(10)
    yield seen


@pytest.mark.smoke
def test_in_and_out_by_phone(farm: PhoneFarm, open_line: Line, known_prompts: Recogniser, technicians: None) -> None:
    """*22 logs in and out, *23 pauses and resumes; each is confirmed, and the API shows it."""
    phone = registered(farm, "7001")
    assert _says(phone, known_prompts, "*23") == ["technician-not-logged-in"]
    assert _says(phone, known_prompts, "*22") == ["technician-login"]
    member = _member(open_line, "7001")
    assert member is not None
    assert not member["paused"]
    assert _says(phone, known_prompts, "*23") == ["technician-pause"]
    member = _member(open_line, "7001")
    assert member is not None
    assert member["paused"]
    assert _says(phone, known_prompts, "*23") == ["technician-unpause"]
    assert _says(phone, known_prompts, "*22") == ["technician-logout"]
    assert _member(open_line, "7001") is None


async def test_an_independent_witness_sees_the_same(
    farm: PhoneFarm, open_line: Line, known_prompts: Recogniser, technicians: None, ani: Callable[[], str]
) -> None:
    """What the API tells of queue and technicians is what Asterisk itself says to somebody else."""
    secret = json.loads((Path(open_line.state) / "secrets.json").read_text())["ami_witness"]
    await asyncio.to_thread(registered, farm, "7001", Answering(how="ring"))
    open_line.api("PUT", "/v1/queues/support/members/7001")
    number = ani()
    with Witness(open_line.ami, secret=secret) as witness:

        def stands() -> bool:
            return number in [row["CallerIDNum"] for row in witness.waiting("support")]

        async with RawCall(open_line.server, NUMBER, number) as call:
            await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
            await call.press("2")
            # Callers of other tests may stand there too, for a moment.
            await asyncio.to_thread(witness.wait_until, lambda: stands() or None, "the caller in the queue", 20)
            members = await asyncio.to_thread(witness.members, "support")
            assert [row["Location"] for row in members] == ["PJSIP/7001"]
            told = open_line.api("GET", "/v1/queues/support")
            assert [one["ani"] for one in told["waiting"]].count(number) == 1
            assert [one["endpoint"] for one in told["members"]] == ["7001"]
        await asyncio.to_thread(witness.wait_until, lambda: None if stands() else True, "that the caller is gone", 20)


def test_a_customer_cannot_log_in(farm: PhoneFarm, known_prompts: Recogniser, open_line: Line) -> None:
    """*22 is a technicians' code: on a customer's phone it is no number."""
    assert _says(registered(farm, "6003"), known_prompts, "*22") == ["not-in-service"]


async def test_who_answers_sees_who_calls(
    farm: PhoneFarm, open_line: Line, known_prompts: Recogniser, technicians: None
) -> None:
    """OV-3: when a technician answers, customer, partner and open tickets are pushed, and are on the API."""
    phone = await asyncio.to_thread(registered, farm, "7001", Answering(how="answer", after_s=0.5))
    open_line.api("PUT", "/v1/queues/support/members/7001")
    given = {"observed": "Les appels coupent", "account_number": "C-1002", "desk": "omnivigil", "department": "support"}
    earlier = open_line.api("POST", "/v1/tickets", json=given)
    with events(open_line) as seen:
        async with RawCall(open_line.server, NUMBER, "4185550102") as call:
            await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
            await call.press("2")
            ringing = await asyncio.to_thread(phone.wait_ringing, 20)
            await asyncio.to_thread(ringing.wait_answered)

            def look() -> dict[str, Any] | None:
                # Other tests' calls are answered on the same line.
                cards = (e for e in seen if e["kind"] == "call.answered" and e["ani"] == "14185550102")
                return next(cards, None)

            card = await asyncio.to_thread(wait_for, look, "the card")
            detail = open_line.api("GET", f"/v1/calls/{card['id']}")
    assert card["identity"]["customer"]["account"] == "C-1002"
    assert card["identity"]["partner"]["name"] == "Télécom Estrie"
    assert earlier["number"] in [ticket["number"] for ticket in card["open_tickets"]]
    assert detail["identity"]["customer"]["name"] == card["identity"]["customer"]["name"]
    assert earlier["number"] in [ticket["number"] for ticket in detail["open_tickets"]]


@pytest.mark.smoke
async def test_both_hear_each_other(
    farm: PhoneFarm, open_line: Line, known_prompts: Recogniser, technicians: None, ani: Callable[[], str]
) -> None:
    """OV-6: two-way audio, proven by what each side recognises of the other's voice."""
    said = next((Path(open_line.state) / "sounds" / "ov" / "en").glob("technician-pause-*.sln16"))
    wav = Path(farm.folder) / "technician.wav"
    ulaw = said.with_suffix(".ulaw").read_bytes()
    from sipsim.audio import from_ulaw, write_wav

    write_wav(wav, from_ulaw(ulaw))
    phone = await asyncio.to_thread(registered, farm, "7001", Answering(how="answer", after_s=0.3, play=wav))
    open_line.api("PUT", "/v1/queues/support/members/7001")
    caller_says = open_line.sound("technician-unpause").read_bytes()
    async with RawCall(open_line.server, NUMBER, ani()) as call:
        await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
        await call.press("2")
        ringing = await asyncio.to_thread(phone.wait_ringing, 20)
        await asyncio.to_thread(ringing.wait_answered)
        # A moment of silence first: the line learns where the caller's audio comes from.
        await call.speak(b"\xff" * 8000 + caller_says)
        heard = await asyncio.to_thread(hear, known_prompts, call.heard, "technician-pause")
        assert heard.language == "en"
    await asyncio.to_thread(ringing.wait_ended)
    assert "technician-unpause" in prompts(known_prompts.recognise(ringing.recording))


async def test_paused_technicians_are_not_rung_and_rest_after_a_call(
    farm: PhoneFarm, open_line: Line, known_prompts: Recogniser, technicians: None, ani: Callable[[], str]
) -> None:
    """A paused technician's phone stays quiet; after a call there is wrap-up before the next one rings."""
    first = await asyncio.to_thread(registered, farm, "7001", Answering(how="answer", after_s=0.2))
    second = await asyncio.to_thread(registered, farm, "7002", Answering(how="answer", after_s=0.2))
    for endpoint in ("7001", "7002"):
        open_line.api("PUT", f"/v1/queues/support/members/{endpoint}")
    open_line.api("PUT", "/v1/queues/support/members/7002/pause", json={"paused": True, "reason": "dîner"})

    async def one_call() -> float:
        async with RawCall(open_line.server, NUMBER, ani()) as call:
            await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
            await call.press("2")
            ringing = await asyncio.to_thread(first.wait_ringing, 45)
            await asyncio.to_thread(ringing.wait_answered)
        await asyncio.to_thread(ringing.wait_ended)
        return ringing.events[0].at

    await one_call()
    ended = time.monotonic()
    assert await one_call() - ended > 12
    assert second.rung() == 0


async def test_nobody_logged_in_leads_to_the_message_box(
    open_line: Line, known_prompts: Recogniser, technicians: None, ani: Callable[[], str]
) -> None:
    """A queue with no technician is no dead end."""
    async with RawCall(open_line.server, NUMBER, ani()) as call:
        await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known_prompts, call.heard, "nobody-answers")
        await asyncio.to_thread(hear, known_prompts, call.heard, "message-record")
