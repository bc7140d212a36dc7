"""One of many that cannot be dealt with is in nobody else's way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import structlog

from ivr.errors import Unavailable

log = structlog.get_logger()

#: The same one is told at most once in so many seconds; it may be tried every second.
_TOLD_S = 60.0
_MOST = 1000
_told: dict[tuple[str, str], float] = {}


@contextlib.contextmanager
def apart(what: str, which: object) -> Iterator[None]:
    """Deal with one row, caller or file: whatever it raises is logged as `what`, and the next one has its turn.

    A component that is away is away for all of them: Unavailable goes on.
    """
    try:
        yield
    except Unavailable:
        raise
    except Exception:
        now, key = time.monotonic(), (what, str(which))
        if now >= _told.get(key, 0.0):
            if len(_told) >= _MOST:
                _told.clear()
            _told[key] = now + _TOLD_S
            log.exception(what, which=which)
