"""On whose side a fault is, from four directions: up and down on the reporter's leg and on the other one. Pure.

Asterisk keeps the gaps of what it forwards, so the far end reports them again: what a leg's `down` lost beyond
the other leg's `up` is its own. Our own fault is looked for first: it must never be blamed on a customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivr.quality.figures import CallFigures, Direction, Leg

Cause = Literal["uplink", "downlink", "access", "trunk", "other-party", "ours", "inconclusive"]

#: Fewer packets than this (5 s of 20 ms) say nothing.
FEWEST = 250
#: A share of packets lost beyond which it is heard.
_LOSS = 0.007
#: Mean deviation of arrival, in ms, beyond which a telephone's buffer gives up.
_JITTER_MS = 18.0
#: There and back on one leg, in ms: half of it is beyond what a conversation bears with the other leg's.
_RTT_MS = 150.0
#: So many other calls with the same trouble are no accident.
_MANY = 3


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One finding, by its key in the texts, with the figures that fill it in."""

    key: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A cause, how sure it is (0 to 1), and why."""

    cause: Cause
    confidence: float
    reasons: tuple[Reason, ...]

    @property
    def inside(self) -> bool:
        """Within OMNIVIGIL or one of its suppliers (OV-24)."""
        return self.cause in ("ours", "trunk")

    @property
    def outside(self) -> bool:
        """Beyond the demarcation point (OV-18, OV-24)."""
        return self.cause in ("uplink", "downlink", "access", "other-party")


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """One direction: whether it is bad by itself (None: unknown), how far beyond the limit, and why."""

    bad: bool | None
    excess: float = 0.0
    reason: Reason | None = None


def judge(call: CallFigures) -> Verdict:
    """The verdict on a call."""
    near, far = call.near, call.far
    if _silent(near) and (far is None or _silent(far)):
        return Verdict(cause="inconclusive", confidence=0.0, reasons=(Reason(key="no-packets"),))
    packets = max(_count(near.up), _count(far.up) if far is not None else 0)
    if packets < FEWEST:
        return Verdict(
            cause="inconclusive", confidence=0.0, reasons=(Reason(key="too-short", values={"packets": float(packets)}),)
        )
    none = _Finding(bad=False)
    near_up = _up(near, "near-up")
    near_down = _down(near, far.up if far is not None else None, "near-down")
    far_up = _up(far, "far-up") if far is not None else none
    far_down = _down(far, near.up, "far-down") if far is not None else none
    near_slow, far_slow = _slow(near, "near-slow"), _slow(far, "far-slow") if far is not None else none
    findings = (near_up, near_down, far_up, far_down, near_slow, far_slow)
    reasons = tuple(one.reason for one in findings if one.reason is not None)
    cause = _cause(call, near_up, near_down, far_up, far_down, near_slow, far_slow)
    if cause == "inconclusive":
        if any(one.bad for one in findings):
            reasons += (Reason(key="mixed"),)
        elif any(one.bad is None for one in findings):
            reasons += (Reason(key="unknown-direction"),)
        else:
            reasons = (Reason(key="clean"),)
        return Verdict(cause=cause, confidence=0.0, reasons=reasons)
    if call.others_bad >= _MANY:
        reasons += (Reason(key="many-calls", values={"calls": float(call.others_bad)}),)
    excess = max(one.excess for one in findings)
    unknown = sum(one.bad is None for one in findings)
    confidence = (0.6 + 0.39 * min(1.0, excess / 4) * min(1.0, packets / 1000)) * 0.85**unknown
    return Verdict(cause=cause, confidence=round(confidence, 2), reasons=reasons)


def _cause(
    call: CallFigures,
    near_up: _Finding,
    near_down: _Finding,
    far_up: _Finding,
    far_down: _Finding,
    near_slow: _Finding,
    far_slow: _Finding,
) -> Cause:
    near_bad = bool(near_up.bad or near_down.bad or near_slow.bad)
    far_bad = bool(far_up.bad or far_down.bad or far_slow.bad)
    ours = (near_up.bad and far_up.bad) or (near_down.bad and far_down.bad) or (near_slow.bad and far_slow.bad)
    if ours or (call.others_bad >= _MANY and (near_bad or far_bad)):
        return "ours"
    if near_bad and far_bad:
        # Two faults at once, or ours in an unusual shape: a person must look.
        return "inconclusive"
    if far_bad:
        if call.far is not None and call.far.trunk:
            return "trunk"
        return "other-party"
    if not near_bad:
        return "inconclusive"
    if far_up.bad is None:
        # The gaps may have come with the other leg's audio, or both sides' may be ours.
        return "inconclusive"
    if bool(near_up.bad) == bool(near_down.bad):
        # Both, or neither: then it is the round trip, which has no direction.
        return "access"
    # A queue that shakes one direction makes the round trip long too.
    if near_up.bad:
        return "uplink"
    return "downlink"


def _silent(leg: Leg) -> bool:
    return not leg.up.packets and not leg.down.packets


def _count(direction: Direction) -> int:
    return (direction.packets or 0) + max(0, direction.lost or 0)


def _up(leg: Leg, key: str) -> _Finding:
    """Return what came to us, counted by ourselves."""
    if leg.up.packets == 0 and leg.down.packets:
        return _Finding(bad=True, excess=4.0, reason=Reason(key=f"{key}-silent"))
    return _finding(leg.up.loss, _count(leg.up), leg.up.jitter_ms, key)


def _down(leg: Leg, source: Direction | None, key: str) -> _Finding:
    """Return what the other end says it received, less what we never had to send on."""
    if leg.down.loss is None:
        return _Finding(bad=None, reason=Reason(key=f"{key}-unknown"))
    loss, jitter, count = leg.down.loss, leg.down.jitter_ms, _count(leg.down)
    noise = 0.0
    if source is not None and source.lost is not None and source.loss is not None:
        # Counted, not in shares: what we had to send on already had these gaps.
        loss = max(0, (leg.down.lost or 0) - source.lost) / max(1, count)
        # Our count is as old as our last report, up to 5 s: what was lost since then is no difference.
        noise = 1.5 * FEWEST * source.loss / max(1, count)
        if jitter is not None and source.jitter_ms is not None and jitter < 1.5 * source.jitter_ms + 5:
            # It came with the audio.
            jitter = 0.0
    return _finding(loss, count, jitter, key, noise=noise)


def _finding(loss: float | None, count: int, jitter_ms: float | None, key: str, *, noise: float = 0.0) -> _Finding:
    if loss is None or count < FEWEST:
        return _Finding(bad=None, reason=Reason(key=f"{key}-unknown"))
    limit = max(_LOSS, 4 / count, noise)
    if loss > limit:
        return _Finding(bad=True, excess=loss / limit, reason=Reason(key=f"{key}-loss", values={"loss": loss * 100}))
    if jitter_ms is not None and jitter_ms > _JITTER_MS:
        reason = Reason(key=f"{key}-jitter", values={"jitter": jitter_ms})
        return _Finding(bad=True, excess=jitter_ms / _JITTER_MS, reason=reason)
    return _Finding(bad=False)


def _slow(leg: Leg, key: str) -> _Finding:
    if leg.rtt_ms is None:
        return _Finding(bad=False)
    if leg.rtt_ms > _RTT_MS:
        return _Finding(bad=True, excess=leg.rtt_ms / _RTT_MS, reason=Reason(key=key, values={"rtt": leg.rtt_ms}))
    return _Finding(bad=False)
