"""The last call of each phone, which the dialplan keeps at Asterisk for *57, is forgotten after a day.

It has the other party's number."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

import structlog

from ivr.ticks import rest

log = structlog.get_logger()

#: Calls of the day before are not reported. Seconds.
_KEEP_S = 86_400.0
_FAMILIES = ("ov", "ov-other")
#: The most at once: each is a command to Asterisk.
_AT_ONCE = 50
#: As `database show` prints what `[evidence]` of the dialplan wrote: when the call ended, then the rest.
_SHOWN = re.compile(r"^/(ov(?:-other)?)/([\w.-]+)\s*: (\d{1,12})\|", re.MULTILINE)

#: Asks Asterisk's command line; "" when it does not answer.
Cli = Callable[[str], Awaitable[str]]


def stale(shown: str, now: float) -> list[tuple[str, str]]:
    """Families and keys of last calls that are too old. `now` in seconds since 1970, by Asterisk's clock."""
    return [(found[1], found[2]) for found in _SHOWN.finditer(shown) if now - int(found[3]) > _KEEP_S]


async def forget(cli: Cli, now: float) -> int:
    """Forget what is stale; how many."""
    forgotten = 0
    for family in _FAMILIES:
        for name, key in stale(await cli(f"database show {family}"), now)[:_AT_ONCE]:
            await cli(f"database del {name} {key}")
            forgotten += 1
    return forgotten


async def keep_forgetting(cli: Cli, every_s: float = 3600.0) -> None:
    """Once an hour until cancelled; at first when callers are long served."""
    while True:
        await rest(every_s)
        if forgotten := await forget(cli, time.time()):
            log.info("stale last calls of phones erased", phones=forgotten)
