"""Announcements and incidents as a feature of the line."""

from __future__ import annotations

from ivr.announcements.announcer import Announcer
from ivr.feature import Feature, Part
from ivr.incidents.service import Incidents


def feature(announcer: Announcer, incidents: Incidents) -> Feature:
    """Return what callers and readers of the status page are told of the services (OV-10, OV-26)."""
    return Feature(
        name="incidents",
        parts=(Part(name="announcements", run=announcer.run), Part(name="incidents", run=incidents.run)),
    )
