"""Tries what the line promises, again and again, and remembers how it went: nobody's request pays for a look."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk import options_ping
from ivr.asterisk.options_ping import Answer
from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.probing.tables import write_probe
from ivr.settings import Address
from ivr.store.engine import Store

#: A call that came in is believed in for so long, in seconds; while none can, it is tried more often.
_CALL_IN_S, _SOON_S = 2.0, 0.3
#: One unanswered packet proves nothing: for so long, in seconds, SIP may be silent.
STALE_S = 6.0
#: A row is written this often, in seconds.
_WRITE_S = 5.0
#: A write that takes longer, in seconds, is as good as none.
SLOW_S = 3.0
#: Free space, in bytes, below which the line is degraded: a day's messages would soon fill it.
LOW_BYTES = 500_000_000


@dataclass(kw_only=True)
class _Trying:
    """How the tries of one thing go. Moments are of the monotonic clock, in seconds."""

    well_at: float | None = None
    took_s: float = 0.0
    #: Since when a try is under way.
    since: float | None = None
    problem: str = "not tried yet"

    def began(self, now: float) -> None:
        """A try begins."""
        self.since = now

    def went(self, now: float, problem: str) -> None:
        """And is over; no problem is none."""
        began, self.since, self.problem = self.since or now, None, problem
        self.took_s = now - began
        if not problem:
            self.well_at = now


class Probes:
    """The line's own trials. Nothing here raises."""

    def __init__(
        self, store: Store, sip: Address, folder: Path, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._sip, self._folder, self._clock, self._now = store, sip, folder, clock, monotonic
        self._call_in, self._write = _Trying(), _Trying(problem="")
        self._wanted = asyncio.Event()

    async def call_in(self) -> None:
        """Ask our own SIP address as a phone would, until cancelled."""
        while True:
            await self._try(self._call_in, self._ask())
            try:
                async with asyncio.timeout(_CALL_IN_S if not self._call_in.problem else _SOON_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()

    def look_soon(self) -> None:
        """Something changed: try whether a call can come in now."""
        self._wanted.set()

    async def _ask(self) -> str:
        answer = await options_ping.ask(self._sip, 1.0)
        if answer is Answer.YES:
            return ""
        return str(answer.value)

    async def writing(self) -> None:
        """Write a row of our own, until cancelled."""
        while True:
            await self._try(self._write, self._put())
            await asyncio.sleep(_WRITE_S)

    async def _put(self) -> str:
        try:
            async with self._store.unit() as unit:
                row = unit.insert(write_probe).values(id=1, at=self._clock())
                again = row.on_conflict_do_update(index_elements=["id"], set_={"at": row.excluded.at})
                await unit.execute(again)
        except Unavailable as error:
            return str(error)
        return ""

    async def _try(self, trying: _Trying, work: Awaitable[str]) -> None:
        trying.began(self._now())
        problem = "not finished"
        try:
            problem = await work
        finally:
            trying.went(self._now(), problem)

    @property
    def call_in_age_s(self) -> float | None:
        """Return how long ago the SIP address last answered, in seconds."""
        if self._call_in.well_at is None:
            return None
        return self._now() - self._call_in.well_at

    @property
    def calls_problem(self) -> str:
        """Return why no call can come in; "" while one can."""
        age_s = self.call_in_age_s
        if age_s is not None and age_s <= STALE_S:
            return ""
        return f"SIP: {self._call_in.problem or 'not answered'}"

    @property
    def write_problem(self) -> str:
        """Return why nothing can be written; "" while it can."""
        since = self._write.since
        if since is not None and self._now() - since > SLOW_S:
            return f"cannot write: not done after {self._now() - since:.0f} s"
        if self._write.problem:
            return f"cannot write: {self._write.problem}"
        return ""

    @property
    def write_s(self) -> float:
        """Return how long the last write took, or the one under way has taken, in seconds."""
        since = self._write.since
        if since is not None:
            return max(self._write.took_s, self._now() - since)
        return self._write.took_s

    def free_bytes(self) -> int | None:
        """Room on the state folder's disk; None when it cannot be told."""
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return None

    def disk(self) -> str:
        """`ok`, or what is wrong with the disk."""
        free = self.free_bytes()
        if free is None:
            return "unknown: the state folder cannot be looked at"
        if free >= LOW_BYTES:
            return "ok"
        return f"low: {free // 1_000_000} MB are free"
