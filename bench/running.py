"""What several benchmarks run and count: the service, callers who wait, the kernel's count of processor time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from bench.ear import Ear
from ivr.asterisk.process import AsteriskProcess
from ivr.settings import Settings
from ivr.supervisor import Service

HERE = Path(__file__).parent


@contextlib.asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """The line's service under its supervisor, which rescues nobody: a benchmark's callers are its own."""
    settings_file = settings.state / "run" / "settings.json"
    settings.write(settings_file)

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
    callers = settings.state / f"callers-{area}.csv"
    callers.write_text("SEQUENTIAL\n" + "".join(f"{area}{2000001 + n}\n" for n in range(count)))
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


def cpu_s(pid: int | None) -> float:
    """Seconds of processor that a process has used, its threads included; 0 for none."""
    return _cpu_of(_stat(pid)) if pid is not None else 0.0


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
