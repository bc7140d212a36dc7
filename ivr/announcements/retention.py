"""How long it is known who heard an announcement, and who made it."""

from __future__ import annotations

from ivr.announcements import heard
from ivr.announcements import tables as t
from ivr.retention.declarations import PersonalData, Retention, Sweep

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=t.announcement_hearings, rule="until the announcement is over", whose=("caller",), deleted=True
        ),
        Retention(table=t.announcements, rule="staff: who announced what"),
        Retention(table=t.technician_pins, rule="while they work here", secret=True),
    ),
    sweeps=(Sweep(name="hearings", erase=heard.erase),),
)
