"""How many streams of events may be open: each holds a connection, and what it has not yet been sent."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from ivr.errors import TooMany, Unavailable
from ivr.host import descriptors

#: In all, of the board, of technicians' desks and of events; fewer where descriptors are few.
_MOST, _SHARE = 1000, 8
#: By one session of the console: windows that somebody forgot.
OF_A_SESSION = 20


class TooManyStreams(Unavailable):
    """Too many streams are open already."""


class TooManyOfYours(TooMany):
    """Too many streams of this session are open already."""


class Streams:
    """Counts open streams."""

    def __init__(self, most: int | None = None) -> None:
        if most is not None:
            self._most = most
        else:
            self._most = max(16, min(_MOST, descriptors.limit() // _SHARE))
        self._open: Counter[str] = Counter()

    def check(self, whose: str, most: int) -> None:
        """Whether there is room for one more. Raises TooManyStreams, TooManyOfYours."""
        if self._open.total() >= self._most:
            raise TooManyStreams(most=self._most)
        if self._open[whose] >= most:
            raise TooManyOfYours(most=most)

    @contextlib.contextmanager
    def open(self, whose: str, most: int) -> Iterator[bool]:
        """Count one while it lasts; whether there was still room, for many may have asked at once."""
        if self._open.total() >= self._most or self._open[whose] >= most:
            yield False
            return
        self._open[whose] += 1
        try:
            yield True
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
