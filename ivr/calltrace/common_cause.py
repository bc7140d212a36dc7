"""Tells a bad call that is one of many: what hits many places at once is ours, not each customer's. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ivr.evidence.legs import EndedLeg
from ivr.evidence.packet_buffer import EndedCall

#: A share of packets lost beyond which a call counts, of this many packets at least (5 s of audio).
_LOSS, _FEWEST = 0.01, 250


def bad_at_once(calls: Iterable[EndedCall], *, but: str, site: str | None) -> int:
    """How many other calls, of some that ended just before, had a fault that cannot have been the phone's side alone.

    Calls on which both sides lost audio on their way to us; or the places other than `site` whose phones had a fault,
    if they are as many as the others: where calls rarely have one, a few places' faults are a few faults. `but` is the
    call itself, by its linkedid.
    """
    both = 0
    places: dict[str, bool] = {}
    for call in calls:
        if call.linkedid == but:
            continue
        legs = list(call.legs.values())
        both += len(lost := [_lost_to_us(leg) for leg in legs if leg.rx]) > 1 and min(lost) > _LOSS
        for leg in legs:
            place = site_of(leg.remote)
            if leg.trunk or place is None or place == site or (leg.rx or 0) + (leg.lost or 0) < _FEWEST:
                continue
            arrived = sum(other.lost or 0 for other in legs if other is not leg)
            bad = _lost_to_us(leg) > _LOSS or _lost_from_us(leg, arrived) > _LOSS
            places[place] = places.get(place, False) or bad
    hit = sum(places.values())
    return max(both, hit if 2 * hit >= len(places) else 0)


def site_of(remote: str | None) -> str | None:
    """The place that audio goes to: an address without its port."""
    if remote is not None:
        return remote.rpartition(":")[0] or None
    return None


def _lost_to_us(leg: EndedLeg) -> float:
    return (leg.lost or 0) / max(1, (leg.rx or 0) + (leg.lost or 0))


def _lost_from_us(leg: EndedLeg, never_sent: int) -> float:
    """Return what they miss of ours beyond what we never had to send on."""
    return max(0, (leg.their_lost or 0) - never_sent) / max(1, leg.tx or 0)
