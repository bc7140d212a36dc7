"""PINs for the demo directory's technicians: public, so for loopback only."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from ivr.announcements.pins import has_pin, hashed, put_pin
from ivr.directory.tables import endpoints
from ivr.store.engine import Unit


def demo_pin(endpoint: str) -> str:
    """The PIN of whoever has this phone in the demo directory: 58 and its last three digits, as 58001 for 7001."""
    return f"58{endpoint[-3:]}"


async def demo_pins(unit: Unit) -> None:
    """Give every technician of the demo directory a PIN who has none."""
    phones = select(endpoints.c.name, endpoints.c.technician_id).where(endpoints.c.technician_id.is_not(None))
    for row in (await unit.execute(phones)).mappings().all():
        if not await has_pin(unit, row["technician_id"]):
            await put_pin(unit, row["technician_id"], await asyncio.to_thread(hashed, demo_pin(row["name"])))
