"""How long subscribers of the status page are kept."""

from __future__ import annotations

from ivr.retention.declarations import PersonalData, Retention, Sweep
from ivr.subscriptions import service
from ivr.subscriptions.tables import status_subscribers

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=status_subscribers,
            rule="while they subscribe; unconfirmed ones for a day",
            whose=("address",),
            deleted=True,
        ),
    ),
    sweeps=(Sweep(name="subscribers", erase=service.erase),),
)
