"""Tickets' histories, read in order by those who tell others of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from ivr.notify.journal import Happening
from ivr.store.engine import Unit
from ivr.tickets import tables as t


async def entries(unit: Unit, after: int, limit: int) -> Sequence[Happening]:
    """Return what was done to tickets, in events with ids above `after`."""
    c = t.ticket_events.c
    query = select(t.ticket_events).where(c.id > after).order_by(c.id).limit(limit)
    return [
        Happening(
            id=row["id"],
            type=f"ticket.{row['kind']}",
            at=row["at"],
            data={
                "ticket": str(row["ticket_number"]),
                "who": row["who"],
                "changes": row["changes"],
                "version": row["version"],
            },
            ticket_number=row["ticket_number"],
        )
        for row in (await unit.execute(query)).mappings()
    ]


async def end(unit: Unit) -> int:
    """The highest event's id; 0 when there is none."""
    return (await unit.execute(select(func.max(t.ticket_events.c.id)))).scalar_one() or 0
