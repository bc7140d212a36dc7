"""Takes turns: few at once, those who are known before those who are not, and nobody waits in a line without an end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from ivr.errors import TooMany


class LineFull(TooMany):
    """Too many wait already."""


class Turns:
    """At most `at_once` at once; of those who are not known at most `waiting` wait, of the others four times that."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once, self._most = at_once, {False: waiting, True: 4 * waiting}
        self._running = 0
        self._lines: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}

    @contextlib.asynccontextmanager
    async def turn(self, *, known: bool) -> AsyncIterator[None]:
        """Wait for one's turn, and have it. Raises LineFull at once."""
        if self._running < self._at_once:
            self._running += 1
        else:
            await self._wait(self._lines[known], self._most[known])
        try:
            yield
        finally:
            self._next()

    async def _wait(self, line: deque[asyncio.Future[None]], most: int) -> None:
        if len(line) >= most:
            raise LineFull(waiting=len(line))
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in line:
                line.remove(place)
            elif place.done() and not place.cancelled():
                # It was this one's turn already.
                self._next()
            raise

    def _next(self) -> None:
        for known in (True, False):
            line = self._lines[known]
            while line:
                place = line.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._running -= 1
