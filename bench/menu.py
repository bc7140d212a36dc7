"""One menu, four back ends, one machine: what a FastAGI service costs beside a dialplan that needs none.

Every back end answers on a number of its own in the same Asterisk and plays the very same sound files, as the
line's own menu decides them for a caller who presses KEYS and then hangs up. SIPp makes the load; a few callers
that read their packets time how soon the next prompt starts after a digit. CPU is the kernel's count, of Asterisk
and of the back end's own process, over whole calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from rich.console import Console
from rich.table import Table
from sipsim.raw import CallFailed, RawCall

from bench.rivals import steps as rival_steps
from bench.rivals.steps import Step
from bench.running import cpu_s, line_settings, markdown, running_service, sipp_statistics
from ivr.asterisk import process
from ivr.asterisk.folders import Folders
from ivr.asterisk.process import AsteriskProcess
from ivr.asterisk.runtime import Runtime
from ivr.cli.up import ensure_runtime
from ivr.desk import menu as desk_menu
from ivr.prepare import Prepared, load, prepare
from ivr.prompts.build import Sounds
from ivr.prompts.voices import sounds_of
from ivr.settings import Settings

HERE = Path(__file__).parent
#: What each caller presses, one key a prompt, before hanging up in the last one: five steps of menu.
KEYS = ("9", "*", "9", "*")
#: How long a caller listens before each key, in seconds.
LISTEN_S = 2.0
CALL_S = LISTEN_S * (len(KEYS) + 1)
#: Callers that time the line while it is under load.
PROBES = 6
PORTS = {"sip": 5970, "http": 8970, "agi": 4970, "ami": 5971}
RIVAL_PORT = 4971
#: A back end keeps up while calls succeed and 99 of 100 digits are answered within this, in milliseconds.
_KEEPS_UP_MS = 250.0


@dataclass(frozen=True, kw_only=True)
class BackEnd:
    """One way to run the menu."""

    name: str
    number: str


BACK_ENDS = (
    BackEnd(name="dialplan (ceiling)", number="90001"),
    BackEnd(name="omnivigil", number="18446664844"),
    BackEnd(name="panoramisk fast_agi", number="90003"),
    BackEnd(name="pystrix", number="90004"),
)


@dataclass(kw_only=True)
class Measured:
    """One back end's figures; a list has one entry a round."""

    asterisk_ms: list[float] = field(default_factory=list)
    service_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    failures: int = 0
    calls: int = 0
    saturation: float | None = None

    @property
    def cpu_ms(self) -> list[float]:
        """Of both processes, per call."""
        return [asterisk + service for asterisk, service in zip(self.asterisk_ms, self.service_ms, strict=True)]

    def percentile(self, share: float) -> float:
        """Of the delays, in milliseconds."""
        ordered = sorted(self.delays_ms)
        if ordered:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        return float("nan")


async def run(console: Console, *, rate: float, seconds: float, rounds: int, ramp: bool, output: Path | None) -> None:
    """Measure, print the table, and write it to `output` as Markdown."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        bench = await _Bench.set_up(Path(folder), console)
        try:
            results = {back_end.name: Measured() for back_end in BACK_ENDS}
            for round_number in range(1, rounds + 1):
                for back_end in BACK_ENDS:
                    console.print(f"round {round_number} of {rounds}: {back_end.name}")
                    await bench.measure(back_end, results[back_end.name], rate, seconds)
            _print(console, results)
            for back_end in BACK_ENDS if ramp else ():
                console.print(f"saturation: {back_end.name}")
                results[back_end.name].saturation = await bench.saturate(back_end)
        finally:
            await bench.tear_down()
    _print(console, results)
    if output is not None:
        output.write_text(_markdown(results, rate, seconds, rounds), encoding="utf-8")


class _Bench:
    """Asterisk with all four back ends' dialplan, and the back end that has its turn."""

    def __init__(
        self, settings: Settings, found: Runtime, prepared: Prepared, asterisk: AsteriskProcess, steps: list[Step]
    ) -> None:
        self._settings = settings
        self._runtime = found
        self._prepared = prepared
        self._asterisk = asterisk
        self._steps = steps

    @classmethod
    async def set_up(cls, folder: Path, console: Console) -> _Bench:
        """Prepare a line of its own, with the rivals' numbers beside ours."""
        settings = line_settings(
            folder,
            PORTS,
            rtp=(30000, 49000),
            # SIPp's digits skip sequence numbers, which strict RTP takes for a stranger's packets.
            strict_rtp=False,
        )
        found = await ensure_runtime(settings, console)
        prepared = await prepare(settings, found, lambda _: None)
        steps = await _menu_steps(settings, found)
        extensions = Folders.below(settings).etc / "extensions.conf"
        template = jinja2.Template((HERE / "rivals.conf.j2").read_text(), trim_blocks=True)
        text = extensions.read_text().replace("[from-trunk]\n", "[from-trunk]\ninclude => rivals\n", 1)
        extensions.write_text(text + template.render(steps=steps, keys=KEYS, port=RIVAL_PORT))
        rival_steps.write(folder / "steps.json", steps)
        return cls(settings, found, prepared, await process.start(found, settings), steps)

    async def tear_down(self) -> None:
        """End Asterisk."""
        await self._asterisk.stop()

    async def measure(self, back_end: BackEnd, into: Measured, rate: float, seconds: float) -> None:
        """CPU and delays at a rate that no back end finds hard."""
        async with self._running(back_end) as service_pid:
            await self._load(back_end, rate, 3)  # warm: sounds looked up, code paths run once
            await asyncio.sleep(CALL_S)
            before = cpu_s(self._asterisk.pid), cpu_s(service_pid)
            made, failed = await self._load(back_end, rate, seconds)
            after = cpu_s(self._asterisk.pid), cpu_s(service_pid)
            into.asterisk_ms.append((after[0] - before[0]) * 1000 / max(1, made))
            into.service_ms.append((after[1] - before[1]) * 1000 / max(1, made))
            into.calls += made
            into.failures += failed
            # Timed apart, so that the probes' own calls are in nobody's CPU.
            _, (delays, lost) = await asyncio.gather(self._load(back_end, rate, seconds), self._time(back_end, seconds))
            into.delays_ms += delays
            into.failures += lost

    async def saturate(self, back_end: BackEnd) -> float:
        """The highest rate, in calls a second, at which every call succeeds and digits are answered in time."""
        good = 0.0
        async with self._running(back_end):
            rate, seconds = 20.0, CALL_S
            while rate < 200:
                (made, failed), (delays, lost) = await asyncio.gather(
                    self._load(back_end, rate, seconds), self._time(back_end, seconds + CALL_S)
                )
                if delays:
                    late = sorted(delays)[int(0.99 * len(delays))]
                else:
                    late = float("inf")
                if failed or lost or late > _KEEPS_UP_MS or made < 0.9 * rate * seconds:
                    break
                good, rate = rate, round(rate * 1.5)
        return good

    @contextlib.asynccontextmanager
    async def _running(self, back_end: BackEnd) -> AsyncIterator[int | None]:
        """Run the back end's process, where it has one; gives its pid."""
        module = {"90003": "bench.rivals.panoramisk_agi", "90004": "bench.rivals.pystrix_agi"}.get(back_end.number)
        if module is not None:
            steps = str(self._settings.state / "steps.json")
            rival = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(RIVAL_PORT), steps)
            try:
                await _listening(RIVAL_PORT)
                yield rival.pid
            finally:
                rival.kill()
                await rival.wait()
        elif back_end.number == BACK_ENDS[1].number:
            async with running_service(self._settings) as service:
                await _listening(PORTS["agi"])
                yield service.pid
        else:
            yield None

    async def _load(self, back_end: BackEnd, rate: float, seconds: float) -> tuple[int, int]:
        """Calls by SIPp: how many were made, how many failed."""
        count = max(1, round(rate * seconds))
        folder = self._settings.state / f"sipp-{time.monotonic_ns()}"
        await asyncio.to_thread(folder.mkdir)
        # Numbers such as callers have: what is none costs more to look at.
        numbers = "\n".join(("SEQUENTIAL", *(f"514555{n:04}" for n in range(1000, 10_000)), ""))
        await asyncio.to_thread((folder / "numbers.csv").write_text, numbers)
        words = self._runtime.command(
            self._runtime.sipp,
            f"127.0.0.1:{PORTS['sip']}",
            *("-sf", str(HERE / "scenarios" / "menu.xml"), "-inf", str(folder / "numbers.csv")),
            *("-s", back_end.number),
            *(
                "-r",
                f"{rate:.2f}".rstrip("0").rstrip(".") if rate == int(rate) else str(round(rate * 10)),
            ),
            *(() if rate == int(rate) else ("-rp", "10000")),
            *("-m", str(count)),
            *("-i", "127.0.0.1", "-mi", "127.0.0.1"),
            *("-min_rtp_port", "10000", "-max_rtp_port", "29000"),
            *("-timeout", f"{int(seconds + CALL_S + 30)}s"),
            *("-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "1"),
            "-nostdin",
        )
        sipp = await asyncio.create_subprocess_exec(
            *words, cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await sipp.communicate()
        made, failed = await asyncio.to_thread(sipp_statistics, folder / "stat.csv")
        if made == 0:
            raise RuntimeError(f"SIPp made no call: {errors.decode(errors='replace')[-400:]}")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return made, failed

    async def _time(self, back_end: BackEnd, seconds: float) -> tuple[list[float], int]:
        """Delays in milliseconds, and calls that failed."""
        prompts = [Path(step.sounds[0] + ".ulaw").read_bytes() for step in self._steps]
        delays: list[float] = []
        lost = 0
        deadline = time.monotonic() + seconds - CALL_S

        async def caller(number: int) -> None:
            nonlocal lost
            await asyncio.sleep(number * CALL_S / PROBES)
            while time.monotonic() < deadline:
                try:
                    async with RawCall(("127.0.0.1", PORTS["sip"]), back_end.number, f"514555{number:04}") as call:
                        for key, prompt in zip(KEYS, prompts[1:], strict=True):
                            await asyncio.sleep(LISTEN_S)
                            seen = call.expect(prompt)
                            ended = await call.press(key)
                            delays.append((await asyncio.wait_for(seen, 3) - ended) * 1000)
                except (CallFailed, TimeoutError):
                    lost += 1

        await asyncio.gather(*(caller(number) for number in range(PROBES)))
        return delays, lost


async def _menu_steps(settings: Settings, found: Runtime) -> list[Step]:
    """What the line itself plays to a caller who presses KEYS: the steps, with their sound files."""
    desks, calendars = load(settings)
    sounds = sounds_of(settings, found, desks)
    desk = next(iter(desks.values()))
    caller = desk_menu.Caller(number=None, language=None, registered_phone=None, known=False)
    conversation = desk_menu.line(desk, calendars[desk.id], caller, desk.numbers[0], settings.clock)
    steps: list[Step] = []
    keys = list(KEYS)
    asked = next(conversation)
    while len(steps) <= len(KEYS):
        if not isinstance(asked, desk_menu.Ask):
            asked = next(conversation)
            continue
        names = await _joined(sounds, desk.id, asked)
        steps.append(Step(sounds=tuple(names), wait_ms=round(asked.wait_s * 1000)))
        if not keys:
            break
        asked = conversation.send(keys.pop(0))
    return steps


async def _joined(sounds: Sounds, desk: str, asked: desk_menu.Ask) -> list[str]:
    """The step's sounds as calls get them once they have been asked for: as one, in all back ends alike."""
    single = [await sounds.of(desk, one.id, asked.language, dict(one.variables)) for one in asked.prompts]
    for _ in range(100):
        names = sounds.together(single)
        if len(names) == 1:
            return names
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the sounds of a step were not joined: {names}")


async def _listening(port: int) -> None:
    """Wait until somebody listens, without connecting: panoramisk's server does not survive a bare connection."""
    for _ in range(300):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")


_HEAD = (
    "back end",
    "CPU ms/call",
    "Asterisk",
    "service",
    "× ceiling",
    "digit → prompt p50",
    "p99",
    "calls",
    "failed",
    "calls/s",
)


def _rows(results: dict[str, Measured]) -> list[Sequence[str]]:
    ceiling = results[BACK_ENDS[0].name].cpu_ms
    return [
        (
            name,
            f"{statistics.median(one.cpu_ms):.2f}",
            f"{statistics.median(one.asterisk_ms):.2f}",
            f"{statistics.median(one.service_ms):.2f}",
            # What else the machine does changes from one round to the next, and all back ends of a round share it.
            f"{statistics.median(ours / least for ours, least in zip(one.cpu_ms, ceiling, strict=True)):.2f}",
            f"{one.percentile(0.5):.1f} ms",
            f"{one.percentile(0.99):.1f} ms",
            str(one.calls),
            str(one.failures),
            f"{one.saturation:.0f}" if one.saturation is not None else "–",
        )
        for name, one in results.items()
    ]


def _print(console: Console, results: dict[str, Measured]) -> None:
    table = Table(*_HEAD)
    for row in _rows(results):
        table.add_row(*row)
    console.print(table)


def _markdown(results: dict[str, Measured], rate: float, seconds: float, rounds: int) -> str:
    lines = markdown(_HEAD, _rows(results))
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    machine = (
        f"{os.cpu_count()} processors ({model[1] if model else platform.machine()}), Python {platform.python_version()}"
    )
    about = f"{rate:g} calls/s for {seconds:g} s, {rounds} rounds, {machine}."
    return "\n".join([*lines, "", about, ""])
