"""What the evidence of every call costs: processor time per call of Asterisk and the service, with it and without."""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sipsim.impaired import GOOD, PhoneCall, TrunkEnd
from sipsim.raw import CallFailed

from bench.running import cpu_s, line_settings, markdown, running_service, until_up
from ivr.asterisk import process
from ivr.asterisk.folders import Folders
from ivr.cli.up import ensure_runtime
from ivr.directory.demo import demo_password
from ivr.prepare import prepare
from ivr.settings import Address, Settings

PORTS = {"sip": 5950, "http": 8950, "agi": 4950, "ami": 5951}
_TRUNK = 5955
_PHONE = "6001"


@dataclass(kw_only=True)
class Measured:
    """Milliseconds per call; an entry a round."""

    asterisk: list[float] = field(default_factory=list)
    service: list[float] = field(default_factory=list)
    memory_mb: float = 0.0

    @property
    def cpu(self) -> float:
        """Of both, the median round."""
        return statistics.median(a + s for a, s in zip(self.asterisk, self.service, strict=True))


async def run(console: Console, *, calls: int, seconds: float, together: int, rounds: int, output: Path | None) -> None:
    """Measure in turn, so that what else the machine does hits both alike."""
    results = {"without": Measured(), "with": Measured()}
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        for number in range(rounds):
            for name, into in results.items() if number % 2 == 0 else reversed(results.items()):
                console.print(f"round {number + 1} of {rounds}: {name} evidence")
                await _round(Path(folder), console, into, name == "with", calls, seconds, together)
    off, on = results["without"], results["with"]
    table = Table("evidence", "CPU ms/call", "Asterisk", "service", "service MB")
    rows = [
        (name, f"{one.cpu:.1f}", *(f"{statistics.median(part):.1f}" for part in (one.asterisk, one.service)))
        for name, one in results.items()
    ]
    for row, one in zip(rows, results.values(), strict=True):
        table.add_row(*row, f"{one.memory_mb:.0f}")
    console.print(table)
    verdict = f"{on.cpu / off.cpu - 1:+.1%} processor time per call of {seconds:g} s (aim: at most +5 %)"
    console.print(verdict)
    if output is not None:
        head = ("evidence", "CPU ms/call", "Asterisk", "service")
        output.write_text("\n".join([*markdown(head, rows), "", verdict, ""]))


async def _round(
    folder: Path, console: Console, into: Measured, evidence: bool, calls: int, seconds: float, together: int
) -> None:
    settings = line_settings(
        folder,
        PORTS,
        rtp=(24_000, 29_998),
        outbound=Address(host="127.0.0.1", port=_TRUNK),
    )
    found = await ensure_runtime(settings, console)
    await prepare(settings, found, lambda _: None)
    if not evidence:
        _take_out(Folders.below(settings).etc)
    asterisk = await process.start(found, settings)
    trunk = TrunkEnd(lambda _: (GOOD, GOOD))
    try:
        await trunk.open(_TRUNK)
        async with running_service(settings) as service:
            await until_up(settings)
            await _calls(settings, 8, 3, 8)
            before = cpu_s(asterisk.pid), cpu_s(service.pid)
            made = await _calls(settings, calls, seconds, together)
            await asyncio.sleep(1)
            after = cpu_s(asterisk.pid), cpu_s(service.pid)
            # What the service does without any call, such as answering heartbeats, is in both rounds alike.
            into.asterisk.append((after[0] - before[0]) * 1000 / made)
            into.service.append((after[1] - before[1]) * 1000 / made)
            into.memory_mb = max(into.memory_mb, _memory_mb(service.pid))
    finally:
        trunk.close()
        await asterisk.stop()


def _take_out(etc: Path) -> None:
    """The same Asterisk without any evidence: no copies of packets, no figures at the end of a leg."""
    pjsip = etc / "pjsip.conf"
    pjsip.write_text(re.sub(r"^set_var = CHANNEL\(hangup_handler_push\).*\n", "", pjsip.read_text(), flags=re.M))
    (etc / "hep.conf").write_text("[general]\nenabled = no\n")


async def _calls(settings: Settings, count: int, seconds: float, together: int) -> int:
    """Make so many calls, so many at a time; how many succeeded."""
    places = asyncio.Semaphore(together)
    made = 0

    async def one(number: int) -> None:
        nonlocal made
        async with places:
            try:
                async with PhoneCall(
                    (settings.sip.host, settings.sip.port), _PHONE, demo_password(_PHONE), f"1514555{number:04}"
                ):
                    await asyncio.sleep(seconds)
                    made += 1
            except (CallFailed, TimeoutError):
                return

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
            await asyncio.sleep(0.1)
    if not made:
        raise RuntimeError("no call succeeded")
    return made


def _memory_mb(pid: int | None) -> float:
    if pid is None:
        return 0.0
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    if found:
        return int(found[1]) / 1024
    return 0.0
