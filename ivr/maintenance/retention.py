"""Maintenances name staff only."""

from __future__ import annotations

from ivr.maintenance import tables as t
from ivr.retention.declarations import PersonalData, Retention

PERSONAL = PersonalData(
    tables=(
        Retention(table=t.maintenances, rule="staff: who announced what"),
        Retention(table=t.maintenance_events, rule="no names, only digests of a calendar's"),
    ),
    impersonal=(t.maintenance_mailings,),
)
