"""Runs the service as a process that is watched, and takes callers out of one that died or froze.

Asterisk waits without end for a frozen service, and a caller in mid-prompt hears a dead one's prompt to
its end. So the service must give a sign of life several times a second; when none comes it is killed,
and the calls it was deciding are sent to the dialplan's own way to a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from ivr.asterisk.process import gone
from ivr.ticks import rest

log = structlog.get_logger()

#: The service writes one byte this often, in seconds.
BEAT_S = 0.5
#: It is looked at this often, in seconds.
_LOOK_S = 0.25
#: Silence for this long, in seconds, means frozen. With the kill and the redirect a caller waits under 5 s.
FROZEN_S = 3.0
#: Until its first sign of life a service may take this long, in seconds.
_START_S = 60.0
_STOP_S = 8.0
#: One whose supervisor was killed notices, and ends its conversations, within this, in seconds.
_LEFT_BEHIND_S = 15.0

Rescue = Callable[[], Awaitable[int]]


class Service:
    """The service process: started, watched, and started again when it ends without being told to."""

    def __init__(self, *, settings_file: Path, output: Path, rescue: Rescue) -> None:
        self._settings_file = settings_file
        self._output = output
        self._rescue = rescue
        self._process: asyncio.subprocess.Process | None = None
        self._next: _Next | None = None
        self._beats = _Beats()
        self._stopping = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        if self._process is not None and self._process.returncode is None:
            return self._process.pid
        return None

    async def watch(self) -> None:
        """Run the service until `stop`; restarts it, at most once a second after the first time."""
        while True:
            started = time.monotonic()
            self._process = await self._start()
            reason = await self._until_dead_or_frozen(self._process)
            if self._stopping:
                return
            if self._next is not None and self._next.asked:
                log.info("service replaced")
                continue
            self.restarts += 1
            log.error("service exited; restarting", event_id="OV2105", reason=reason, restarts=self.restarts)
            with contextlib.suppress(Exception):
                # Whatever keeps the rescue from working must not keep the service from coming back.
                moved = await asyncio.wait_for(self._rescue(), 4)
                log.warning("callers of the dead service sent to a person", callers=moved)
            await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - started)))

    async def replace(self) -> None:
        """Have a new process take over: it is loaded first, and waits until the old one has ended its conversations.

        Returns once the old one has been told to end. Meanwhile the dialplan takes who calls.
        """
        if self._next is None:
            self._next = await self._prepare_next()
        self._next.asked = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await _end(self._process)

    async def _prepare_next(self) -> _Next:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        beats_read, beats_write = os.pipe()
        with theirs:
            process = await self._spawn(beats_write, "--waits-fd", str(theirs.fileno()), pass_fds=(theirs.fileno(),))
        os.close(beats_write)
        try:
            async with asyncio.timeout(_START_S):
                await asyncio.get_running_loop().sock_recv(ours, 1)
        except TimeoutError:
            # It is told to go on all the same, and watched from then on as any other.
            log.error("new service slow to load")
        return _Next(process=process, line=ours, beats=beats_read)

    async def _start(self) -> asyncio.subprocess.Process:
        if (waiting := self._next) is not None:
            self._next = None
            with contextlib.suppress(OSError), waiting.line:
                waiting.line.send(b"!")
            await self._beats.follow(waiting.beats)
            return waiting.process
        read_end, write_end = os.pipe()
        process = await self._spawn(write_end)
        os.close(write_end)
        await self._beats.follow(read_end)
        return process

    async def _spawn(self, beats: int, *words: str, pass_fds: tuple[int, ...] = ()) -> asyncio.subprocess.Process:
        with _appending(self._output) as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ivr",
                "serve",
                str(self._settings_file),
                "--heartbeat-fd",
                str(beats),
                *words,
                pass_fds=(beats, *pass_fds),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        with contextlib.suppress(OSError):
            pid_file(self._settings_file).write_text(str(process.pid))
        return process

    async def _until_dead_or_frozen(self, process: asyncio.subprocess.Process) -> str:
        dead = asyncio.create_task(process.wait())
        try:
            while not dead.done():
                await asyncio.wait({dead}, timeout=_LOOK_S)
                if not dead.done() and not self._stopping and self._beats.silent_for() > self._beats.allowed():
                    log.error(
                        "service frozen; killing it", event_id="OV2107", silent_s=round(self._beats.silent_for(), 1)
                    )
                    process.kill()
                    await dead
                    return "frozen"
        finally:
            self._beats.close()
        return f"exit code {dead.result()}"

    async def stop(self) -> None:
        """Ask it to finish its calls, and end it after a deadline."""
        self._stopping = True
        if self._next is not None:
            # It ends when nobody is there any more to tell it to begin.
            self._next.line.close()
            self._next = None
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await _end(self._process)


@dataclass(kw_only=True)
class _Next:
    """A process that has loaded everything and waits to be the service."""

    process: asyncio.subprocess.Process
    #: Written to when it is to begin; and where its signs of life are read from then on.
    line: socket.socket
    beats: int
    #: The running one was told to end for it.
    asked: bool = False


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for one that was told to end, and end it after a deadline."""
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        log.error("service did not stop in time; killing it")
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def pid_file(settings_file: Path) -> Path:
    """Return where the service's process is noted, so that one whose supervisor was killed can be waited for."""
    return settings_file.with_name("service.pid")


async def until_gone(settings_file: Path) -> bool:
    """Wait for the service of a supervisor that was killed, which ends by itself; whether there was one."""
    if (pid := _left_behind(settings_file)) is None:
        return False
    try:
        await asyncio.wait_for(gone(pid), _LEFT_BEHIND_S)
    except TimeoutError:
        log.error("orphaned service does not exit; killing it", pid=pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await gone(pid)
    return True


def _left_behind(settings_file: Path) -> int | None:
    try:
        pid = int(pid_file(settings_file).read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    if str(settings_file).encode() in words:
        return pid
    return None


def _appending(path: Path) -> BinaryIO:
    """The log to append to; a disk that takes not even a file does not keep the service from starting."""
    try:
        return path.open("ab")
    except OSError as error:
        log.error("service log cannot be opened; running without it", event_id="OV2106", error=error.strerror)
        return Path(os.devnull).open("ab")


class _Beats:
    """Signs of life on a pipe."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._any = False
        self._transport: asyncio.ReadTransport | None = None

    async def follow(self, read_end: int) -> None:
        self._last = time.monotonic()
        self._any = False
        loop = asyncio.get_running_loop()
        beats = self

        class Reader(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                beats._last = time.monotonic()
                beats._any = True

        transport, _ = await loop.connect_read_pipe(Reader, os.fdopen(read_end, "rb", 0))
        self._transport = transport

    def silent_for(self) -> float:
        return time.monotonic() - self._last

    def allowed(self) -> float:
        if self._any:
            return FROZEN_S
        return _START_S

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


async def beat(write_end: int, supervisor_gone: asyncio.Event) -> None:
    """The service's side: a sign of life until the supervisor is gone."""
    os.set_blocking(write_end, False)
    while True:
        try:
            os.write(write_end, b".")
        except BlockingIOError:
            pass  # a busy supervisor has plenty to read
        except OSError:
            supervisor_gone.set()
            return
        await rest(BEAT_S)
