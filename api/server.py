"""Uvicorn as a part of the service: it leaves the signals alone, and rests while nobody asks anything."""

from __future__ import annotations

import asyncio
import contextlib

import uvicorn

from ivr.resting import rest_unless

#: Answers are dated to the second.
_DATED_S = 1.0


class ApiServer(uvicorn.Server):
    """Uvicorn's own wakes ten times a second to see whether it is to end. This one is told by `end`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()
        # Signals are the service's own business.
        self.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await rest_unless(self._ending, _DATED_S)

    def end(self) -> None:
        """Take no more requests and close what is open."""
        self.should_exit = True
        self._ending.set()
