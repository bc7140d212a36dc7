"""Which place in a queue is due to a caller who is there since an earlier moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def place_since(joined: Sequence[datetime], since: datetime) -> int:
    """The place, from 1, behind everyone who has waited since `since` or longer; `joined` is in the queue's order.

    Nobody who was there before is overtaken, even where somebody holds a place further ahead than their wait tells.
    """
    ahead = (place for place, moment in enumerate(joined, start=1) if moment <= since)
    return max(ahead, default=0) + 1
