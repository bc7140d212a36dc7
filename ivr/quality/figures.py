"""The figures of a call: its legs, each with two directions over time. None means unknown, never perfect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Point:
    """One RTCP report: what happened since the one before."""

    #: Seconds since 1970, by Asterisk's clock.
    at: float
    #: Packets that should have come, and those that did not.
    expected: int
    lost: int
    jitter_ms: float
    #: There and back between Asterisk and the other end; None when the report does not tell.
    rtt_ms: float | None = None

    @property
    def loss(self) -> float | None:
        """A share from 0 to 1."""
        if self.expected > 0:
            return min(1.0, max(0, self.lost) / self.expected)
        return None


@dataclass(frozen=True, kw_only=True)
class Direction:
    """Audio one way on one leg, over the whole call."""

    #: Packets that came, and that did not.
    packets: int | None = None
    lost: int | None = None
    jitter_ms: float | None = None
    points: tuple[Point, ...] = ()

    @property
    def loss(self) -> float | None:
        """A share from 0 to 1; None when it is not known how many came or were lost."""
        if self.packets is None or self.lost is None or self.packets + self.lost <= 0:
            return None
        return max(0, self.lost) / (self.packets + max(0, self.lost))


UNKNOWN = Direction()


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One leg. `up` is what the other end sent to us, `down` what it received of us."""

    #: The phone's account, or the trunk's name.
    name: str
    trunk: bool = False
    codec: str | None = None
    call_id: str | None = None
    remote: str | None = None
    user_agent: str | None = None
    up: Direction = UNKNOWN
    down: Direction = UNKNOWN
    rtt_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class CallFigures:
    """A call as seen from the phone that reports it: its own leg, and the other one if there was one."""

    near: Leg
    far: Leg | None = None
    #: Other calls at the same time whose faults were not their phones' own.
    others_bad: int = 0
