"""Events, told at once to all listeners: the console, partners' clients, tests."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic_core import to_json


@dataclass(frozen=True, kw_only=True)
class Event:
    """One happening: `id` counts up within one run of the service, `kind` is as in `call.answered`."""

    id: int
    kind: str
    at: datetime
    data: Mapping[str, Any]

    @functools.cached_property
    def json(self) -> bytes:
        """Moment and data, put into words once for however many listen."""
        return to_json({"at": self.at, **self.data})


class Listener:
    """Events for one listener, from the moment it was made: iterate over it, and `close` it.

    The iteration ends when the bus is closed or the listener has fallen too far behind.
    """

    def __init__(self, bus: EventBus, missed: list[Event]) -> None:
        self._bus = bus
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._ended = False
        for event in missed:
            self._queue.put_nowait(event)

    @property
    def behind(self) -> int:
        """Events that wait for this listener."""
        return self._queue.qsize()

    def more(self) -> list[Event]:
        """Those that wait already."""
        found: list[Event] = []
        while not self._ended and not self._queue.empty():
            event = self._queue.get_nowait()
            if event is None:
                self._ended = True
            else:
                found.append(event)
        return found

    def tell(self, event: Event | None) -> None:
        """The bus's side; None ends the iteration."""
        self._queue.put_nowait(event)

    def close(self) -> None:
        """Hear no more."""
        self._bus.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = None if self._ended else await self._queue.get()
        if event is None:
            self._ended = True
            raise StopAsyncIteration
        return event


class EventBus:
    """Passes events to any number of listeners; keeps the last ones for those who come back.

    A listener that falls `backlog` events behind is cut off (its iteration ends), so that a slow
    client can neither hold the service's memory nor silently miss an event.
    """

    def __init__(self, *, kept: int = 1000, backlog: int = 2000) -> None:
        #: Tells this run of the service from others: ids start again in each.
        self.run = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=kept)
        self._backlog = backlog
        self._listeners: set[Listener] = set()
        self._last = 0
        self._closed = False

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    @property
    def closed(self) -> bool:
        """Return whether the service is about to end."""
        return self._closed

    def publish(self, kind: str, at: datetime, data: Mapping[str, Any]) -> Event:
        """Tell everyone. Never waits."""
        self._last += 1
        event = Event(id=self._last, kind=kind, at=at, data=data)
        self._kept.append(event)
        for listener in list(self._listeners):
            if listener.behind >= self._backlog:
                self._listeners.discard(listener)
                listener.tell(None)
            else:
                listener.tell(event)
        return event

    def remembers(self, after: int) -> bool:
        """Return whether every event since `after` is still kept."""
        first_kept = self._kept[0].id if self._kept else self._last + 1
        return first_kept - 1 <= after <= self._last

    def listen(self, *, after: int | None = None) -> Listener:
        """Every event from now on; with `after`, first the kept ones with a higher id."""
        missed = [event for event in self._kept if after is not None and event.id > after]
        listener = Listener(self, missed)
        if self._closed:
            listener.tell(None)
        else:
            self._listeners.add(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        """Tell this listener no more."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """End every listener's iteration, once it has heard what was published."""
        self._closed = True
        for listener in self._listeners:
            listener.tell(None)
        self._listeners.clear()
