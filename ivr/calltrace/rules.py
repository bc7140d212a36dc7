"""Decides on a report: how urgent it is, who gets it, and when several of them are one incident. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ivr.clock import require_aware
from ivr.quality.emodel import score
from ivr.quality.figures import UNKNOWN, CallFigures, Direction
from ivr.quality.verdict import Verdict
from ivr.tickets.model import Priority

Route = Literal["partner", "level-2", "level-4", "customer"]

#: The opinion from which on few are dissatisfied (ITU-T G.109: R of 70).
_GOOD = 3.6
#: The number of reports that share something, within this long, are proposed as an incident.
TOGETHER = 3
TOGETHER_WITHIN = timedelta(minutes=15)


def call_mos(call: CallFigures) -> float | None:
    """The worse of what the reporter heard and of what the other side heard of them; None is unknown.

    Of a direction whose end does not say what it received, only what we lost on the way to it is known. If that is
    bad, so is the call; if it is good, the call may still have been anything.
    """
    near, far = call.near, call.far
    one_way = None
    if near.rtt_ms is not None:
        one_way = min(5000.0, (near.rtt_ms + (far.rtt_ms or 0.0 if far is not None else 0.0)) / 2)
    ends = [(near.down, far.up if far is not None else UNKNOWN), (far.down if far is not None else near.up, near.up)]
    scores = [score(near.codec, _loss(*ways), one_way) for ways in ends]
    known = [one.mos for one in scores if one is not None]
    if not known or (min(known) >= _GOOD and any(received.loss is None for received, _ in ends)):
        return None
    return min(known)


def _loss(received: Direction, sent: Direction) -> float | None:
    if received.loss is not None:
        return received.loss
    return sent.loss


def silent(call: CallFigures) -> bool:
    """No audio at all, in one direction or in both."""
    legs = [call.near] if call.far is None else [call.near, call.far]
    return any(leg.up.packets == 0 for leg in legs)


def priority_of(mos: float | None, no_audio: bool) -> Priority:
    """OV-13 for calls: none or next to none of it understood is Haute, annoying is Moyenne, the rest Normale."""
    if no_audio or (mos is not None and mos < 2.6):
        return "haute"
    if mos is None or mos < _GOOD:
        return "moyenne"
    return "normale"


def route_of(verdict: Verdict, *, partner: bool) -> Route:
    """OV-24 where the cause is known, OV-16 where it is not."""
    if verdict.inside:
        return "level-4"
    if partner:
        return "partner"
    if verdict.outside:
        return "customer"
    return "level-2"


LEVELS = {"level-2": 2, "level-4": 4}


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The property that several reports share."""

    by: Literal["trunk", "site", "codec"]
    value: str
    traces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A report, as far as it may be one of several."""

    id: str
    at: datetime
    trunk: str | None
    site: str | None
    codec: str | None


def together(reports: Sequence[Reported], now: datetime) -> list[Shared]:
    """Return what at least TOGETHER of the reports within TOGETHER_WITHIN before `now` share."""
    recent = [one for one in reports if require_aware(now) - TOGETHER_WITHIN < one.at <= now + timedelta(seconds=1)]
    found: list[Shared] = []
    for by in ("trunk", "site", "codec"):
        groups: dict[str, list[str]] = {}
        for one in recent:
            value = getattr(one, by)
            if value is not None:
                groups.setdefault(value, []).append(one.id)
        found += [
            Shared(by=by, value=value, traces=tuple(ids)) for value, ids in groups.items() if len(ids) >= TOGETHER
        ]
    return found
