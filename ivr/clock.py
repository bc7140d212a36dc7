"""The service's clock. Rules never read it: they are given `now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

#: Gives the present moment as an aware datetime.
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def require_aware(moment: datetime) -> datetime:
    """`moment` itself; raises ValueError when it has no time zone, since it could then mean any hour."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; add one, as in 2026-12-25T10:00:00-05:00")
    return moment
