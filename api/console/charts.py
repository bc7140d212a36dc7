"""Numbers for the board's charts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from api.deps import Services
from ivr.calls import store as call_store
from ivr.desk.load import main_of

_QUARTER_S = 900


async def today(has: Services) -> dict[str, Any]:
    """For each quarter hour since midnight, by the main desk's clock: moments (Unix time, in seconds), calls, those
    that were lost, the mean wait in seconds; and today's calls by when they began, with the score (MOS, 1 to 4.5) of
    each one's worst leg.

    Raises StoreUnavailable.
    """
    now = has.clock()
    zone = main_of(has.desks).zone
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    async with has.store.reading() as unit:
        rows = await call_store.moments_since(unit, midnight)
        heard = await call_store.scores_since(unit, midnight)
    quarters = int((now - midnight).total_seconds() // _QUARTER_S) + 1
    taken, lost = [0] * quarters, [0] * quarters
    waits: list[list[float]] = [[] for _ in range(quarters)]
    for row in rows:
        quarter = min(quarters - 1, int((row.started_at - midnight).total_seconds() // _QUARTER_S))
        taken[quarter] += 1
        lost[quarter] += row.result == "abandoned"
        if row.queued_at is not None and row.answered_at is not None:
            waits[quarter].append((row.answered_at - row.queued_at).total_seconds())
    return {
        "at": [_unix(midnight + timedelta(seconds=n * _QUARTER_S)) for n in range(quarters)],
        "calls": taken,
        "lost": lost,
        "wait_s": [round(sum(some) / len(some), 1) if some else None for some in waits],
        "mos_at": [_unix(started_at) for started_at, _ in heard],
        "mos": [round(mos, 2) for _, mos in heard],
    }


def _unix(at: datetime) -> int:
    return int(at.timestamp())
