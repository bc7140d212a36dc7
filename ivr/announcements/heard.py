"""Who has heard what is announced to its end: they hear it briefly from then on, on later calls too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, or_, select

from ivr.announcements.tables import announcement_hearings as table
from ivr.announcements.tables import announcements
from ivr.store.engine import Store, Unit


class Hearings:
    """In memory for calls, in the database for the next service. Forgetting one costs a caller some seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[tuple[int, str]] = set()

    async def load(self, announcement_ids: Iterable[int]) -> None:
        """Read who heard these, and forget about others. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            query = select(table).where(table.c.announcement_id.in_(list(announcement_ids)))
            self._known = {(row.announcement_id, row.caller) for row in await unit.execute(query)}

    def heard(self, announcement_id: int, caller: str | None) -> bool:
        """Return whether a caller (a number as E.164 digits, or a phone's account) heard the whole of it."""
        return caller is not None and (announcement_id, caller) in self._known

    async def keep(self, announcement_id: int, caller: str) -> None:
        """A caller has heard the whole of it. Raises StoreUnavailable."""
        if self.heard(announcement_id, caller):
            return
        self._known.add((announcement_id, caller))
        async with self._store.unit() as unit:
            row = {"announcement_id": announcement_id, "caller": caller}
            await unit.execute(unit.insert(table).values(row).on_conflict_do_nothing())


async def erase(unit: Unit, now: datetime) -> int:
    """Erase who heard what is not announced any more. How many."""
    one = announcements.c
    over = select(one.id).where(or_(one.ended_at.is_not(None), one.expires_at <= now))
    done = await unit.execute(delete(table).where(table.c.announcement_id.in_(over)))
    return int(done.rowcount)
