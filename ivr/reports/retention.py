"""How long it is known who asked for a report, and who wrote it."""

from __future__ import annotations

from ivr.reports import service
from ivr.reports import tables as t
from ivr.retention.declarations import PersonalData, Retention, Sweep

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=t.report_requests,
            rule="for three months after the report was sent; unconfirmed ones for a day",
            whose=("address",),
            deleted=True,
        ),
        Retention(table=t.incident_reports, rule="staff: who wrote it"),
    ),
    sweeps=(Sweep(name="report requests", erase=service.erase),),
)
