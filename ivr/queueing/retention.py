"""Retention of queue logins: kept while they last."""

from __future__ import annotations

from ivr.queueing.tables import queue_roll
from ivr.retention.declarations import PersonalData, Retention

PERSONAL = PersonalData(tables=(Retention(table=queue_roll, rule="staff: while they are logged in"),))
