"""Makes rows for webhooks from what was written in the transactions of what happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic_core import to_json

from ivr.clock import Clock
from ivr.notify import store as statements
from ivr.notify.config import Endpoint
from ivr.notify.rules import LIFETIME
from ivr.store.engine import Store, Unit

#: So much of the journal is looked at again: what was written earlier may be committed later.
_OVERLAP: Final = 200
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

    async def once(self) -> int:
        """Bring the outbox up to the journal; how many new entries were looked at. Raises StoreUnavailable."""
        if not self._endpoints:
            return 0
        async with self._store.reading() as unit:
            known, end = await statements.endpoints(unit), await self._end(unit)
        looked = 0
        for endpoint in self._endpoints:
            state = known.get(endpoint.name)
            if state is None:
                # A new one is told what happens from now on.
                async with self._store.unit() as unit:
                    await statements.add_endpoint(unit, endpoint.name, end)
            elif state["journal_id"] < end:
                looked += await self._bring_up(endpoint, state)
        return looked

    async def _bring_up(self, endpoint: Endpoint, state: Mapping[str, Any]) -> int:
        seen: int = state["journal_id"]
        async with self._store.unit() as unit:
            entries = await self._read(unit, max(state["since_id"], seen - _OVERLAP), _BATCH)
            for entry in entries:
                if state["disabled_at"] is None and chosen(endpoint, entry.type):
                    await statements.put_once(unit, _row(endpoint, entry, self._clock()))
            if not entries:
                return 0
            await statements.change_endpoint(unit, endpoint.name, {"journal_id": max(seen, entries[-1].id)})
        return sum(entry.id > seen for entry in entries)


def chosen(endpoint: Endpoint, kind: str) -> bool:
    """Whether this endpoint is told of events of this type."""
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
        "key": f"journal.{entry.id}.{endpoint.name}",
        "next_at": now,
        "expires_at": now + LIFETIME["webhook"],
    }
