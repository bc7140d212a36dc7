"""Maintenance as iCalendar (RFC 5545), for the calendars of customers and partners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import icalendar

from ivr.maintenance.model import STATE_NAMES, Maintenance


def written(several: Sequence[Maintenance], *, language: str, url: str, name: str, now: datetime) -> bytes:
    """One event for each. It keeps its UID, and its SEQUENCE grows, so that a calendar moves or strikes it."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//omnivigil//maintenance//FR")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    for one in several:
        state = one.state(now)
        event = icalendar.Event()
        event.add("uid", f"{one.desk}-maintenance-{one.id}@omnivigil")
        event.add("sequence", one.version - 1)
        event.add("dtstamp", one.updated_at.astimezone(UTC))
        event.add("dtstart", one.starts_at.astimezone(UTC))
        event.add("dtend", one.window_ends_at.astimezone(UTC))
        event.add("summary", f"{STATE_NAMES[language][state]} – {one.title[language]}")
        event.add("description", one.texts[language])
        event.add("status", "CANCELLED" if state == "cancelled" else "CONFIRMED")
        event.add("url", f"{url}/{language}/maintenances/{one.id}")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
