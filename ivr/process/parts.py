"""The service's parts: what runs beside the calls, and what the end of each means.

A *vital* part's end ends the service: without it there is nothing to go on with. Every other part that ends, by
whatever exception, is started again after a pause that grows with each failure: no descriptor, no thread, no room on
the disk or one bad row is worth the conversations of everybody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger()

#: Makes the work of a part; called again for each start.
Start = Callable[[], Coroutine[Any, Any, Any]]

#: Seconds before a part is started again: at first, and at most.
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
#: A part that has run for so long, in seconds, is well again.
_WELL_S = 60.0
#: A part's failures are told at most once in so many seconds.
_TOLD_S = 60.0


def pause_after(failures: int) -> float:
    """Seconds before the next start, after so many failures one soon after the other (1 is the first)."""
    # Bounded before it is a power: a part may fail for weeks.
    return min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE_S)


class PartEnded(RuntimeError):
    """A vital part has ended."""


@dataclass(kw_only=True)
class _Part:
    """One part that is started again: how it has been lately."""

    failures: int = 0
    #: What it ended by, for whoever may not read more; and since when it runs, by the monotonic clock.
    reason: str = ""
    started_at: float = 0.0
    #: Failures that no line has told, and when the next line may.
    untold: int = 0
    tell_at: float = 0.0
    #: The kind of failure whose traceback is in the log.
    traced: str = ""


class Parts:
    """All of them. `restarted` is told the name of each part that is started again."""

    def __init__(
        self,
        restarted: Callable[[str], None] = lambda part: None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._restarted, self._monotonic, self._sleep = restarted, monotonic, sleep
        self._starts: dict[str, Start] = {}
        self._vital: set[str] = set()
        self._parts: dict[str, _Part] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._ending = False

    def vital(self, name: str, start: Start) -> None:
        """A part whose end ends the service."""
        self._vital.add(name)
        self._starts[name] = start

    def add(self, name: str, start: Start) -> None:
        """A part that is started again whenever it ends."""
        self._starts[name] = start
        self._parts[name] = _Part()

    @property
    def failing(self) -> Mapping[str, str]:
        """The parts that failed within the last minute or do not run now, each with the kind of its exception.

        The public may read it: what an exception says may be about a person.
        """
        now = self._monotonic()
        return {
            name: part.reason
            for name, part in self._parts.items()
            if part.failures and not (part.started_at and now - part.started_at >= _WELL_S)
        }

    async def run(self) -> str:
        """Run all until a vital part ends; its name. Raises PartEnded from what it raised, when it did."""
        for name, start in self._starts.items():
            if name in self._vital:
                work = self._once(name, start)
            else:
                work = self._again_and_again(name, start)
            self._tasks[name] = asyncio.create_task(work, name=name)
        vital = {self._tasks[name] for name in self._vital}
        done, _ = await asyncio.wait(vital, return_when=asyncio.FIRST_COMPLETED)
        ended = min(done, key=lambda task: task.get_name())
        if not ended.cancelled() and (error := ended.exception()) is not None:
            raise PartEnded(f"{ended.get_name()} ended") from error
        return ended.get_name()

    def end(self) -> None:
        """What the parts live on is taken away now: one that comes to its end has not failed, and stays ended."""
        self._ending = True

    async def stop(self, deadline_s: float) -> None:
        """Cancel what still runs, and wait for it so long."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=deadline_s)

    async def _once(self, name: str, start: Start) -> None:
        structlog.contextvars.bind_contextvars(part=name)
        await start()

    async def _again_and_again(self, name: str, start: Start) -> None:
        structlog.contextvars.bind_contextvars(part=name)
        part = self._parts[name]
        while True:
            part.started_at = self._monotonic()
            error: BaseException | None = None
            try:
                await start()
            except asyncio.CancelledError as cancelled:
                # Ours, or of something it waited for.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                error = cancelled
            except Exception as raised:
                error = _innermost(raised)
            if self._ending:
                return
            self._failed(name, part, error)
            await self._sleep(pause_after(part.failures))
            self._restarted(name)

    def _failed(self, name: str, part: _Part, error: BaseException | None) -> None:
        now = self._monotonic()
        part.failures = 1 if now - part.started_at >= _WELL_S else part.failures + 1
        part.started_at = 0.0
        kind = type(error).__name__ if error is not None else "it came to its end"
        part.reason = kind
        part.untold += 1
        if now < part.tell_at:
            return
        log.error(
            "service part failed; restarting",
            event_id="OV2101",
            reason=f"{kind}: {_first_line(error)}" if error is not None else kind,
            failures=part.untold,
            pause_s=pause_after(part.failures),
            exc_info=error if error is not None and kind != part.traced else None,
        )
        part.untold, part.tell_at, part.traced = 0, now + _TOLD_S, kind


def _innermost(error: BaseException) -> BaseException:
    """Return what a task of a part's own raised, out of the groups that it comes in."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _first_line(error: BaseException) -> str:
    # What the database's driver says after it are the values.
    return str(error).partition("\n")[0][:200]
