"""Who set up a phone is known for a day."""

from __future__ import annotations

from ivr.provisioning.tables import provisionings
from ivr.retention.declarations import PersonalData, Retention

PERSONAL = PersonalData(tables=(Retention(table=provisionings, rule="no names but the phone's, for a day"),))
