"""How long text messages that came in are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from ivr.retention.declarations import PersonalData, Retention, Sweep
from ivr.sms_inbox.tables import texts
from ivr.store.engine import Unit


async def erase(unit: Unit, before: datetime) -> int:
    """Erase text messages that came in before then. How many."""
    return (await unit.execute(delete(texts).where(texts.c.at < before))).rowcount


PERSONAL = PersonalData(
    tables=(Retention(table=texts, keep="notices_days", whose=("sender",), deleted=True),),
    sweeps=(Sweep(name="texts", erase=erase, keep="notices_days"),),
)
