"""What is refused so that nobody is made a nuisance of: each refusal is counted, and told by one line a minute.

A storm of refusals must neither fill the log nor hide in it: the line says why, and how many there were since the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from ivr.rate_limit import Seldom

log = structlog.get_logger()

#: Of a budget, from where on it nears its end.
NEAR: Final = 0.8


class Refusals:
    """`count` is given the reason of each refusal; `used` the name of a budget and how much of it is spent, 0 to 1."""

    def __init__(
        self,
        count: Callable[[str], None] | None = None,
        used: Callable[[str, float], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count, self._used, self._monotonic = count, used, monotonic
        self._told = Seldom()

    def note(self, reason: str, **facts: Any) -> None:
        """Something was refused: `reason` is one of few words with hyphens. Facts are masked as in every log line."""
        if self._count is not None:
            self._count(reason)
        self._say(reason, "refused", reason=reason, **facts)

    def spent(self, budget: str, used: int, most: int) -> None:
        """Of a budget of `most`, `used` are spent; who operates the line is told when it nears its end."""
        if self._used is not None:
            self._used(budget, used / most)
        if used >= NEAR * most:
            self._say(f"budget {budget}", "a budget nears its end", budget=budget, used=used, most=most)

    def _say(self, kind: str, line: str, **facts: Any) -> None:
        if times := self._told.due(kind, self._monotonic()):
            log.warning(line, **facts, times=times)
