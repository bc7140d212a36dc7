"""Places of callers of whom nothing is heard any more: kept for a while, should they call again.

A cut cord, an empty battery, a modem that restarts: no goodbye. Asterisk ends such a call after `rtp_timeout`,
and it is on record as vanished in its queue. That row is the place that is kept, so that it survives this service; when
it is taken, the row says so. A caller who hung up, or has no number, has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.asterisk.ami import Fields
from ivr.calls import store as call_store
from ivr.calls.log import CallLog
from ivr.calls.model import VANISHED_IN_QUEUE, Call
from ivr.desk.load import Desks
from ivr.store.engine import Store

#: No desk file keeps a place longer.
LONGEST = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class KeptPlace:
    """One place. `arrived_at` is when its caller first stood in the queue; `ended_at`, when they were missed."""

    call_id: str
    desk: str
    queue: str
    ani: str | None
    endpoint: str | None
    arrived_at: datetime
    ended_at: datetime

    def is_of(self, ani: str | None, endpoint: str | None) -> bool:
        """Return whether the same number, or the same phone, calls again."""
        return (ani is not None and ani == self.ani) or (endpoint is not None and endpoint == self.endpoint)


class KeptPlaces:
    """Those of the line. In memory, so that no call waits for the database, from which `load` takes those of before."""

    def __init__(self, store: Store, desks: Desks, clock: Callable[[], datetime]) -> None:
        self._store, self._desks, self._clock = store, desks, clock
        self._places: dict[str, KeptPlace] = {}

    async def load(self) -> None:
        """Take up those of before. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            rows = await call_store.vanished_since(unit, self._clock() - LONGEST)
        found = [KeptPlace(call_id=row.pop("id"), arrived_at=row.pop("queued_at"), **row) for row in rows]
        self._places = {place.call_id: place for place in found} | self._places

    def enter(self, event: Fields, calls: CallLog) -> None:
        """Enter one event from Asterisk, after the calls' record has."""
        if event.get("event") != "Hangup":
            return
        call = calls.call_of(event.get("uniqueid", ""))
        if call is not None and call.reason == VANISHED_IN_QUEUE and (place := _place_of(call)) is not None:
            now = self._clock()
            self._places = {key: one for key, one in self._places.items() if one.ended_at > now - LONGEST}
            self._places[place.call_id] = place

    def find(self, desk: str, queue: str, *, ani: str | None, endpoint: str | None) -> KeptPlace | None:
        """The place that is kept for a caller in a queue: of several the first in line."""
        rules = self._desks[desk].queues.get(queue) if desk in self._desks else None
        if rules is None:
            return None
        since = self._clock() - timedelta(minutes=rules.place_kept_min)
        found = (
            one
            for one in self._places.values()
            if (one.desk, one.queue) == (desk, queue) and one.ended_at > since and one.is_of(ani, endpoint)
        )
        return min(found, key=lambda one: one.arrived_at, default=None)

    def take(self, place: KeptPlace) -> bool:
        """Give it to who came back, once; whether it was still there. What is on record follows with `record`."""
        return self._places.pop(place.call_id, None) is not None

    async def record(self, place: KeptPlace) -> None:
        """Have it on record that the place is taken. Raises StoreUnavailable."""
        async with self._store.unit() as unit:
            await call_store.note_return(unit, place.call_id)


def _place_of(call: Call) -> KeptPlace | None:
    """None for a caller who could not be told by anything when they call again."""
    if call.queue is None or call.queued_at is None or call.ended_at is None or not (call.ani or call.endpoint):
        return None
    return KeptPlace(
        call_id=call.id,
        desk=call.desk,
        queue=call.queue,
        ani=call.ani,
        endpoint=call.endpoint,
        arrived_at=call.queued_at,
        ended_at=call.ended_at,
    )
