"""What a receiver says about when to come back (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ivr.clock import system_clock


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait; None when nothing usable is said. `now`, for dates, is the real clock's unless given."""
    if value is None or len(value) > 100:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - (now or system_clock())).total_seconds())
