"""What happens, told at once to whoever listens: the console, partners' clients, tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Event:
    """One happening: `id` counts up within one run of the service, `kind` is as in `call.answered`."""

    id: int
    kind: str
    at: datetime
    data: Mapping[str, Any]


class EventBus:
    """Passes events to any number of listeners; keeps the last ones for those who come back.

    A listener that falls `backlog` events behind is cut off (its iteration ends), so that a slow
    client can neither hold the service's memory nor silently miss an event.
    """

    def __init__(self, *, kept: int = 1000, backlog: int = 1000) -> None:
        self._kept: deque[Event] = deque(maxlen=kept)
        self._backlog = backlog
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._last = 0

    def publish(self, kind: str, at: datetime, data: Mapping[str, Any]) -> Event:
        """Tell everyone. Never waits."""
        self._last += 1
        event = Event(id=self._last, kind=kind, at=at, data=data)
        self._kept.append(event)
        for queue in list(self._listeners):
            if queue.qsize() >= self._backlog:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)
        return event

    async def listen(self, *, after: int | None = None) -> AsyncIterator[Event]:
        """Every event from now on; with `after`, first the kept ones with a higher id."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            if after is not None:
                for event in list(self._kept):
                    if event.id > after:
                        yield event
            seen = after if after is not None else 0
            while (event := await queue.get()) is not None:
                if event.id > seen:
                    yield event
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End every listener's iteration."""
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()
