"""One line tells that a component is away, however many wait for it.

A database that is away is met by every part of the service, several times a minute each, and each says so. Of lines
that tell the same of the same part, one a minute is written, with how many were not. They are known by the error they
bear: other failures are each a fact of its own, and all of them are written.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from ivr.errors import Unavailable

#: Seconds between two lines of one kind.
_EVERY_S = 60.0
#: Kinds that are remembered; there are some dozens.
_MOST = 1000
_FAILED = ("warning", "error", "critical")


def _sentences(kind: type[Unavailable]) -> set[str]:
    mine = (kind.__doc__ or "").strip().split("\n")[0]
    return {mine}.union(*(_sentences(other) for other in kind.__subclasses__()))


def _is_away(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_away, error.exceptions))
    return isinstance(error, Unavailable)


class Repeats:
    """A processor of structlog: drops the lines that say again what was said within a minute.

    It stands before the one that formats exceptions. What is merely away has no traceback: its line tells everything.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        #: By kind: when the next line may come, and how many were dropped.
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, _: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if method not in (*_FAILED, "exception"):
            return event
        error = _raised(event.get("exc_info"))
        if _is_away(error):
            event.pop("exc_info")
            event.setdefault("error", str(error))
        elif event.get("exc_info") or not _tells_of_away(event.get("error")):
            return event
        kind = (str(event.get("event")), str(event.get("part", "")))
        now = self._monotonic()
        until, dropped = self._said.get(kind, (0.0, 0))
        if now < until:
            self._said[kind] = (until, dropped + 1)
            raise structlog.DropEvent
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[kind] = (now + _EVERY_S, 0)
        if dropped:
            event["not_told"] = dropped
        return event


def _raised(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if exc_info is True:
        return sys.exc_info()[1]
    return exc_info[1] if isinstance(exc_info, tuple) else None


def _tells_of_away(error: object) -> bool:
    return isinstance(error, str) and any(error.startswith(sentence) for sentence in _sentences(Unavailable))
