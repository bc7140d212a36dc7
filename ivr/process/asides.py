"""Work that a call begins and does not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class Asides:
    """Holds such work until it is done. Call it to begin some; a failure is logged under its name."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __call__(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Begin work beside a call."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task of a call failed", work=task.get_name(), exc_info=error)

    async def finish(self, deadline_s: float) -> None:
        """Wait until what is under way is done, at most `deadline_s` seconds."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=deadline_s)
