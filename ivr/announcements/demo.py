"""PINs for the demo directory's technicians: public, so for loopback only."""

from __future__ import annotations

import asyncio

from ivr.announcements.pins import has_pin, hashed, put_pin
from ivr.directory.store import technicians_phones
from ivr.store.engine import Unit


def demo_pin(endpoint: str) -> str:
    """Return the PIN of this phone's technician in the demo: 58 and its last three digits, as 58001 for 7001."""
    return f"58{endpoint[-3:]}"


async def demo_pins(unit: Unit) -> None:
    """Give every technician of the demo directory a PIN who has none."""
    for phone, technician in (await technicians_phones(unit)).items():
        if not await has_pin(unit, technician):
            await put_pin(unit, technician, await asyncio.to_thread(hashed, demo_pin(phone)))
