"""How long listenings are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from ivr.access_log.tables import listenings
from ivr.retention.declarations import PersonalData, Retention, Sweep
from ivr.store.engine import Unit


async def erase(unit: Unit, before: datetime) -> int:
    """Erase who listened to recordings before then. How many."""
    return (await unit.execute(delete(listenings).where(listenings.c.at < before))).rowcount


PERSONAL = PersonalData(
    tables=(Retention(table=listenings, keep="listenings_days"),),
    sweeps=(Sweep(name="listenings", erase=erase, keep="listenings_days"),),
)
