"""Starts, finds, asks and stops the Asterisk of one state folder."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ivr.asterisk import guard
from ivr.asterisk.config import note_unread
from ivr.asterisk.contract import Variable
from ivr.asterisk.folders import Folders
from ivr.asterisk.runtime import Runtime
from ivr.errors import OmnivigilError
from ivr.settings import Settings

#: A slow disk, or one with much to do after a power cut, makes for slow starts. Seconds.
_START_S = 60.0
_STOP_S = 5.0
#: What is read at the start only; the rest is read again by `reload`.
_AT_START = ("asterisk.conf", "modules.conf", "stasis.conf")


class AsteriskFailed(OmnivigilError):
    """Asterisk did not start."""


class AsteriskProcess:
    """A running Asterisk, started by us or found."""

    def __init__(
        self, *, runtime: Runtime, settings: Settings, pid: int, ours: asyncio.subprocess.Process | None = None
    ) -> None:
        self.runtime, self.settings, self.pid = runtime, settings, pid
        self._ours = ours

    async def cli(self, command: str) -> str:
        """Return what Asterisk's command line answers to `command`."""
        return await cli(self.runtime, self.settings, command)

    async def wait(self) -> int | None:
        """Until it has ended: its exit code, or None for one that somebody else started."""
        if self._ours is not None:
            return await self._ours.wait()
        await gone(self.pid)
        # One that we started before we became another program is our child all the same.
        return reap(self.pid)

    def kill(self) -> None:
        """End it at once, whatever it does; its calls end with it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End it: by its own command, and by signal when that takes too long."""
        ending = asyncio.create_task(self.wait())
        await asyncio.sleep(0)
        if not ending.done():
            await self.cli("core stop now")
        try:
            await asyncio.wait_for(asyncio.shield(ending), _STOP_S)
        except TimeoutError:
            self.kill()
            await ending

    async def reload(self) -> None:
        """Read the configuration again; calls go on. A drain whose supervisor is gone is over with it."""
        with contextlib.suppress(OSError):
            note_unread(Folders.below(self.settings).etc, ())
        await self.cli("core reload")
        await self.cli(f"dialplan set global {Variable.DRAINING} 0")

    async def calls(self) -> int:
        """Return how many legs there are of phones and trunks; places held for callbacks are none."""
        return sum(line.startswith("PJSIP/") for line in (await self.cli("core show channels concise")).splitlines())


def _configuration(settings: Settings) -> Path:
    return Folders.below(settings).etc / "asterisk.conf"


async def cli(runtime: Runtime, settings: Settings, command: str, *, timeout_s: float = 10.0) -> str:
    """Return what the command line of the Asterisk on this state folder answers; "" when none runs, or not in time."""
    words = runtime.command(runtime.asterisk, "-C", str(_configuration(settings)), "-rx", command)
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        out, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    if process.returncode == 0:
        return out.decode(errors="replace")
    return ""


async def start(runtime: Runtime, settings: Settings) -> AsteriskProcess:
    """Start Asterisk and wait until it takes calls. Raises AsteriskFailed with its log's last lines, and OSError."""
    folders = Folders.below(settings)
    if not _configuration(settings).is_file():
        # It would begin with what it has built in, and with the machine's own folders.
        raise AsteriskFailed(problem="its configuration is not there")
    output = folders.log / "console"
    options = ("-C", str(_configuration(settings)), "-f", "-n")
    library = await asyncio.to_thread(guard.build, folders.run, rtp_from_anywhere=settings.rtp_from_anywhere)
    if library is None:
        words = runtime.command(runtime.asterisk, *options)
    else:
        words = runtime.command_with(library, runtime.asterisk, *options)
    with _opened(output) as console:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folders.run,
            stdout=console,
            stderr=console,
            stdin=asyncio.subprocess.DEVNULL,
            # A Ctrl-C at the terminal is for the supervisor, which stops things in order.
            start_new_session=True,
        )
    asterisk = AsteriskProcess(runtime=runtime, settings=settings, pid=process.pid, ours=process)
    with contextlib.suppress(OSError):
        note_unread(folders.etc, ())
        _started(settings).write_text(_read_at_start(runtime, settings))
    deadline = time.monotonic() + _START_S
    try:
        while time.monotonic() < deadline and process.returncode is None:
            if "fully booted" in await asterisk.cli("core waitfullybooted"):
                guard.look_at(process.pid)
                return asterisk
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await asterisk.stop()
        raise
    await asterisk.stop()
    raise AsteriskFailed(log=str(folders.log / "messages"), last=_tail(folders.log / "messages", output))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[Any] | int]:
    """Where it writes what it says before it has its own log; nowhere, when the disk takes nothing."""
    try:
        file = path.open("wb")
    except OSError:
        yield asyncio.subprocess.DEVNULL
        return
    with file:
        yield file


def find(runtime: Runtime, settings: Settings) -> AsteriskProcess | None:
    """The Asterisk that runs on this state folder, whoever started it."""
    pid = _running_here(settings)
    if pid is not None:
        return AsteriskProcess(runtime=runtime, settings=settings, pid=pid)
    return None


def is_as_rendered(runtime: Runtime, settings: Settings) -> bool:
    """Whether a running one was started with what is on the disk now, as far as that is read at the start only."""
    try:
        return _started(settings).read_text() == _read_at_start(runtime, settings)
    except OSError:
        return False


async def end_stale(runtime: Runtime, settings: Settings) -> bool:
    """End the Asterisk on this state folder, and wait until it has given its ports back; whether there was one."""
    found = find(runtime, settings)
    if found is not None:
        await found.stop()
        return True
    if (pid := _pid_of(settings)) is None or not _dying(pid):
        return False
    # It gave its memory back, and its name with it; its sockets come last.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(pid), _STOP_S)
    return True


def _started(settings: Settings) -> Path:
    return Folders.below(settings).run / "asterisk.started"


def _read_at_start(runtime: Runtime, settings: Settings) -> str:
    """One text for all that a running Asterisk does not take up any more. Raises OSError."""
    etc = Folders.below(settings).etc
    known = [str(runtime.asterisk), str(runtime.version), str(settings.sip), str(settings.ami), guard.source()]
    known.append(str(settings.rtp_from_anywhere))
    known += [(etc / name).read_text() for name in _AT_START if (etc / name).exists()]
    return hashlib.sha256("\0".join(known).encode()).hexdigest()


def _running_here(settings: Settings) -> int | None:
    """The pid in the file, if a process of that number is this state folder's Asterisk."""
    if (pid := _pid_of(settings)) is None:
        return None
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if str(_configuration(settings)).encode() in words:
        return pid
    return None


def _pid_of(settings: Settings) -> int | None:
    try:
        return int((Folders.below(settings).run / "asterisk.pid").read_text())
    except (OSError, ValueError):
        return None


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _dying(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except OSError:
        return False


def reap(pid: int) -> int | None:
    """The exit code of one that is gone, if it was our child."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, os.WNOHANG)[1])
    except ChildProcessError:
        return None


async def gone(pid: int) -> None:
    """Until a process has ended, whoever's child it is. A dying one has its ports until then."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        # A kernel before 5.3.
        while _exists(pid):  # noqa: ASYNC110 - there is nothing that would tell us
            await asyncio.sleep(0.1)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _tail(*files: Path) -> str:
    lines = [line for file in files if file.exists() for line in file.read_text(errors="replace").splitlines()]
    return " | ".join(lines[-6:])
