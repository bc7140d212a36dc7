"""How soon everybody who waits hears that the state of the services changed, and what that costs, in three ways.

One held stream for all (what the line does), `periodic-announce` with the file replaced under it, and hold music
alone as the floor. SIPp's callers wait in a queue; all their audio comes to one socket, where each caller's
packets are compared with the first ones of the new announcement. CPU is the kernel's count, of Asterisk and of
the programs that it started, while all wait.
"""

from __future__ import annotations

import asyncio
import math
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from rich.console import Console
from rich.table import Table

from bench.ear import Ear
from bench.running import family, family_cpu_s, line_settings, markdown, waiting_callers
from ivr.announcements.on_air import NORMAL, OnAirFiles
from ivr.asterisk import process
from ivr.asterisk.folders import Folders
from ivr.asterisk.process import AsteriskProcess
from ivr.asterisk.runtime import Runtime
from ivr.cli.up import ensure_runtime
from ivr.prepare import load, prepare
from ivr.prompts.files import write
from ivr.prompts.voices import sounds_of
from ivr.settings import Settings

HERE = Path(__file__).parent
PORTS = {"sip": 5980, "http": 8980, "agi": 4980, "ami": 5981}
#: A caller who has not heard the change by then is counted as never.
_PATIENCE_S = 45.0


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to tell those who wait; `every_s` is how often a queue of Asterisk's announces by itself."""

    name: str
    number: str
    queue: str
    music: str
    every_s: int = 0
    changes: bool = True


WAYS = (
    Way(name="hold music only (floor)", number="91001", queue="bench-music", music="default", changes=False),
    Way(name="one held stream", number="91002", queue="bench-stream", music="omnivigil-fr"),
    Way(name="file swap, every 30 s", number="91003", queue="bench-swap-30", music="default", every_s=30),
    Way(name="file swap, every 8 s", number="91004", queue="bench-swap-8", music="default", every_s=8),
)


@dataclass(kw_only=True)
class Measured:
    """One way's figures."""

    waiting: int = 0
    #: Processor time per caller, in milliseconds a second.
    cpu: float = math.nan
    delays_s: list[float] = field(default_factory=list)
    never: int = 0
    #: Share of the packets that should have come and did not.
    missing: float = math.nan

    def percentile(self, share: float) -> float:
        """Of the delays, in seconds."""
        ordered = sorted(self.delays_s)
        if ordered:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        return math.nan


async def run(console: Console, *, callers: int, seconds: float, output: Path | None) -> None:
    """Measure, print the table, and write it to `output` as Markdown."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        bench = await _Bench.set_up(Path(folder), console)
        results: dict[str, Measured] = {}
        try:
            for way in WAYS:
                console.print(f"{way.name}: {callers} callers")
                results[way.name] = await bench.measure(way, callers, seconds)
        finally:
            await bench.tear_down()
    _print(console, results)
    if output is not None:
        output.write_text(_markdown(results, callers, seconds), encoding="utf-8")


class _Bench:
    """Asterisk alone: the service has no part in what those who wait hear."""

    def __init__(self, settings: Settings, found: Runtime, asterisk: AsteriskProcess, states: list[bytes]) -> None:
        self._settings = settings
        self._runtime = found
        self._asterisk = asterisk
        self._states = states

    @classmethod
    async def set_up(cls, folder: Path, console: Console) -> _Bench:
        settings = line_settings(
            folder,
            PORTS,
            rtp=(30000, 49000),
        )
        found = await ensure_runtime(settings, console)
        await prepare(settings, found, lambda _: None)
        desks, _ = load(settings)
        sounds = sounds_of(settings, found, desks)
        # Two sounds of a length that is usual for the state of services.
        prompts = (NORMAL, "queue-wait")
        states = [Path(sounds.fixed("omnivigil", one, "fr") + ".ulaw").read_bytes() for one in prompts]
        etc = Folders.below(settings).etc
        template = jinja2.Template((HERE / "waiting.conf.j2").read_text(), trim_blocks=True)
        extensions = (etc / "extensions.conf").read_text()
        extensions = extensions.replace("[from-trunk]\n", "[from-trunk]\ninclude => waiting\n", 1)
        (etc / "extensions.conf").write_text(extensions + template.render(ways=WAYS))
        queues = (etc / "queues.conf").read_text()
        for way in WAYS:
            queues += f"\n[{way.queue}]\nmusicclass = {way.music}\nannounce-to-first-user = yes\n"
            if way.every_s:
                queues += f"periodic-announce = {folder}/swap/state\nperiodic-announce-frequency = {way.every_s}\n"
        (etc / "queues.conf").write_text(queues)
        write(folder / "swap" / "state.ulaw", states[0])
        return cls(settings, found, await process.start(found, settings), states)

    async def tear_down(self) -> None:
        """End Asterisk."""
        await self._asterisk.stop()

    async def measure(self, way: Way, callers: int, seconds: float) -> Measured:
        """Everything about one way, with callers that wait for it alone."""
        self._put(way, self._states[0])
        ear = Ear()
        try:
            async with waiting_callers(self._asterisk, way.number, callers, ear, rate=20):
                # Long enough for the change to be the only news.
                await asyncio.sleep(5)
                got = Measured(waiting=len(ear.packets))
                before, counted, began = self._cpu_s(), sum(ear.packets.values()), time.monotonic()
                await asyncio.sleep(seconds)
                took = time.monotonic() - began
                got.cpu = (self._cpu_s() - before) * 1000 / took / max(1, got.waiting)
                got.missing = 1 - (sum(ear.packets.values()) - counted) / (took * 50 * max(1, got.waiting))
                if way.changes:
                    ear.listen_for(self._states[1])
                    changed = time.monotonic()
                    self._put(way, self._states[1])
                    await asyncio.to_thread(ear.wait, ear.heard, got.waiting, _PATIENCE_S)
                    got.delays_s = [at - changed for at in ear.heard.values()]
                    got.never = got.waiting - len(ear.heard)
        finally:
            ear.close()
        return got

    def _put(self, way: Way, state: bytes) -> None:
        if way.every_s:
            write(self._settings.state / "swap" / "state.ulaw", state)
        else:
            files = OnAirFiles(self._settings.on_air)
            write(files.brief("omnivigil", "fr"), state)
            write(files.path("omnivigil", "fr"), state)

    def _cpu_s(self) -> float:
        """Of Asterisk and of what it started, so far."""
        return family_cpu_s(family(self._asterisk.pid))


_HEADINGS = ("way", "waiting", "heard after, median", "p99", "last", "never", "CPU ms/s per caller", "packets missing")


def _rows(results: dict[str, Measured]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            str(one.waiting),
            f"{statistics.median(one.delays_s):.2f} s" if one.delays_s else "-",
            f"{one.percentile(0.99):.2f} s" if one.delays_s else "-",
            f"{max(one.delays_s):.2f} s" if one.delays_s else "-",
            str(one.never) if one.delays_s else "-",
            f"{one.cpu:.3f}",
            f"{one.missing:.2%}",
        )
        for name, one in results.items()
    ]


def _print(console: Console, results: dict[str, Measured]) -> None:
    table = Table(*_HEADINGS)
    for row in _rows(results):
        table.add_row(*row)
    console.print(table)


def _markdown(results: dict[str, Measured], callers: int, seconds: float) -> str:
    lines = markdown(_HEADINGS, _rows(results))
    lines += ["", f"{callers} callers, CPU over {seconds:g} s, {os.cpu_count()} processors, {platform.machine()}."]
    return "\n".join(lines) + "\n"
