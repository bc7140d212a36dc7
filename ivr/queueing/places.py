"""The places of one queue, live callers and held places alike, in the order app_queue has them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ivr.clock import require_aware


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place. `uniqueid` is its channel's; `callback` names the callback that a held place stands for."""

    uniqueid: str
    channel: str
    arrived_at: datetime
    callback: str | None = None


class Places:
    """Everyone in one queue, the next to be served first."""

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._places = list(places)

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._places))

    def __len__(self) -> int:
        return len(self._places)

    def join(self, place: Place, position: int) -> None:
        """A place is taken at `position`, counted from 1, as app_queue says; one that is known already moves."""
        self.leave(place.uniqueid)
        self._places.insert(max(0, position - 1), place)

    def leave(self, uniqueid: str) -> Place | None:
        """A place is given up; None when it is not known."""
        for number, place in enumerate(self._places):
            if place.uniqueid == uniqueid:
                return self._places.pop(number)
        return None

    def find(self, uniqueid: str) -> Place | None:
        """The place of a channel."""
        return next((place for place in self._places if place.uniqueid == uniqueid), None)

    def of_callback(self, callback: str) -> Place | None:
        """The place held for a callback."""
        return next((place for place in self._places if place.callback == callback), None)

    def position(self, uniqueid: str) -> int | None:
        """Counted from 1; None for one who is not here."""
        return next((n for n, place in enumerate(self._places, 1) if place.uniqueid == uniqueid), None)

    def position_for(self, arrived_at: datetime, *, besides: str = "") -> int:
        """Return the place of a caller who arrived then: before all who came later, behind all others (OV-9).

        `besides` is the uniqueid of one who is leaving, and may or may not be gone already.
        """
        require_aware(arrived_at)
        others = [place for place in self._places if place.uniqueid != besides]
        later = (n for n, place in enumerate(others, 1) if place.arrived_at > arrived_at)
        return next(later, len(others) + 1)
