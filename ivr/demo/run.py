"""Runs the demo: the line, and beside it the people."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from ivr.cli import up
from ivr.demo.people import People
from ivr.desk.hours import calendars_of
from ivr.errors import BadInput
from ivr.prepare import Prepared
from ivr.settings import Settings


def run_demo(settings: Settings, console: Console, *, speed: float, seed: int, seconds: float | None) -> NoReturn:
    """Until Ctrl-C, or for so many seconds of calls. Raises BadInput for an address of the outside."""
    for field, address in (("--sip", settings.sip), ("--http", settings.http)):
        if not address.loopback:
            mend = "choose 127.0.0.1: the demo's people and passwords are everybody's"
            raise BadInput(field=field, problem=f"{address} is not on this machine alone", mend=mend)

    async def beside(prepared: Prepared) -> None:
        desk = prepared.main_desk
        calendar = calendars_of(desk)[desk.menu.operator]
        people = People(
            settings, speed=speed, seed=seed, number=desk.numbers[0], is_open=calendar.is_open(settings.clock())
        )
        console.print(f"People call now, {speed:g} times as fast as in life, by the plan of seed {seed}.")
        with tempfile.TemporaryDirectory(prefix="omnivigil-demo-") as folder:
            playing = asyncio.create_task(asyncio.to_thread(people.play, Path(folder)))
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.shield(playing)
            except TimeoutError:
                console.print("The demo's time is over.")
            finally:
                people.stop.set()
                await asyncio.wait({playing}, timeout=20)

    up.run(settings, console, beside=beside)
