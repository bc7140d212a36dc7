"""The supervisor: a small process that watches Asterisk and the service, and does as it is told.

`python -m ivr.process.supervisor SETTINGS`: `./omnivigil up` becomes this once everything is prepared. It imports
neither the database nor the API nor the sounds; what needs them is done by processes that end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import termios
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import structlog

from ivr import VERSION, backoff, logs
from ivr.asterisk import process, rescue, runtime
from ivr.asterisk.contract import Variable
from ivr.asterisk.folders import Folders
from ivr.asterisk.watchdog import AsteriskKeeper
from ivr.errors import BadInput, OmnivigilError
from ivr.host.fsync import keep_synced
from ivr.process import control, systemd
from ivr.process.control import Say
from ivr.process.service_process import Service, until_gone
from ivr.settings import Settings

log = structlog.get_logger()

#: Until a line that was just started takes calls, it is looked at this often; then not any more. Seconds.
_LOOK_S = 0.1
#: A restart has so long until calls are taken again, in seconds.
_HEALTHY_S = 60.0
#: Whoever stands beside the line may take so long to end, in seconds.
_BESIDE_S = 20.0
#: systemd is told that we live this often, in seconds, or as often as it wants.
_ALIVE_S = 5.0
#: A drain without a word about it ends calls after so long, in seconds.
DRAIN_S = 600.0


class NotHealthy(OmnivigilError):
    """Calls are not taken again yet."""


class NotPrepared(OmnivigilError):
    """What the line runs on could not be prepared again; it goes on as it was."""


class Supervisor:
    """One line: its Asterisk, its service, or both."""

    def __init__(
        self,
        settings_file: Path,
        *,
        asterisk: bool,
        service: bool,
        teller: tuple[int, int] | None = None,
        ends_with_teller: bool = False,
        prepared: bool = True,
    ) -> None:
        self.settings = Settings.read(settings_file)
        self._settings_file = settings_file
        self._teller = teller
        self._ends_with_teller = ends_with_teller
        self._prepared = prepared
        self._runtime = runtime.find(runtime.folders(self.settings.state))
        self._stop = asyncio.Event()
        self._ending = asyncio.Lock()
        self._again = False
        self._code = 0
        self.asterisk = AsteriskKeeper(self.settings, self._runtime) if asterisk else None
        self.service = (
            Service(
                settings_file=settings_file,
                output=self.settings.state / "log" / "service.log",
                rescue=self._rescue,
            )
            if service
            else None
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """Until told to stop; the exit code."""
        self._listen_to_signals()
        watchers = []
        if self.asterisk is not None:
            folders = Folders.below(self.settings)
            watchers += [self._start(self.asterisk.run(), "Asterisk")]
            for folder in (folders.traces, folders.messages):
                self._start(keep_synced(folder), f"syncing {folder.name}")
        if self.service is not None:
            await until_gone(self._settings_file)
            watchers += [self._start(self.service.watch(), "the service")]
            if not self._prepared:
                self._start(self._prepare_later(), "preparing")
        server = await self._open_control()
        self._start(self._tell_alive(), "systemd")
        if self._teller is not None:
            self._start(self._tell_healthy(*self._teller), "telling")
        systemd.tell("READY=1")
        stopped = self._start(self._stop.wait(), "stop")
        try:
            done, _ = await asyncio.wait({stopped, *watchers}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                # Whoever started us does so again, and finds Asterisk with its calls.
                log.error(
                    "supervisor part failed; exiting",
                    event_id="OV2102",
                    part=task.get_name(),
                    error=repr(task.exception()),
                )
                return 1
            systemd.tell("STOPPING=1")
            await self._end()
        finally:
            if server is not None:
                server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=2)
        if self._again:
            self._become_anew()
        return self._code

    def _start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        return task

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup, os.isatty(0))
        loop.add_signal_handler(signal.SIGUSR1, self._drain_by_signal)

    def _on_hangup(self, had_terminal: bool) -> None:
        """A terminal that is closed ends the line; else the signal means what it means to any daemon."""
        if had_terminal and _is_closed(0):
            self._stop.set()
        else:
            self._start(self._logged(self._reload()), "reload by signal")

    async def _reload(self) -> None:
        async for told in control.ask(self.settings.state, "reload", of=control.SERVICE):
            log.info("desk files", progress=told)

    def _drain_by_signal(self) -> None:
        self._start(self._logged(self._obey(["drain"], _log_progress)), "drain by signal")

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OmnivigilError as error:
            log.error("request refused", reason=str(error))

    async def _open_control(self) -> asyncio.Server | None:
        try:
            # Of two units on one folder, the service's takes requests.
            return await control.listen(self.settings.state, self._obey) if self.service is not None else None
        except OSError as error:
            log.error(
                "control socket unavailable; restart and drain work by signal", event_id="OV2103", error=error.strerror
            )
            return None

    # ---- What it is told to do ------------------------------------------------------------------------------------

    async def _obey(self, words: list[str], say: Say) -> None:
        """Carry out `status`, `stop`, `restart`, `restart all`, `drain` or `drain SECONDS`."""
        match words:
            case ["status"]:
                say(json.dumps(self._facts()))
            case ["stop"]:
                say("The line ends now.")
                self._stop.set()
                await asyncio.Event().wait()
            case ["restart"]:
                async with self._one_at_a_time():
                    await self._restart(say)
            case ["restart", "all"]:
                async with self._one_at_a_time():
                    await self._prepare(say)
                    say("The supervisor begins anew; Asterisk goes on.")
                    self._again = True
                    self._stop.set()
            case ["drain", *rest] if len(rest) <= 1 and all(text.isdigit() for text in rest):
                async with self._one_at_a_time():
                    await self._drain(float(rest[0]) if rest else DRAIN_S, say)
                    # Whoever asked sees the end by the end of the connection.
                    await asyncio.Event().wait()
            case _:
                raise BadInput(
                    field="request", problem=" ".join(words)[:80], mend="ask for status, stop, restart or drain"
                )

    @contextlib.asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        if self._ending.locked():
            raise control.Refused(reason="a restart or a drain is under way already")
        async with self._ending:
            yield

    async def _restart(self, say: Say) -> None:
        """New configuration, code and tables, with the calls that there are. Raises NotPrepared, NotHealthy."""
        await self._prepare(say)
        assert self.service is not None  # noqa: S101 - requests are taken where it is
        say("A new service is loaded; the running one ends its conversations.")
        await self.service.replace()
        began = time.monotonic()
        while not await self._healthy():
            if time.monotonic() - began > _HEALTHY_S:
                raise NotHealthy(log=str(self.settings.state / "log" / "service.log"))
            await asyncio.sleep(_LOOK_S)
        say("Calls are taken by the new service.")

    async def _prepare(self, say: Say) -> None:
        say("Desks, database and Asterisk's configuration are prepared.")
        preparing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ivr", "prepare", str(self._settings_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        _, told = await preparing.communicate()
        if preparing.returncode != 0:
            lines = told.decode(errors="replace").strip().splitlines()
            raise NotPrepared(reason=lines[-1].removeprefix("omnivigil: ") if lines else "no reason was given")
        self._prepared = True
        running = process.find(self._runtime, self.settings)
        if running is None:
            return
        if not process.is_as_rendered(self._runtime, self.settings):
            say("Modules or addresses of Asterisk changed: that part waits until it is started again without calls.")
            log.warning("Asterisk restart needed: modules or addresses changed", event_id="OV1508")
        await running.reload()

    async def _prepare_later(self) -> None:
        """Until what could not be prepared at the start is: the database was away, or the disk full."""
        tried = 0
        while not self._prepared:
            tried += 1
            await asyncio.sleep(max(2.0, backoff.wait_s(tried + 2)))
            try:
                async with self._one_at_a_time():
                    await self._restart(_log_progress)
            except OmnivigilError as error:
                log.warning("running on the previous preparation", event_id="OV1804", tried=tried, reason=str(error))

    async def _drain(self, within_s: float, say: Say) -> None:
        """Refuse new calls, wait until those that there are are over or the time is, and end."""
        running = process.find(self._runtime, self.settings)
        deadline = time.monotonic() + within_s
        if running is not None:
            await running.cli(f"dialplan set global {Variable.DRAINING} 1")
            told = -1
            while (legs := await running.calls()) and time.monotonic() < deadline and not self._stop.is_set():
                if legs != told:
                    say(f"{legs} legs of calls go on.")
                told = legs
                await asyncio.sleep(1)
            say(f"The time is over: {legs} legs of calls end now." if legs else "No call goes on.")
        self._stop.set()

    # ---- How it goes ------------------------------------------------------------------------------------------------

    async def _tell_alive(self) -> None:
        every_s = min(_ALIVE_S, (systemd.watchdog_s() or 2 * _ALIVE_S) / 2)
        while True:
            systemd.tell(f"WATCHDOG=1\nSTATUS={self._status()}")
            await asyncio.sleep(every_s)

    def _status(self) -> str:
        told = [f"Asterisk {self.asterisk.state}"] if self.asterisk is not None else []
        if self.service is not None:
            told.append(f"service started again {self.service.restarts} times")
        return "; ".join(told).replace("\n", " ")

    def _facts(self) -> dict[str, Any]:
        """What `control.facts` gives to who asks; `since` in seconds since 1970."""
        return {
            "pid": os.getpid(),
            "since": control.held_since(self.settings.state),
            "version": VERSION,
            "service": self.service.pid if self.service is not None else None,
            "restarts": self.service.restarts if self.service is not None else 0,
            "asterisk": self.asterisk.state if self.asterisk is not None else None,
            "prepared": self._prepared,
            "started_again_by": "systemd" if os.environ.get("NOTIFY_SOCKET") else None,
        }

    async def _tell_healthy(self, teller: int, pid: int) -> None:
        """Have the process that prepared the line tell about it, once calls are taken."""
        began = time.monotonic()
        told = False
        while not await self._healthy():
            if not told and time.monotonic() - began > _HEALTHY_S:
                told = True
                state = self.asterisk.state if self.asterisk is not None else "not ours"
                log.error("line not open yet", event_id="OV2104", asterisk=state, log=str(self.settings.state / "log"))
            await asyncio.sleep(_LOOK_S)
        with contextlib.suppress(OSError):
            os.write(teller, b"!")
        await process.gone(pid)
        code = process.reap(pid)
        self._teller = None
        if self._ends_with_teller:
            self._code = code or 0
            self._stop.set()

    async def _healthy(self) -> bool:
        address = self.settings.http
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(address.host, address.port)
                try:
                    writer.write(f"GET /healthz HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _rescue(self) -> int:
        secrets = json.loads((self.settings.state / "secrets.json").read_text())
        return await rescue.rescue(self.settings.ami, secrets["ami_supervisor"])

    # ---- The end ----------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        if self._again or self.asterisk is None:
            _print("\nThe service ends; Asterisk goes on.")
        else:
            _print("\nStopping: no new calls; the service, then Asterisk.")
        if self._teller is not None:
            await self._end_teller(*self._teller)
        if self.service is not None:
            await self.service.stop()
        if self.asterisk is not None:
            if self._again:
                self.asterisk.leave()
            else:
                await self.asterisk.stop()
        if not self._again:
            _print("Stopped.")

    async def _end_teller(self, teller: int, pid: int) -> None:
        with contextlib.suppress(OSError):
            os.close(teller)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.gone(pid), _BESIDE_S)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _become_anew(self) -> None:
        words = words_for(self._settings_file, asterisk=self.asterisk is not None)
        os.execv(sys.executable, words)  # noqa: S606 - the same program, of the code that is there now


def _is_closed(terminal: int) -> bool:
    try:
        termios.tcgetattr(terminal)
    except termios.error:
        return True
    return False


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the terminal that `up` was started from


def _log_progress(text: str) -> None:
    log.info("restart or drain in progress", progress=text)


def words_for(
    settings_file: Path,
    *,
    asterisk: bool = True,
    service: bool = True,
    prepared: bool = True,
    teller: tuple[int, int] | None = None,
    ends_with_teller: bool = False,
) -> list[str]:
    """The words of the command that this module is."""
    words = [sys.executable, "-m", "ivr.process.supervisor", str(settings_file)]
    words += [] if asterisk else ["--without-asterisk"]
    words += [] if service else ["--without-service"]
    words += [] if prepared else ["--unprepared"]
    words += ["--teller", *map(str, teller)] if teller is not None else []
    words += ["--ends-with-teller"] if ends_with_teller else []
    return words


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="supervisor", description=__doc__)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--teller", type=int, nargs=2, metavar=("FD", "PID"))
    parser.add_argument("--ends-with-teller", action="store_true")
    parser.add_argument("--unprepared", action="store_true")
    parser.add_argument("--without-asterisk", action="store_true")
    parser.add_argument("--without-service", action="store_true")
    given = parser.parse_args()
    os.umask(0o077)
    logs.outlive_full_disk(human=True)
    logs.configure(human=True)

    async def run() -> int:
        return await Supervisor(
            given.settings,
            asterisk=not given.without_asterisk,
            service=not given.without_service,
            teller=tuple(given.teller) if given.teller else None,
            ends_with_teller=given.ends_with_teller,
            prepared=not given.unprepared,
        ).run()

    raise SystemExit(asyncio.run(run()))


if __name__ == "__main__":
    main()
