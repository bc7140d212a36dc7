"""Emergencies as managers look at them: a month of a desk, and the 30 minutes that callers are promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.desk.schema import Desk
from ivr.oncall import store
from ivr.oncall.escalation import kept
from ivr.oncall.store import Emergency
from ivr.store.engine import Unit


@dataclass(frozen=True, kw_only=True)
class Month:
    """A desk's emergencies of a month (`2026-11`), by its own clock.

    `items` are all of them; the figures leave out those merged into another. `slowest_s` is in seconds.
    """

    month: str
    emergencies: int
    taken_in_time: int
    late: int
    slowest_s: int | None
    items: list[Emergency]


async def month_of(unit: Unit, desk: Desk, month: str | None, now: datetime) -> Month:
    """Return a month of a desk; without one, the month that `now` is in. Raises StoreUnavailable."""
    named = month or f"{now.astimezone(desk.zone):%Y-%m}"
    start = datetime.fromisoformat(f"{named}-01").replace(tzinfo=desk.zone)
    end = (start.replace(tzinfo=None) + timedelta(days=31)).replace(day=1, tzinfo=desk.zone)
    found = await store.left_between(unit, desk.id, start, end)
    own = [one for one in found if one.merged_into is None]
    in_time = [kept(one.left_at, one.taken_at, now) for one in own]
    taken = [int((one.taken_at - one.left_at).total_seconds()) for one in own if one.taken_at is not None]
    return Month(
        month=named,
        emergencies=len(own),
        taken_in_time=in_time.count(True),
        late=in_time.count(False),
        slowest_s=max(taken, default=None),
        items=found,
    )
