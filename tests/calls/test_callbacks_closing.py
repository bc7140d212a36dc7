"""A callback that is asked for shortly before closing: first in line next morning (OV-9)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.calls.queueing import busy, busy_line, new_number, people

#: The desk closes at 17:00, and a call takes five minutes; it opens at 8:00.
EVENING = "2026-11-25T16:56:00-05:00"
MORNING = "2026-11-26T07:58:15-05:00"


async def test_what_is_left_at_closing_is_first_next_morning(tmp_path: Path) -> None:
    """The caller is told that it will not be today; before the desk opens nobody is called, then they are the first."""
    number, later = new_number(), new_number()
    with busy_line(tmp_path / "line", now=EVENING, real_voice=True) as running:
        async with people(tmp_path / "evening", running) as line:
            line.technician()
            line.paused("7001", True)
            call = await line.caller(number)
            await line.ask(call)
            heard = line.heard(call)
            assert "callback-accepted-later" in heard
            assert "callback-accepted" not in heard
    with busy_line(tmp_path / "line", now=MORNING, real_voice=True) as running:
        async with busy(tmp_path / "morning", running) as line:
            line.technician()
            assert line.callback(number)["state"] == "pending"
            assert line.places() == []
            customer = line.customer(number)
            await asyncio.to_thread(line.until_places, f"held {number}", within_s=180)
            await line.caller(later)
            assert line.places() == [f"held {number}", later]
            line.paused("7001", False)
            rings = await asyncio.to_thread(customer.wait_ringing, 40)
            await asyncio.to_thread(rings.press_when_heard, "callback-greeting", "1", after_s=1)
            await asyncio.to_thread(line.until_state, number, "connected")
