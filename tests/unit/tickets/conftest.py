"""The main desk, its calendar, and a ticket with nothing in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import load_desks
from ivr.desk.schema import Desk
from ivr.tickets.model import Ticket

TORONTO = ZoneInfo("America/Toronto")


def local(text: str) -> datetime:
    """A moment by the desk's wall clock, in UTC as the service has it."""
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).astimezone(UTC)


@pytest.fixture(scope="session")
def omnivigil() -> Desk:
    return load_desks()["omnivigil"]


@pytest.fixture(scope="session")
def calendar(omnivigil: Desk) -> Calendar:
    return calendars_of(omnivigil)["support"]


def ticket(**values: Any) -> Ticket:
    at = local("2026-11-25T09:00")
    empty: dict[str, Any] = dict.fromkeys(Ticket.__dataclass_fields__)
    known = {
        "number": 100001,
        "kind": "request",
        "status": "new",
        "desk": "omnivigil",
        "department": "support",
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    return Ticket(**(empty | known | values))
