"""How long notices that have left are kept, and refusals of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update

from ivr.notify import budgets
from ivr.notify import tables as t
from ivr.notify.tables import outbox
from ivr.retention.declarations import PersonalData, Retention, Row, Sweep
from ivr.store.engine import Unit, batches

#: What is still to leave is not erased.
LEFT = ("sent", "delivered", "refused", "dead", "withdrawn")


async def erase(unit: Unit, before: datetime) -> int:
    """Erase what notices said and to whom, once they have left or been given up. How many."""
    old = (outbox.c.created_at < before) & outbox.c.state.in_(LEFT) & (outbox.c.body != "")
    return (await unit.execute(update(outbox).where(old).values(recipient="", subject="", body=""))).rowcount


async def forget_notices(unit: Unit, ids: Sequence[Any]) -> None:
    """Erase what notices that have left said, and to whom."""
    for some in batches(ids):
        await unit.execute(update(outbox).where(outbox.c.id.in_(some)).values(recipient="", subject="", body=""))


def _waits(row: Row) -> bool:
    return row["state"] not in LEFT


PERSONAL = PersonalData(
    tables=(
        Retention(
            table=outbox,
            keep="notices_days",
            whose=("recipient",),
            forget=forget_notices,
            waits=(_waits, "have not left yet; repeat this later"),
        ),
        Retention(
            table=t.opt_outs,
            rule="for good: a refusal has to be honoured (CASL)",
            whose=("number",),
            stays="a refusal of text messages has to be honoured (CASL)",
        ),
        Retention(table=t.spendings, rule="no addresses, only digests of them; for a day"),
        Retention(table=t.webhook_endpoints, rule="no person's: addresses of systems, and their secrets", secret=True),
    ),
    sweeps=(
        Sweep(name="notices", erase=erase, keep="notices_days"),
        Sweep(name="spendings", erase=budgets.erase),
    ),
)
