"""A line that is backed up while it runs, restored beside it, and called."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.conftest import registered
from tests.calls.line import CLOSED, REPOSITORY, Line, hear, running_line
from tests.calls.messages import speech

NUMBER = "18446664844"


def omnivigil(*words: str) -> str:
    """What a command says; fails with it."""
    command = [str(REPOSITORY / "omnivigil"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kept(line: Line, number: int) -> tuple[Any, list[bytes]]:
    """A ticket, and the sound of each of its messages."""
    ticket = line.api("GET", f"/v1/tickets/{number}")
    return ticket, [line.raw_api("GET", one["audio"]).content for one in ticket["messages"]]


async def test_a_restored_line_has_tickets_and_messages_and_takes_calls(
    closed_line: Line, closed_prompts: Recogniser, tmp_path: Path
) -> None:
    """OV-7: an urgent message can still be heard, phones register as before, the API's token holds, and calls work."""
    async with RawCall(closed_line.server, NUMBER, "14185558801") as call:
        await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "closed-emergency", whole=True)
        await call.press("1")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "beep", whole=True)
        await call.speak(speech(closed_line, 4))
        await call.press("#")
        await asyncio.to_thread(hear, closed_prompts, call.heard, "message-review")
        await call.press("1")
        assert await call.ended_by_line(40)
    ended = await asyncio.to_thread(closed_line.ended_call_from, "14185558801")
    ticket = ended["ticket"]["number"]
    before = await asyncio.to_thread(kept, closed_line, ticket)
    assert before[1][0].startswith(b"RIFF")
    file, new = str(tmp_path / "line.tar.gz"), tmp_path / "new"
    await asyncio.to_thread(omnivigil, "backup", file, "--state", closed_line.state)
    assert "whole" in await asyncio.to_thread(omnivigil, "restore", file, "--state", str(new))
    with running_line(new, now=CLOSED) as restored:
        assert await asyncio.to_thread(kept, restored, ticket) == before
        with PhoneFarm(tmp_path / "phones", server=restored.address) as farm:
            # It raises when it cannot.
            await asyncio.to_thread(registered, farm, "6001")
            async with RawCall(restored.server, NUMBER, "14185558802") as call:
                await asyncio.to_thread(hear, closed_prompts, call.heard, "menu")
