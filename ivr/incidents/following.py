"""Who asked for a text message at each stage of an incident (OV-27). A caller is told « c’est fait » once it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import structlog
from sqlalchemy import func, select

from ivr.clock import Clock
from ivr.incidents.tables import incident_followers as table
from ivr.notify.tables import opt_outs
from ivr.store.engine import Store, Unit
from ivr.tickets import store as tickets

log = structlog.get_logger()

#: One caller may have texts sent to so many numbers about one incident: no more is a nuisance to others.
MOST_ASKED = 3
#: So many calls are remembered; far more than are carried at one time.
_MOST_CALLS = 20_000

Followed = Literal["followed", "already", "limit", "refused"]


class Followers:
    """Those of all incidents. What calls need without waiting is in memory."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        #: The incident that a call asked to follow.
        self._calls: dict[str, int] = {}
        #: Numbers that follow an incident already; None until the database was read.
        self._known: set[tuple[int, str]] | None = None

    async def load(self, incidents: Iterable[int]) -> None:
        """Read who follows these. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            query = select(table.c.incident_id, table.c.number).where(table.c.incident_id.in_(list(incidents)))
            self._known = {(row.incident_id, row.number) for row in await unit.execute(query)}

    def follows(self, incidents: Sequence[int], number: str | None) -> bool:
        """Whether a number follows all of these; False while it is not known."""
        return number is not None and all((one, number) in (self._known or ()) for one in incidents)

    def of_call(self, call_id: str) -> int | None:
        """The incident that this call asked to follow."""
        return self._calls.get(call_id)

    async def follow(
        self, incidents: Sequence[int], *, number: str, language: str, call_id: str, asked_by: str | None
    ) -> Followed:
        """Have a number told of each stage of these incidents, and its call's ticket hang on the first.

        `number` is E.164 digits, `asked_by` the caller's number or phone. Returns once it is committed: `already`
        when it followed them all before, `limit` when the caller asked for too many numbers, `refused` when the number
        wants no texts from us. Raises StoreUnavailable.
        """
        now = self._clock()
        async with self._store.unit() as unit:
            await unit.alone("followers", asked_by)
            if (await unit.execute(select(opt_outs.c.number).where(opt_outs.c.number == number))).first() is not None:
                return "refused"
            if asked_by is not None and await self._asked(unit, incidents, asked_by, number) >= MOST_ASKED:
                return "limit"
            added = 0
            for incident in incidents:
                row = {
                    "incident_id": incident,
                    "number": number,
                    "language": language,
                    "call_id": call_id,
                    "asked_by": asked_by,
                    "at": now,
                }
                added += (await unit.execute(unit.insert(table).values(row).on_conflict_do_nothing())).rowcount
            await self._hang(unit, call_id, incidents[0])
        for incident in incidents:
            if self._known is not None:
                self._known.add((incident, number))
        self._calls[call_id] = incidents[0]
        while len(self._calls) > _MOST_CALLS:
            del self._calls[next(iter(self._calls))]
        return "followed" if added else "already"

    async def _asked(self, unit: Unit, incidents: Sequence[int], asked_by: str, but: str) -> int:
        mine = table.c.incident_id.in_(incidents) & (table.c.asked_by == asked_by) & (table.c.number != but)
        found: int = (await unit.execute(select(func.count(func.distinct(table.c.number))).where(mine))).scalar_one()
        return found

    async def _hang(self, unit: Unit, call_id: str, incident: int) -> None:
        """The call's ticket is about the incident, when it has one yet; else it is so from its beginning."""
        found = await tickets.find(unit, call_id=call_id)
        ticket = await tickets.lock(unit, found.number) if found is not None else None
        if ticket is None or ticket.incident_id is not None:
            return
        now, version = self._clock(), ticket.version + 1
        await tickets.change(unit, ticket.number, {"incident_id": incident, "version": version, "updated_at": now})
        changes = {"incident_id": incident}
        await tickets.add_event(
            unit, ticket.number, at=now, who="line", kind="changed", changes=changes, version=version
        )


async def count(unit: Unit, incident_id: int) -> int:
    """How many numbers follow an incident."""
    found: int = (
        await unit.execute(select(func.count()).select_from(table).where(table.c.incident_id == incident_id))
    ).scalar_one()
    return found
