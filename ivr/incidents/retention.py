"""How long it is known whom incidents affected, and who follows them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from ivr.incidents import sms_followers
from ivr.incidents.model import CLOSES_AFTER
from ivr.incidents.tables import incident_followers, incident_mailings, incident_updates, incidents
from ivr.retention.declarations import PersonalData, Retention, Sweep
from ivr.store.engine import Unit


async def affected(unit: Unit, before: datetime) -> int:
    """Erase the numbers that incidents resolved before then affected. How many incidents."""
    old = select(incidents.c.id, incidents.c.affected).where(incidents.c.resolved_at < before)
    erased = 0
    for incident in await unit.execute(old):
        if incident.affected.get("numbers"):
            kept = {**incident.affected, "numbers": []}
            await unit.execute(update(incidents).where(incidents.c.id == incident.id).values(affected=kept))
            erased += 1
    return erased


async def erase_followers(unit: Unit, now: datetime) -> int:
    """Erase who followed incidents that were resolved a week ago, and so are closed. How many."""
    over = select(incidents.c.id).where(incidents.c.resolved_at < now - CLOSES_AFTER)
    return (await unit.execute(delete(incident_followers).where(incident_followers.c.incident_id.in_(over)))).rowcount


PERSONAL = PersonalData(
    tables=(
        Retention(table=incidents, keep="tickets_days"),
        Retention(
            table=incident_followers,
            rule="until a week after the incident is resolved; unconfirmed ones for a day",
            whose=("number", "asked_by"),
            deleted=True,
        ),
        Retention(table=incident_updates, rule="staff: who announced what"),
    ),
    impersonal=(incident_mailings,),
    sweeps=(
        Sweep(name="affected by incidents", erase=affected, keep="tickets_days"),
        Sweep(name="followers", erase=erase_followers),
        Sweep(name="unconfirmed followers", erase=sms_followers.erase),
    ),
)
