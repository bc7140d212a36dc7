"""Starts, asks and stops the Asterisk of one state folder."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk import guard
from ivr.asterisk.config import Folders
from ivr.asterisk.runtime import Runtime
from ivr.errors import OmnivigilError
from ivr.settings import Settings

_START_S = 20.0
_STOP_S = 5.0


class AsteriskFailed(OmnivigilError):
    """Asterisk did not start."""


@dataclass(frozen=True, kw_only=True)
class AsteriskProcess:
    """A running Asterisk; `process` ends when it does."""

    runtime: Runtime
    settings: Settings
    process: asyncio.subprocess.Process

    async def cli(self, command: str) -> str:
        """What Asterisk's command line answers to `command`."""
        return await cli(self.runtime, self.settings, command)

    async def stop(self) -> None:
        """End it: by its own command, and by signal when that takes too long."""
        if self.process.returncode is not None:
            return
        await self.cli("core stop now")
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def _configuration(settings: Settings) -> Path:
    return Folders.below(settings).etc / "asterisk.conf"


async def cli(runtime: Runtime, settings: Settings, command: str) -> str:
    """What the command line of the Asterisk on this state folder answers; "" when none runs."""
    words = runtime.command(runtime.asterisk, "-C", str(_configuration(settings)), "-rx", command)
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 10)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return out.decode(errors="replace") if process.returncode == 0 else ""


async def start(runtime: Runtime, settings: Settings) -> AsteriskProcess:
    """Start Asterisk and wait until it takes calls. Raises AsteriskFailed with the last lines of its log."""
    folders = Folders.below(settings)
    output = folders.log / "console"
    options = ("-C", str(_configuration(settings)), "-f", "-n")
    if (library := await asyncio.to_thread(guard.build, folders.run)) is None:
        words = runtime.command(runtime.asterisk, *options)
    else:
        words = runtime.command_with(library, runtime.asterisk, *options)
    with output.open("wb") as console:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folders.run,
            stdout=console,
            stderr=console,
            stdin=asyncio.subprocess.DEVNULL,
            # A Ctrl-C at the terminal is for the supervisor, which stops things in order.
            start_new_session=True,
        )
    asterisk = AsteriskProcess(runtime=runtime, settings=settings, process=process)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.returncode is None:
        if "fully booted" in await asterisk.cli("core waitfullybooted"):
            guard.look_at(process.pid)
            return asterisk
        await asyncio.sleep(0.1)
    await asterisk.stop()
    raise AsteriskFailed(log=str(folders.log / "messages"), last=_tail(folders.log / "messages", output))


async def end_stale(runtime: Runtime, settings: Settings) -> None:
    """End the Asterisk that a killed supervisor left on this state folder: its calls have nobody to decide for them."""
    pid_file = Folders.below(settings).run / "asterisk.pid"
    if not pid_file.exists():
        return
    await cli(runtime, settings, "core stop now")
    for _ in range(50):
        pid = _running_here(pid_file, settings)
        if pid is None:
            return
        await asyncio.sleep(0.1)
    if (pid := _running_here(pid_file, settings)) is not None:
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.2)


def _running_here(pid_file: Path, settings: Settings) -> int | None:
    """The pid in the file, if a process of that number really is this state folder's Asterisk."""
    try:
        pid = int(pid_file.read_text())
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(_configuration(settings)).encode() in line else None


def _tail(*files: Path) -> str:
    lines = [line for file in files if file.exists() for line in file.read_text(errors="replace").splitlines()]
    return " | ".join(lines[-6:])
