"""Calls that are held in memory until the database has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivr.calls.model import Call
from ivr.calls.view import leg_view


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much is kept in memory."""

    events_per_call: int = 1000
    events: int = 100_000
    #: Ended calls that are not written yet.
    ended: int = 20_000


@dataclass(kw_only=True)
class Held:
    """A call in memory, and how much of it is in the database."""

    call: Call
    row_changed: bool = True
    legs_changed: set[str] = field(default_factory=set)
    events_written: int = 0
    gone: bool = False
    ended_monotonic: float = 0.0

    @property
    def waiting(self) -> int:
        """Rows that are not written."""
        return self.row_changed + len(self.legs_changed) + len(self.call.events) - self.events_written


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What is being written of a call."""

    held: Held
    calls: list[dict[str, Any]]
    events: list[dict[str, Any]]
    legs: list[dict[str, Any]]

    def put_back(self) -> None:
        """It was not written."""
        self.held.row_changed = self.held.row_changed or bool(self.calls)
        self.held.legs_changed |= {leg["uniqueid"] for leg in self.legs}
        self.held.events_written -= len(self.events)


def take(held: Held) -> Taken:
    """Return what is to be written of a call, and mark it as written."""
    call = held.call
    taken = Taken(
        held=held,
        calls=[_row_of(call)] if held.row_changed else [],
        events=[
            {"call_id": call.id, "seq": e.seq, "at": e.at, "kind": e.kind, "facts": e.facts}
            for e in call.events[held.events_written :]
        ],
        legs=[{"call_id": call.id, **leg_view(call.legs[uniqueid])} for uniqueid in sorted(held.legs_changed)],
    )
    held.row_changed = False
    held.legs_changed = set()
    held.events_written = len(call.events)
    return taken


def _row_of(call: Call) -> dict[str, Any]:
    return {name: value for name, value in vars(call).items() if name not in ("events", "legs", "private_number")}
