"""Keeps one Asterisk running: found where it runs, started where it does not, for ever, and killed when frozen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import structlog

from ivr import backoff
from ivr.asterisk import options_ping, process
from ivr.asterisk.options_ping import Answer
from ivr.asterisk.process import AsteriskFailed, AsteriskProcess
from ivr.asterisk.runtime import Runtime
from ivr.asterisk.silence import Silence
from ivr.host.ports import taken
from ivr.settings import Address, Settings

log = structlog.get_logger()

#: Its state while it takes calls.
RUNNING = "running"
#: One that answers is asked this often, in seconds; one that does not is asked again at once.
_LOOK_S = 1.0
#: A response has so long to come, in seconds.
_ANSWER_S = 1.0
#: One that ran for so long, in seconds, had no trouble with its start.
_STEADY_S = 60.0


class AsteriskKeeper:
    """The Asterisk of one state folder."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._settings, self._runtime = settings, runtime
        self._stopping = False
        self._failures = 0
        self._running: AsteriskProcess | None = None
        self.restarts = 0
        #: How it is, for people: `running`, `starting`, or why it does not run.
        self.state = "starting"

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping:
            began = time.monotonic()
            self._running = asterisk = await self._found_or_started()
            self._tell(RUNNING)
            reason = await self._until_over(asterisk)
            if self._over():
                return
            if time.monotonic() - began >= _STEADY_S:
                self._failures = 1
            else:
                self._failures = self._failures + 1
            self.restarts += 1
            log.error("Asterisk exited; restarting", event_id="OV1505", reason=reason, restarts=self.restarts)
            self._tell(f"ended: {reason}")
            await asyncio.sleep(backoff.wait_s(self._failures))

    async def _found_or_started(self) -> AsteriskProcess:
        if (found := process.find(self._runtime, self._settings)) is not None:
            log.warning("running Asterisk taken over", pid=found.pid)
            return found
        while True:
            try:
                if (problem := taken(self._settings.sip, socket.SOCK_DGRAM)) is not None:
                    # It would come up without it, and say nothing.
                    raise AsteriskFailed(sip=str(self._settings.sip), problem=problem)
                return await process.start(self._runtime, self._settings)
            except (AsteriskFailed, OSError) as error:
                self._failures += 1
                wait_s = backoff.wait_s(self._failures)
                log.error(
                    "Asterisk cannot start",
                    event_id="OV1506",
                    tried=self._failures,
                    next_try_s=wait_s,
                    reason=_said(error),
                )
                self._tell(f"cannot start: {_said(error)}")
                await asyncio.sleep(wait_s)

    async def _until_over(self, asterisk: AsteriskProcess) -> str:
        """Until it has ended, of its own accord or killed for its silence: why."""
        ended = asyncio.create_task(asterisk.wait())
        silence = Silence()
        last = time.monotonic()
        try:
            while not ended.done():
                answer = await options_ping.ask(self._settings.sip, _ANSWER_S)
                silence.looked(answer, time.monotonic() - last)
                last = time.monotonic()
                if silence.doubtful and not self._stopping:
                    well = await _manager_answers(self._settings.ami)
                    if (reason := silence.verdict(manager_answers=well)) is not None and not ended.done():
                        log.error(
                            "Asterisk unresponsive; killing it",
                            event_id="OV1507",
                            reason=reason,
                            silent_s=round(silence.seconds, 1),
                        )
                        asterisk.kill()
                        await ended
                        return reason
                # Whoever is refused at once is not asked again at once.
                rest_s = _LOOK_S if answer is not Answer.NO else 0.0
                await asyncio.wait({ended}, timeout=rest_s)
            return f"exit code {ended.result()}"
        finally:
            ended.cancel()

    def _over(self) -> bool:
        return self._stopping

    async def stop(self) -> None:
        """End it: no new calls, and those that there are end."""
        self._stopping = True
        if self._running is not None:
            await self._running.stop()

    def leave(self) -> None:
        """Watch it no longer: it goes on with its calls, for the next supervisor to find."""
        self._stopping = True

    def _tell(self, state: str) -> None:
        self.state = state
        path = _note(self._settings)
        partial = path.with_suffix(".partial")
        with contextlib.suppress(OSError):
            partial.write_text(state)
            partial.replace(path)


def noted(settings: Settings) -> str:
    """Return how an Asterisk is that its keeper has no success with, as the keeper noted it for others.

    "" while it runs.
    """
    try:
        state = _note(settings).read_text()
    except (OSError, UnicodeDecodeError):
        return ""
    if state == RUNNING:
        return ""
    return state[:500]


def _note(settings: Settings) -> Path:
    return settings.state / "run" / "asterisk.state"


async def _manager_answers(ami: Address) -> bool:
    """Return whether the manager greets whoever connects.

    A frozen one's kernel takes the connection, and that is all.
    """
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(ami.host, ami.port)
            try:
                return bool(await reader.read(1))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.filename:
            return f"{error.strerror}: {Path(error.filename).name}"
        return str(error.strerror)
    return str(error)
