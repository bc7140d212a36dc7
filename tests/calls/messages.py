"""Messages that callers leave, on lines whose clock says Saturday."""

from __future__ import annotations

import asyncio
from typing import Any

from sipsim.audio import RATE
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.line import Line, hear

NUMBER = "18446664844"


def speech(line: Line, seconds: float) -> bytes:
    """Something to say: a prompt's own sound, again and again where it is short, as G.711 bytes."""
    menu = line.sound("menu").read_bytes()
    return (menu * (int(seconds * RATE) // len(menu) + 1))[: int(seconds * RATE)]


def ticket_of(line: Line, number: str) -> Any:
    """The ticket of the latest call from a number."""
    found = line.api("GET", "/v1/calls", params={"ani": number, "limit": 1})["items"]
    detail = line.api("GET", f"/v1/calls/{found[0]['id']}")
    return line.api("GET", f"/v1/tickets/{detail['ticket']['number']}")


async def leave_message(
    line: Line, known: Recogniser, number: str, presses: dict[str, str], *, listens_s: float = 0.0
) -> RawCall:
    """Press keys as their prompts come, speak after the beep, and wait for the line to hang up.

    `listens_s` is how far the closed message is listened to before its key is pressed.
    """
    async with RawCall(line.server, NUMBER, number) as call:
        for prompt, key in presses.items():
            await asyncio.to_thread(hear, known, call.heard, prompt)
            await asyncio.sleep(listens_s if prompt == "closed-emergency" else 0)
            await call.press(key)
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        await call.speak(speech(line, 4))
        await call.press("#")
        await asyncio.to_thread(hear, known, call.heard, "message-review")
        await call.press("1")
        assert await call.ended_by_line(60)
    return call
