"""How many files and connections this process may have open; what it starts inherits it."""

from __future__ import annotations

import resource
from contextlib import suppress

#: More is never needed here, and some programs look through as many as they may have when they start.
ENOUGH = 65_536


def raise_limit() -> int:
    """Take as many as this process may give itself, up to ENOUGH; how many it has then (RLIMIT_NOFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limit()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """Return how many this process may have open; ENOUGH when there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH
    return soft
