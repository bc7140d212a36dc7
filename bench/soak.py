"""Hours of calls and no faults: whether memory and descriptors of a line grow with what it has carried."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.faults import outside
from bench.faults_line import HurtLine, descriptors, resident_mb
from bench.faults_people import NUMBER, Systems
from bench.running import HERE, sipp_statistics
from ivr.asterisk import runtime

#: What is not counted: caches fill, evidence reaches the age at which it is dropped (30 minutes, by the desk file).
_WARM_UP: Final = 1 / 3
#: Growth by 10,000 calls that is none, as a share.
_FLAT: Final = 0.01
#: With fewer calls, or in less time, nothing is said of growth: the evidence of 30 minutes alone is still coming.
_FEWEST_CALLS: Final = 5_000
_SHORTEST_S: Final = 2 * 3600
_EVERY_S: Final = 5.0
_STAY_S: Final = 12.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The line's processes at one moment: by name, resident megabytes and descriptors."""

    calls: int
    at_s: float
    memory_mb: dict[str, float]
    descriptors: dict[str, int]


@dataclass(kw_only=True)
class Soak:
    """What was measured, the warm-up included."""

    samples: list[Sample] = field(default_factory=list)
    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    restarts: int = 0

    @property
    def settled(self) -> list[Sample]:
        """Without the warm-up."""
        return [one for one in self.samples if one.at_s >= self.seconds * _WARM_UP]

    @property
    def judged(self) -> bool:
        """Whether it was long enough to say that something grows."""
        return self.calls >= _FEWEST_CALLS and self.seconds >= _SHORTEST_S


def slope(calls: Sequence[float], values: Sequence[float]) -> float:
    """Growth of a value by 1,000 calls: least squares; 0 where there are too few."""
    if len(set(calls)) < 2:
        return 0.0
    return float(np.polyfit(np.asarray(calls) / 1000, np.asarray(values), 1)[0])


def grows(soak: Soak) -> list[str]:
    """What grew by more than a hundredth by 10,000 calls; nothing when it was too short to say."""
    found: list[str] = []
    settled = soak.settled
    if not soak.judged or not settled:
        return found
    calls = [float(one.calls) for one in settled]
    for name in settled[0].memory_mb:
        memory = [one.memory_mb[name] for one in settled]
        by_ten_thousand = slope(calls, memory) * 10 / (sum(memory) / len(memory))
        if by_ten_thousand > _FLAT:
            found.append(f"memory of {name}: {by_ten_thousand:.1%} by 10,000 calls")
        files = [float(one.descriptors[name]) for one in settled]
        if slope(calls, files) * 10 > max(1.0, _FLAT * sum(files) / len(files)):
            found.append(f"descriptors of {name}: {slope(calls, files) * 10:.1f} by 10,000 calls")
    return found


async def run_soak(console: Console, *, seconds: float, rate: float) -> Soak:
    """Call a line `rate` times a second for so long."""
    if (mine := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, mine.cancel)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(16))
    folder = Path(tempfile.mkdtemp(prefix="ov-soak-"))
    try:
        async with outside(folder, None, pairs=1000, calls=600) as (line, *_):
            systems = asyncio.create_task(Systems(line=line, news_every_s=600).run())
            try:
                return await _soak(console, line, seconds, rate)
            finally:
                systems.cancel()
                await asyncio.gather(systems, return_exceptions=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _soak(console: Console, line: HurtLine, seconds: float, rate: float) -> Soak:
    counted, most = line.folder / "soak.csv", round(seconds * rate) + 1
    numbers = line.folder / "callers.csv"
    numbers.write_text("SEQUENTIAL\n" + "".join(f"418{2_000_001 + n % 7_000_000}\n" for n in range(most)))
    found = runtime.find(runtime.folders(line.state))
    words = found.command(
        found.sipp,
        f"127.0.0.1:{line.sip}",
        *("-sf", str(HERE / "scenarios" / "passing.xml"), "-s", NUMBER, "-inf", str(numbers)),
        *("-i", "127.0.0.1", "-mi", "127.0.0.1", "-min_rtp_port", "30000", "-max_rtp_port", "39000"),
        *("-m", str(most), "-r", str(round(rate * 10)), "-rp", "10000", "-d", str(round(_STAY_S * 1000))),
        *("-trace_stat", "-stf", str(counted), "-fd", "1", "-nostdin"),
    )
    sipp = await asyncio.create_subprocess_exec(
        *words, cwd=line.folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    soak, began = Soak(), time.monotonic()
    first = line.service()
    try:
        while sipp.returncode is None and time.monotonic() < began + seconds:
            await asyncio.sleep(min(_EVERY_S, max(0.0, began + seconds - time.monotonic())))
            soak.seconds = time.monotonic() - began
            soak.calls, soak.failed = sipp_statistics(counted)
            soak.samples.append(await asyncio.to_thread(_sample, line, soak))
            if len(soak.samples) % 12 == 0:
                told = ", ".join(f"{name} {mb:.0f} MB" for name, mb in soak.samples[-1].memory_mb.items())
                console.print(f"{soak.seconds:6.0f} s  {soak.calls} calls, {soak.failed} failed  {told}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            sipp.send_signal(signal.SIGUSR1)
        try:
            async with asyncio.timeout(_STAY_S + 30):
                await sipp.wait()
        except TimeoutError:
            sipp.kill()
            await sipp.wait()
    soak.calls, soak.failed = sipp_statistics(counted)
    soak.restarts = int(line.service() != first)
    return soak


def _sample(line: HurtLine, soak: Soak) -> Sample:
    pids = {"service": line.service(), "Asterisk": line.asterisk(), "supervisor": line.up.pid if line.up else None}
    there = {name: pid for name, pid in pids.items() if pid is not None}
    return Sample(
        calls=soak.calls,
        at_s=soak.seconds,
        memory_mb={name: resident_mb(pid) for name, pid in there.items()},
        descriptors={name: descriptors(pid) for name, pid in there.items()},
    )


def report(soak: Soak, console: Console) -> list[str]:
    """Print it; what grew."""
    settled = [one for one in soak.settled if len(one.memory_mb) == 3]
    table = Table("process", "MB first", "MB last", "MB by 1,000 calls", "fds first", "fds last", "fds by 1,000 calls")
    if settled:
        calls = [float(one.calls) for one in settled]
        for name in settled[0].memory_mb:
            memory, files = [one.memory_mb[name] for one in settled], [one.descriptors[name] for one in settled]
            slopes = slope(calls, memory), slope(calls, files)
            table.add_row(
                name,
                *(f"{memory[0]:.1f}", f"{memory[-1]:.1f}", f"{slopes[0]:+.2f}"),
                *(str(files[0]), str(files[-1]), f"{slopes[1]:+.2f}"),
            )
    console.print(table)
    console.print(f"{soak.calls} calls in {soak.seconds:.0f} s, {soak.failed} failed; the first third is warm-up")
    found = [*grows(soak), *(["the service was started again"] if soak.restarts else [])]
    if not soak.judged:
        console.print(
            f"too short to say whether anything grows: {_FEWEST_CALLS} calls in {_SHORTEST_S // 3600} h at least"
        )
    for one in found:
        console.print(f"  {one}", style="red")
    return found
