"""What a full queue costs: live callers who wait, and places held for those who asked to be called back.

The line as it is, with its service: SIPp's callers come in by the menu and wait; places are held for requests that
are in the database when the service starts, as after a restart. All callers' audio comes to one socket, which counts
the packets that are missing and tells when each hears that the state of the services has changed. The floor is the
same callers with hold music alone, in the same run. CPU and memory are the kernel's count, of Asterisk, the programs
that it started, and the service.
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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.ear import Ear
from bench.running import family, family_cpu_s, family_memory_mb, running_service, waiting_callers
from ivr.announcements.on_air import OnAirFiles
from ivr.asterisk import process
from ivr.asterisk.config import Folders
from ivr.asterisk.process import AsteriskProcess
from ivr.asterisk.runtime import Runtime
from ivr.callbacks import store as callback_statements
from ivr.callbacks.callback import Callback
from ivr.callbacks.channels import new_id
from ivr.clock import system_clock
from ivr.desk.load import BUILT_IN
from ivr.prepare import load, prepare
from ivr.prompts.files import write
from ivr.settings import Address, Settings
from ivr.store.engine import open_store
from ivr.supervisor import Service
from ivr.up import ensure_runtime
from ivr.voices import sounds_of

HERE = Path(__file__).parent
PORTS = {"sip": 5990, "http": 8990, "agi": 4990, "ami": 5991, "carrier": 5995}
NUMBER, MUSIC = "18446664844", "92001"
#: A Wednesday morning: the line is open.
OPEN = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
_RATE = 10
_PATIENCE_S = 45.0


@dataclass(kw_only=True)
class Measured:
    """One row of figures."""

    live: int
    held: int
    #: Processor time in milliseconds a second, and memory in megabytes, of all processes together.
    cpu: float = math.nan
    memory: float = math.nan
    missing: float = math.nan
    dropped: int = 0
    delays_s: list[float] = field(default_factory=list)
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

    def __init__(self, settings: Settings, found: Runtime, asterisk: AsteriskProcess, change: bytes) -> None:
        self._settings, self._runtime, self._asterisk, self._change = settings, found, asterisk, change
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
        settings = Settings(
            state=folder,
            sip=Address(host="127.0.0.1", port=PORTS["sip"]),
            http=Address(host="127.0.0.1", port=PORTS["http"]),
            agi=Address(host="127.0.0.1", port=PORTS["agi"]),
            ami=Address(host="127.0.0.1", port=PORTS["ami"]),
            outbound=Address(host="127.0.0.1", port=PORTS["carrier"]),
            rtp=(30000, 49000),
            desks=desks,
            clock_shift_s=(OPEN - system_clock()).total_seconds(),
        )
        found = await ensure_runtime(settings, console)
        await prepare(settings, found, lambda _: None)
        loaded, _ = load(settings)
        change = Path(sounds_of(settings, found, loaded).fixed("omnivigil", "queue-wait", "fr") + ".ulaw").read_bytes()
        extensions = Folders.below(settings).etc / "extensions.conf"
        text = extensions.read_text().replace("[from-trunk]\n", "[from-trunk]\ninclude => bench\n", 1)
        text += f"\n[bench]\nexten => {MUSIC},1,Answer()\n same => n,MusicOnHold(default)\n"
        # A technician who is there and takes no call.
        text += "exten => technician,1,Wait(3600)\n"
        extensions.write_text(text)
        asterisk = await process.start(found, settings)
        await asterisk.cli("queue add member Local/technician@bench/n to support penalty 0 as bench")
        await asterisk.cli("queue pause member Local/technician@bench/n queue support reason bench")
        return cls(settings, found, asterisk, change)

    async def tear_down(self) -> None:
        """End the service, then Asterisk."""
        await self._ends.aclose()
        await self._asterisk.stop()

    async def measure(self, console: Console, live: int, held: int, seconds: float) -> dict[str, Measured]:
        """The floor, live callers alone, and live callers with held places."""
        rows: dict[str, Measured] = {}
        console.print(f"{live} callers with hold music alone")
        rows["idle"] = Measured(live=0, held=0, memory=self._memory())
        ear = Ear()
        async with waiting_callers(self._asterisk, MUSIC, live, ear, rate=_RATE):
            rows["hold music alone (floor)"] = await self._look(ear, live, 0, seconds)
        ear.close()
        await self._start_service()
        rows["line, nobody on it"] = Measured(live=0, held=0, memory=self._memory())
        ear = Ear()
        console.print(f"{live} callers in the queue")
        async with waiting_callers(self._asterisk, NUMBER, live, ear, rate=_RATE):
            await self._until(live)
            rows["waiting in the queue"] = await self._look(ear, live, 0, seconds)
            console.print(f"and {held} held places")
            began = time.monotonic()
            await self._request(held)
            await self._restart_service()
            await self._until(live + held)
            console.print(f"all places held {time.monotonic() - began:.1f} s after the requests")
            row = await self._look(ear, live, held, seconds)
            rows["with held places"] = row
            await self._tell(ear, live, row)
            row.dropped = live + held - await self._count()
        ear.close()
        return rows

    async def _look(self, ear: Ear, live: int, held: int, seconds: float) -> Measured:
        await asyncio.sleep(5)
        got = Measured(live=live, held=held)
        before, counted, began = self._cpu_s(), sum(ear.packets.values()), time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        got.cpu = (self._cpu_s() - before) * 1000 / took
        got.missing = 1 - (sum(ear.packets.values()) - counted) / (took * 50 * live)
        got.memory = self._memory()
        return got

    async def _tell(self, ear: Ear, live: int, row: Measured) -> None:
        """The state of the services changes: when does each caller hear it?"""
        ear.listen_for(self._change)
        changed = time.monotonic()
        files = OnAirFiles(self._settings.on_air)
        write(files.brief("omnivigil", "fr"), self._change)
        write(files.path("omnivigil", "fr"), self._change)
        await asyncio.to_thread(ear.wait, ear.heard, live, _PATIENCE_S)
        row.delays_s = [at - changed for at in ear.heard.values()]
        row.never = live - len(ear.heard)

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
        return int(found[1]) if found else 0

    def _family(self) -> list[list[str]]:
        """Asterisk, what it started, and the service."""
        return family(self._asterisk.process.pid, self._service.pid if self._service is not None else None)

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
    "change heard, median",
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
        each = (one.live + one.held) - (before.live + before.held) if before is not None else 0
        already = before.cpu if before is not None and not math.isnan(before.cpu) else 0.0
        cpu = (one.cpu - already) / max(1, each)
        floor_each = floor.cpu / max(1, floor.live)
        memory = (one.memory - before.memory) * 1000 / max(1, each) if before is not None else math.nan
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
                f"{statistics.median(one.delays_s):.2f} s" if one.delays_s else "-",
                f"{max(one.delays_s):.2f} s" if one.delays_s else "-",
                str(one.never) if one.delays_s else "-",
                str(one.dropped) if one.held else "-",
            )
        )
    return told


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _markdown(rows: dict[str, Measured], seconds: float) -> str:
    lines = ["| " + " | ".join(_HEADINGS) + " |", "|" + "---|" * len(_HEADINGS)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(rows)]
    lines += ["", f"CPU over {seconds:g} s, {os.cpu_count()} processors, {platform.machine()}."]
    return "\n".join(lines) + "\n"
