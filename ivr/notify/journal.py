"""Makes rows for webhooks from what was written in the transactions of what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic_core import to_json

from ivr.clock import Clock
from ivr.notify import store as statements
from ivr.notify.config import Endpoint
from ivr.notify.delivery import LIFETIME
from ivr.store.engine import Store, Unit

#: So much of the journal is looked at again, and for so many seconds after something new: under PostgreSQL what was
#: written earlier may be committed later.
_OVERLAP: Final = 200
_SETTLED_S: Final = 60.0
_BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One entry of a journal that was written together with what it tells; `id` counts up."""

    id: int
    #: As in ticket.created.
    type: str
    at: datetime
    data: Mapping[str, Any]
    ticket_number: int | None = None


#: The journal's entries with ids above the first number, in order, at most as many as the second one.
ReadJournal = Callable[[Unit, int, int], Awaitable[Sequence[Happening]]]
#: The journal's highest id.
JournalEnd = Callable[[Unit], Awaitable[int]]


class Journal:
    """Makes a row of the outbox for each entry of the journal and each endpoint that chose its type: exactly one."""

    def __init__(
        self, store: Store, endpoints: Sequence[Endpoint], *, read: ReadJournal, end: JournalEnd, clock: Clock
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._read = read
        self._end = end
        self._clock = clock
        #: Until when each endpoint's overlap is looked at again, by the loop's clock.
        self._unsettled: dict[str, float] = {}

    async def once(self) -> int:
        """Bring the outbox up to the journal; how many new entries were looked at. Raises StoreUnavailable."""
        if not self._endpoints:
            return 0
        async with self._store.reading() as unit:
            known, end = await statements.endpoints(unit), await self._end(unit)
            # SQLite has one writer at a time, so that ids are committed in order.
            ordered = unit.dialect == "sqlite"
        looked = 0
        for endpoint in self._endpoints:
            state = known.get(endpoint.name)
            if state is None:
                # A new one is told what happens from now on.
                async with self._store.unit() as unit:
                    await statements.add_endpoint(unit, endpoint.name, end)
            elif state["journal_id"] < end or (not ordered and self._may_be_late(endpoint)):
                looked += await self._bring_up(endpoint, state)
        return looked

    def _may_be_late(self, endpoint: Endpoint) -> bool:
        """Return whether an entry below the last one may still come; after a start, whatever was before it."""
        now = asyncio.get_running_loop().time()
        return now < self._unsettled.setdefault(endpoint.name, now + _SETTLED_S)

    async def _bring_up(self, endpoint: Endpoint, state: Mapping[str, Any]) -> int:
        seen: int = state["journal_id"]
        async with self._store.reading() as unit:
            entries = await self._read(unit, max(state["since_id"], seen - _OVERLAP), _BATCH)
            told = [entry for entry in entries if state["disabled_at"] is None and chosen(endpoint, entry.type)]
            there = await statements.known_keys(unit, [_key(endpoint, entry) for entry in told])
        rows = [_row(endpoint, entry, self._clock()) for entry in told if _key(endpoint, entry) not in there]
        new = sum(entry.id > seen for entry in entries)
        if new:
            self._unsettled[endpoint.name] = asyncio.get_running_loop().time() + _SETTLED_S
        if new or rows:
            async with self._store.unit() as unit:
                for row in rows:
                    await statements.put_once(unit, row)
                await statements.change_endpoint(unit, endpoint.name, {"journal_id": max(seen, entries[-1].id)})
        return new


def chosen(endpoint: Endpoint, kind: str) -> bool:
    """Return whether this endpoint is told of events of this type."""
    return any(fnmatchcase(kind, pattern) for pattern in endpoint.events)


def _row(endpoint: Endpoint, entry: Happening, now: datetime) -> dict[str, Any]:
    payload = {"type": entry.type, "timestamp": entry.at, "data": entry.data}
    return {
        "kind": "webhook",
        "recipient": endpoint.name,
        "subject": entry.type,
        "body": to_json(payload).decode(),
        "language": "en",
        "ticket_number": entry.ticket_number,
        "state": "pending",
        "created_at": now,
        "key": _key(endpoint, entry),
        "next_at": now,
        "expires_at": now + LIFETIME["webhook"],
    }


def _key(endpoint: Endpoint, entry: Happening) -> str:
    return f"journal.{entry.id}.{endpoint.name}"
