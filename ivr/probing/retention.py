"""Probes write nothing about a person."""

from __future__ import annotations

from ivr.probing.tables import write_probe
from ivr.retention.declarations import PersonalData

PERSONAL = PersonalData(impersonal=(write_probe,))
