"""Customers of an Élite partner, by real calls on a line of their own: the partner's phone is everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls import line as lines
from tests.calls import short_voice
from tests.calls.conftest import registered
from tests.calls.line import Line, hear, prompts, wait_for

NUMBER = "18446664844"
#: The number of the demo's customer whose partner is Élite.
JULIE = "14185550101"


@pytest.fixture(scope="module")
def elite_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with lines.running_line(
        tmp_path_factory.mktemp("elite") / "state", now=lines.OPEN, options=short_voice.option()
    ) as line:
        yield line


@pytest.fixture
def elite_farm(elite_line: Line, tmp_path: Path) -> Iterator[PhoneFarm]:
    with PhoneFarm(tmp_path / "phones", server=elite_line.address) as phones:
        yield phones


@pytest.fixture(scope="module")
def elite_prompts(elite_line: Line) -> Recogniser:
    return Recogniser.load(Path(elite_line.state) / "sounds")


def happened(call: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["facts"] for entry in call["timeline"] if entry["kind"] == kind]


def latest(line: Line, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = line.api("GET", "/v1/calls", params={**query, "limit": 1})["items"][0]
    return found


@asynccontextmanager
async def waiting_caller(line: Line, known: Recogniser, ani: str) -> AsyncIterator[None]:
    """A stranger who waits in the support queue."""
    async with RawCall(line.server, NUMBER, ani) as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(wait_for, lambda: line.call_from(ani)["queued_at"], f"{ani} in the queue")
        yield


@pytest.mark.smoke
async def test_ov17_611_and_option_2_reach_the_partner(
    elite_line: Line, elite_farm: PhoneFarm, elite_prompts: Recogniser
) -> None:
    """OV-17: the partner’s own phone rings, and who answers there has the caller; there is a ticket all the same."""
    partner = await asyncio.to_thread(registered, elite_farm, "6101", Answering(how="answer", after_s=0.5))
    phone = await asyncio.to_thread(registered, elite_farm, "6001")
    call = await asyncio.to_thread(phone.dial, "611")
    ringing = await asyncio.to_thread(partner.wait_ringing, 20)
    await asyncio.to_thread(ringing.wait_answered)
    assert "menu" not in prompts(elite_prompts.recognise(call.recording))
    await asyncio.to_thread(call.hang_up)
    await asyncio.to_thread(ringing.wait_ended)
    record = await asyncio.to_thread(
        wait_for,
        lambda: one if (one := latest(elite_line, endpoint="6001"))["ended_at"] is not None else None,
        "the end of the call",
    )
    assert (record["answered_by"], record["result"], record["queued_at"]) == ("6101", "answered", None)
    assert elite_line.api("GET", f"/v1/calls/{record['id']}")["ticket"]["department"] == "support"

    async with RawCall(elite_line.server, NUMBER, JULIE) as raw:
        await asyncio.to_thread(hear, elite_prompts, raw.heard, "menu")
        await raw.press("2")
        ringing = await asyncio.to_thread(partner.wait_ringing, 20)
        await asyncio.to_thread(ringing.wait_answered)
    record = await asyncio.to_thread(elite_line.ended_call_from, JULIE)
    assert (record["answered_by"], happened(record, "routed")[0]["to"]) == ("6101", "partner")


async def test_ov17_no_answer_leads_to_our_queue_at_the_place_of_the_first_ring(
    elite_line: Line, elite_farm: PhoneFarm, elite_prompts: Recogniser
) -> None:
    """The caller before stays before; the one who came while the partner's phone rang stays after."""
    # Whose phone rings and is never answered, so that callers wait.
    await asyncio.to_thread(registered, elite_farm, "7001", Answering(how="ring"))
    elite_line.api("PUT", "/v1/queues/support/members/7001")
    partner = await asyncio.to_thread(registered, elite_farm, "6101", Answering(how="ring"))
    phone = await asyncio.to_thread(registered, elite_farm, "6001")
    async with waiting_caller(elite_line, elite_prompts, "15142220001"):
        call = await asyncio.to_thread(phone.dial, "611")
        await asyncio.to_thread(partner.wait_ringing, 20)
        async with waiting_caller(elite_line, elite_prompts, "15142220002"):
            await asyncio.to_thread(wait_for, lambda: latest(elite_line, endpoint="6001")["queued_at"], "the queue", 45)
            record = elite_line.api("GET", f"/v1/calls/{latest(elite_line, endpoint='6001')['id']}")
            assert happened(record, "queued")[0]["position"] == 2
            assert happened(record, "partner-not-reached")[0]["place"] == 2
            queue = elite_line.api("GET", "/v1/queues/support")
            assert len(queue["waiting"]) == 3
            await asyncio.to_thread(call.hang_up)


async def test_ov17_a_partner_without_a_phone_costs_no_time(
    elite_line: Line, elite_farm: PhoneFarm, elite_prompts: Recogniser
) -> None:
    """Nothing registered at the partner's: a technician of ours has the caller at once."""
    technician = await asyncio.to_thread(registered, elite_farm, "7001", Answering(how="answer", after_s=0.3))
    elite_line.api("PUT", "/v1/queues/support/members/7001")
    phone = await asyncio.to_thread(registered, elite_farm, "6001")
    call = await asyncio.to_thread(phone.dial, "611")
    ringing = await asyncio.to_thread(technician.wait_ringing, 20)
    await asyncio.to_thread(ringing.wait_answered)
    await asyncio.to_thread(call.hang_up)
