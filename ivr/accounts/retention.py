"""How long accounts of staff and the audit of what they did are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from ivr.accounts import tables as t
from ivr.retention.declarations import PersonalData, Retention, Sweep
from ivr.store.engine import Unit

_STAFF = "staff: while the account is there"


async def erase(unit: Unit, before: datetime) -> int:
    """Erase what was done with the console's accounts before then. How many."""
    return (await unit.execute(delete(t.audit).where(t.audit.c.at < before))).rowcount


PERSONAL = PersonalData(
    tables=(
        Retention(table=t.accounts, rule=_STAFF),
        Retention(table=t.account_recovery_codes, rule=_STAFF, secret=True),
        Retention(table=t.account_sessions, rule=_STAFF, secret=True),
        Retention(table=t.account_tries, rule="no names, only digests of them", secret=True),
        Retention(table=t.api_tokens, rule="staff: while the token is good", secret=True),
        Retention(table=t.audit, keep="listenings_days"),
    ),
    sweeps=(Sweep(name="audit", erase=erase, keep="listenings_days"),),
)
