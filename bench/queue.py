"""What a full queue costs: live callers who wait, and places held for those who asked to be called back.

The line as it is, with its service: SIPp's callers come in by the menu and wait; places are held for requests that
are in the database when the service starts, as after a restart. Half of the callers are remembered as English speakers.
All audio of a language comes to one socket, which counts the packets that are missing, by the clock and by their
sequence numbers, and tells when each caller hears that the state of the services has changed: an announcement that is
made by the API, counted from the request. The floor is the same callers with hold music alone, in the same run. CPU and
memory are the kernel's count, of Asterisk, the programs that it started, and the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import platform
import re
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.ear import Ear
from bench.running import (
    OPEN,
    family,
    family_cpu_s,
    family_memory_mb,
    line_settings,
    markdown,
    open_line,
    running_service,
    waiting_callers,
)
from ivr.announcements.on_air import OnAirFiles
from ivr.asterisk.process import AsteriskProcess
from ivr.callbacks import store as callback_statements
from ivr.callbacks.channels import new_id
from ivr.callbacks.model import Callback
from ivr.clock import system_clock
from ivr.desk.load import BUILT_IN
from ivr.directory.store import put_languages
from ivr.process.service_process import Service
from ivr.settings import Address, Settings
from ivr.store.engine import open_store

HERE = Path(__file__).parent
PORTS = {"sip": 5990, "http": 8990, "agi": 4990, "ami": 5991, "carrier": 5995}
NUMBER, MUSIC = "18446664844", "92001"
_RATE = 10
_PATIENCE_S = 45.0
#: By language, the area code of those who speak it; the line remembers who speaks English.
_AREAS = {"fr": "418", "en": "438"}
_TEXTS = {
    "fr": "Une panne touche la téléphonie dans la région de Québec. Nos équipes sont à l’œuvre.",
    "en": "An outage affects telephone service in the Quebec City area. Our teams are at work.",
}


@dataclass(kw_only=True)
class Measured:
    """One row of figures."""

    live: int
    held: int
    #: Processor time in milliseconds a second, and memory in megabytes, of all processes together.
    cpu: float = math.nan
    memory: float = math.nan
    #: Shares of the packets: those that did not come, by the clock, and those whose sequence numbers did not.
    missing: float = math.nan
    gaps: float = math.nan
    dropped: int = 0
    #: From the request to the announcement, by language.
    delays_s: dict[str, list[float]] = field(default_factory=dict)
    never: int = 0


async def run(console: Console, *, live: int, held: int, seconds: float, output: Path | None) -> None:
    """Measure, print the table, and write it to `output` as Markdown."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        bench = await _Bench.set_up(Path(folder), console)
        try:
            rows = await bench.measure(console, live, held, seconds)
        finally:
            await bench.tear_down()
    table = Table(*_HEADINGS)
    for row in _rows(rows):
        table.add_row(*row)
    console.print(table)
    if output is not None:
        output.write_text(_markdown(rows, seconds), encoding="utf-8")


class _Bench:
    """A whole line of its own."""

    def __init__(self, settings: Settings, asterisk: AsteriskProcess) -> None:
        self._settings, self._asterisk = settings, asterisk
        self._service: Service | None = None
        self._ends = contextlib.AsyncExitStack()

    @classmethod
    async def set_up(cls, folder: Path, console: Console) -> _Bench:
        desks = folder / "desks"
        shutil.copytree(BUILT_IN, desks)
        menu = desks / "omnivigil.yaml"
        # Whoever presses nothing is put through after one round of the menu.
        text = menu.read_text(encoding="utf-8").replace("attempts: 2", "attempts: 1").replace("wait_s: 5", "wait_s: 2")
        menu.write_text(text, encoding="utf-8")
        settings = line_settings(
            folder,
            PORTS,
            outbound=Address(host="127.0.0.1", port=PORTS["carrier"]),
            rtp=(30000, 49000),
            desks=desks,
            clock_shift_s=(OPEN - system_clock()).total_seconds(),
        )
        music = f"exten => {MUSIC},1,Answer()\n same => n,MusicOnHold(default)\n"
        return cls(settings, await open_line(settings, console, music))

    async def tear_down(self) -> None:
        """End the service, then Asterisk."""
        await self._ends.aclose()
        await self._asterisk.stop()

    async def measure(self, console: Console, live: int, held: int, seconds: float) -> dict[str, Measured]:
        """The floor, live callers alone, and live callers with held places."""
        rows: dict[str, Measured] = {}
        console.print(f"{live} callers with hold music alone")
        rows["idle"] = Measured(live=0, held=0, memory=self._memory())
        async with self._callers(MUSIC, live) as ears:
            rows["hold music alone (floor)"] = await self._look(ears, live, 0, seconds)
        await self._remember_english(live)
        await self._start_service()
        rows["line, nobody on it"] = Measured(live=0, held=0, memory=self._memory())
        console.print(f"{live} callers in the queue")
        async with self._callers(NUMBER, live) as ears:
            await self._until(live)
            rows["waiting in the queue"] = await self._look(ears, live, 0, seconds)
            console.print(f"and {held} held places")
            began = time.monotonic()
            await self._request(held)
            await self._restart_service()
            await self._until(live + held)
            console.print(f"all places held {time.monotonic() - began:.1f} s after the requests")
            row = await self._look(ears, live, held, seconds)
            rows["with held places"] = row
            console.print(f"announced, answered after {await self._tell(ears, live, row):.2f} s")
            row.dropped = live + held - await self._count()
        return rows

    @contextlib.asynccontextmanager
    async def _callers(self, number: str, live: int) -> AsyncIterator[dict[str, Ear]]:
        """Callers on a number, half of each language; and who hears them, by language."""
        counts = {"fr": live - live // 2, "en": live // 2}
        ears = {language: Ear() for language in counts}
        try:
            async with contextlib.AsyncExitStack() as stack:
                await asyncio.gather(
                    *(
                        stack.enter_async_context(
                            waiting_callers(
                                self._asterisk, number, count, ears[name], rate=_RATE / 2, area=_AREAS[name]
                            )
                        )
                        for name, count in counts.items()
                    )
                )
                yield ears
        finally:
            for ear in ears.values():
                ear.close()

    async def _look(self, ears: Mapping[str, Ear], live: int, held: int, seconds: float) -> Measured:
        await asyncio.sleep(5)
        got = Measured(live=live, held=held)
        before, counted, gaps, began = self._cpu_s(), _packets(ears), _gaps(ears), time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        came, skipped = _packets(ears) - counted, _gaps(ears) - gaps
        got.cpu = (self._cpu_s() - before) * 1000 / took
        got.missing = 1 - came / (took * 50 * live)
        got.gaps = skipped / max(1, came + skipped)
        got.memory = self._memory()
        return got

    async def _tell(self, ears: Mapping[str, Ear], live: int, row: Measured) -> float:
        """Announce by the API: when does each caller hear it in their language? Seconds until the answer."""
        token = (self._settings.state / "demo-token").read_text().strip()
        url = f"http://{self._settings.http}/v1/desks/omnivigil/announcement"
        files = OnAirFiles(self._settings.on_air)
        asked = time.monotonic()
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.put(url, json={"texts": _TEXTS}) as answer,
        ):
            answer.raise_for_status()
        answered = time.monotonic() - asked
        # The stream fades out first: nobody has heard it yet. Whoever had would be counted by its repetition, too late.
        for language, ear in ears.items():
            ear.listen_for(files.path("omnivigil", language).read_bytes())
        waits = (asyncio.to_thread(ear.wait, ear.heard, len(ear.packets), _PATIENCE_S) for ear in ears.values())
        await asyncio.gather(*waits)
        row.delays_s = {language: [at - asked for at in ear.heard.values()] for language, ear in ears.items()}
        row.never = live - sum(map(len, row.delays_s.values()))
        return answered

    async def _remember_english(self, live: int) -> None:
        """As if they had pressed 9 on a call before."""
        store = open_store(self._settings.database_url)
        try:
            async with store.unit() as unit:
                numbers = (f"1{_AREAS['en']}{2000000 + n}" for n in range(live + 1))
                await put_languages(unit, dict.fromkeys(numbers, "en"))
        finally:
            await store.close()

    async def _request(self, count: int) -> None:
        """Requests to be called back, from callers who came after everyone else."""
        now = self._settings.clock()
        store = open_store(self._settings.database_url)
        try:
            async with store.unit() as unit:
                for n in range(count):
                    one = Callback(
                        id=new_id(),
                        desk="omnivigil",
                        department="support",
                        queue="support",
                        language="fr",
                        number=f"1514{2000000 + n}",
                        endpoint=None,
                        call_id=None,
                        customer_id=None,
                        identity={},
                        mode="technician_first",
                        state="pending",
                        arrived_at=now + timedelta(milliseconds=n),
                        requested_at=now,
                        not_before=now,
                        deadline=now + timedelta(hours=8),
                    )
                    await callback_statements.add(unit, one)
        finally:
            await store.close()

    async def _start_service(self) -> None:
        self._service = await self._ends.enter_async_context(running_service(self._settings))
        await asyncio.sleep(8)

    async def _restart_service(self) -> None:
        """kill -9; its supervisor starts it again, and it takes the requests up."""
        if self._service is not None and self._service.pid is not None:
            os.kill(self._service.pid, signal.SIGKILL)

    async def _until(self, count: int) -> None:
        for _ in range(360):
            if await self._count() >= count:
                return
            await asyncio.sleep(0.5)
        raise RuntimeError(f"{await self._count()} of {count} places")

    async def _count(self) -> int:
        found = re.search(r"has (\d+) calls", await self._asterisk.cli("queue show support"))
        if found:
            return int(found[1])
        return 0

    def _family(self) -> list[list[str]]:
        """Asterisk, what it started, and the service."""
        return family(self._asterisk.pid, self._service.pid if self._service is not None else None)

    def _cpu_s(self) -> float:
        return family_cpu_s(self._family())

    def _memory(self) -> float:
        return family_memory_mb(self._family())


_HEADINGS = (
    "what",
    "live",
    "held",
    "CPU ms/s",
    "memory MB",
    "CPU ms/s each",
    "× floor",
    "memory kB each",
    "packets missing",
    "RTP gaps",
    "change heard, fr/en, median",
    "last",
    "never",
    "dropped",
)


def _rows(rows: dict[str, Measured]) -> list[tuple[str, ...]]:
    floor = rows["hold music alone (floor)"]
    base = {"hold music alone (floor)": rows["idle"], "waiting in the queue": rows["line, nobody on it"]}
    base["with held places"] = rows["waiting in the queue"]
    told: list[tuple[str, ...]] = []
    for name, one in rows.items():
        before = base.get(name)
        if before is not None:
            each = (one.live + one.held) - (before.live + before.held)
        else:
            each = 0
        if before is not None and not math.isnan(before.cpu):
            already = before.cpu
        else:
            already = 0.0
        cpu = (one.cpu - already) / max(1, each)
        floor_each = floor.cpu / max(1, floor.live)
        if before is not None:
            memory = (one.memory - before.memory) * 1000 / max(1, each)
        else:
            memory = math.nan
        told.append(
            (
                name,
                str(one.live),
                str(one.held),
                _number(one.cpu, 0),
                _number(one.memory, 0),
                _number(cpu if each else math.nan, 3),
                _number(cpu / floor_each if each else math.nan, 2),
                _number(memory, 0),
                "-" if math.isnan(one.missing) else f"{one.missing:.2%}",
                "-" if math.isnan(one.gaps) else f"{one.gaps:.2%}",
                _seconds(one, statistics.median),
                _seconds(one, max),
                str(one.never) if one.delays_s else "-",
                str(one.dropped) if one.held else "-",
            )
        )
    return told


def _packets(ears: Mapping[str, Ear]) -> int:
    return sum(sum(ear.packets.values()) for ear in ears.values())


def _gaps(ears: Mapping[str, Ear]) -> int:
    return sum(ear.gaps for ear in ears.values())


def _seconds(one: Measured, of: Callable[[list[float]], float]) -> str:
    """A figure of the delays of each language."""
    told = "/".join(f"{of(delays):.2f}" if delays else "-" for delays in one.delays_s.values())
    if told:
        return f"{told} s"
    return "-"


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.{digits}f}"


def _markdown(rows: dict[str, Measured], seconds: float) -> str:
    lines = markdown(_HEADINGS, _rows(rows))
    lines += ["", f"CPU over {seconds:g} s, {os.cpu_count()} processors, {platform.machine()}."]
    return "\n".join(lines) + "\n"
