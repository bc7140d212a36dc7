"""What several benchmarks run and count: the line, its callers, the kernel's count of processor time."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.ear import Ear
from ivr.asterisk import process
from ivr.asterisk.admission import carried, limits_of
from ivr.asterisk.folders import Folders
from ivr.asterisk.process import AsteriskProcess
from ivr.cli.up import ensure_runtime
from ivr.host import descriptors
from ivr.prepare import prepare
from ivr.process.service_process import Service
from ivr.settings import Address, Settings

HERE = Path(__file__).parent
#: A Wednesday morning: the line is open.
OPEN = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
#: Callers who pass are all of this area code.
PASSING_AREA = "418"


def line_settings(folder: Path, ports: Mapping[str, int], **others: Any) -> Settings:
    """Settings of a benchmark's own line on loopback, without limits. `others` are fields of Settings."""
    listening: dict[str, Any] = {
        name: Address(host="127.0.0.1", port=ports[name]) for name in ("sip", "http", "agi", "ami")
    }
    return without_limits(Settings(state=folder, **listening, **others))


def without_limits(settings: Settings) -> Settings:
    """Settings that take all that ports and descriptors carry (RLIMIT_NOFILE is raised).

    A benchmark's callers come from one address, share accounts, and may send nothing for as long as they wait.
    """
    machine = carried(descriptors=descriptors.raise_limit(), processors=1000)
    most = limits_of(settings.rtp, carried=machine, phone=1000).trunks
    return replace(settings, calls=most, calls_per_source=most, calls_per_phone=1000, rtp_timeout_s=0)


async def open_line(settings: Settings, console: Console, dialplan: str = "") -> AsteriskProcess:
    """The line's Asterisk, with a technician in the queue for support who is there and takes no call.

    `dialplan` has extensions that callers may dial beside the line's own.
    """
    found = await ensure_runtime(settings, console)
    await prepare(settings, found, lambda _: None)
    extensions = Folders.below(settings).etc / "extensions.conf"
    text = extensions.read_text().replace("[from-trunk]\n", "[from-trunk]\ninclude => bench\n", 1)
    extensions.write_text(f"{text}\n[bench]\n{dialplan}exten => technician,1,Wait(3600)\n")
    asterisk = await process.start(found, settings)
    await asterisk.cli("queue add member Local/technician@bench/n to support penalty 0 as bench")
    await asterisk.cli("queue pause member Local/technician@bench/n queue support reason bench")
    return asterisk


@contextlib.asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """The line's service under its supervisor, which rescues nobody: a benchmark's callers are its own."""
    settings_file = settings.state / "run" / "settings.json"
    # What a benchmark has put beside ours in Asterisk's configuration stays.
    replace(settings, live_configuration=False).write(settings_file)

    async def no_rescue() -> int:
        return 0

    service = Service(settings_file=settings_file, output=settings.state / "service.log", rescue=no_rescue)
    watching = asyncio.create_task(service.watch())
    try:
        yield service
    finally:
        await service.stop()
        await watching


@contextlib.asynccontextmanager
async def waiting_callers(
    asterisk: AsteriskProcess, number: str, count: int, ear: Ear, *, rate: float, area: str = "418"
) -> AsyncIterator[None]:
    """SIPp's callers on a number, all heard by one ear, until they are ended; `rate` of them come a second.

    Their own numbers are of that area code, 2000001 and so on.
    """
    settings, runtime = asterisk.settings, asterisk.runtime
    callers = _callers(settings.state, area, count)
    words = runtime.command(
        runtime.sipp,
        str(settings.sip),
        *("-sf", str(HERE / "scenarios" / "waiting.xml"), "-s", number),
        *("-i", "127.0.0.1", "-mi", "127.0.0.1", "-key", "ear", str(ear.port), "-inf", str(callers)),
        *("-m", str(count), "-l", str(count), "-r", str(rate), "-d", "1200000", "-nostdin"),
    )
    sipp = await asyncio.create_subprocess_exec(
        *words, cwd=settings.state, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(ear.wait, ear.packets, count, count / rate + 30)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(sipp.pid, signal.SIGKILL)
        await sipp.wait()
        await asterisk.cli("channel request hangup all")
        await asyncio.sleep(3)


@dataclass(kw_only=True)
class Passed:
    """Calls by SIPp's own count, which is complete once all of them are over."""

    made: int = 0
    failed: int = 0


@contextlib.asynccontextmanager
async def passing_callers(
    asterisk: AsteriskProcess, number: str, *, rate: float, stay_s: float, most: int
) -> AsyncIterator[Passed]:
    """SIPp's callers who choose support and hang up after so many seconds in its queue; `rate` of them come a second.

    They stop coming when the block ends, or after `most` calls. Each has its own number, 2000001 and so on.
    """
    settings, runtime = asterisk.settings, asterisk.runtime
    callers, counted = _callers(settings.state, PASSING_AREA, most), settings.state / "passed.csv"
    words = runtime.command(
        runtime.sipp,
        str(settings.sip),
        *("-sf", str(HERE / "scenarios" / "passing.xml"), "-s", number, "-inf", str(callers)),
        *("-i", "127.0.0.1", "-mi", "127.0.0.1", "-min_rtp_port", "10000", "-max_rtp_port", "28000"),
        *("-m", str(most), "-r", str(round(rate * 10)), "-rp", "10000", "-d", str(round(stay_s * 1000))),
        *("-trace_stat", "-stf", str(counted), "-fd", "1", "-nostdin"),
    )
    sipp = await asyncio.create_subprocess_exec(
        *words, cwd=settings.state, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    passed = Passed()
    try:
        yield passed
    finally:
        with contextlib.suppress(ProcessLookupError):
            # No more calls; it ends when those that are there are over.
            os.kill(sipp.pid, signal.SIGUSR1)
        try:
            async with asyncio.timeout(stay_s + 30):
                await sipp.wait()
        except TimeoutError:
            os.kill(sipp.pid, signal.SIGKILL)
            await sipp.wait()
        passed.made, passed.failed = sipp_statistics(counted)


def _callers(folder: Path, area: str, count: int) -> Path:
    """A file for SIPp's -inf: one caller's number a line."""
    file = folder / f"callers-{area}.csv"
    file.write_text("SEQUENTIAL\n" + "".join(f"{area}{2000001 + n}\n" for n in range(count)))
    return file


def sipp_statistics(file: Path) -> tuple[int, int]:
    """From what SIPp's -trace_stat wrote: calls that it made, and that failed."""
    if not file.exists():
        return 0, 0
    rows = list(csv.DictReader(file.read_text().splitlines(), delimiter=";"))
    if rows:
        return (int(rows[-1]["TotalCallCreated"]), int(rows[-1]["FailedCall(C)"]))
    return (0, 0)


async def until_up(settings: Settings) -> None:
    """Wait until conversations are taken. Raises RuntimeError after a minute."""
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection(settings.agi.host, settings.agi.port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise RuntimeError("the service does not come up")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table for the documentation."""
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)]


def cpu_s(pid: int | None) -> float:
    """Seconds of processor that a process has used, its threads included; 0 for none."""
    if pid is not None:
        return _cpu_of(_stat(pid))
    return 0.0


def family(pid: int, *others: int | None) -> list[list[str]]:
    """What the kernel tells of a process, of what it started, and of others: each stat's fields after the name."""
    found: list[list[str]] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            one, fields = int(folder.name), _stat(int(folder.name))
            if one in (pid, *others) or int(fields[1]) == pid:
                found.append(fields)
    return found


def family_cpu_s(of: list[list[str]]) -> float:
    """Seconds of processor of all of a family."""
    return sum(map(_cpu_of, of))


def family_memory_mb(of: list[list[str]]) -> float:
    """Resident memory of all of a family, in megabytes."""
    return sum(int(fields[21]) for fields in of) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_of(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
