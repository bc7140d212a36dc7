"""Works out the report's page from a kept trace: curves over time and the SIP ladder. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ivr.asterisk.hep import SIP, Packet
from ivr.evidence import sip
from ivr.quality.emodel import score

WIDTH, HEIGHT = 640, 130
_LEFT, _BOTTOM = 44, 20
#: More messages than anybody reads.
_LADDER_ROWS = 120


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One direction in a chart: `points` as SVG wants them; empty when nothing is known."""

    key: str
    points: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One figure over time. `ticks` are (y, label), `times` are (x, label in seconds)."""

    key: str
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One message of the ladder: columns 0 (the phone), 1 (us), 2 (the other side)."""

    at: str
    source: int
    target: int
    what: str


def directions(legs: Mapping[str, Any]) -> list[tuple[str, str | None, list[Mapping[str, Any]]]]:
    """(near-up and so on, codec, points) of every direction there is."""
    return [
        (f"{name}-{way}", leg["codec"], list(leg[way]["points"]))
        for name in ("near", "far")
        if (leg := legs.get(name)) is not None
        for way in ("up", "down")
    ]


def scores(legs: Mapping[str, Any]) -> dict[str, float | None]:
    """The mean opinion (ITU-T G.107) of each direction over the whole call; None is unknown."""
    found: dict[str, float | None] = {}
    for name in ("near", "far"):
        if (leg := legs.get(name)) is None:
            continue
        for way in ("up", "down"):
            packets, lost = leg[way]["packets"], leg[way]["lost"]
            known = packets is not None and lost is not None and packets + max(0, lost) > 0
            share = max(0, lost) / (packets + max(0, lost)) if known else None
            one = score(leg["codec"], share, (leg["rtt_ms"] or 0) / 2)
            found[f"{name}-{way}"] = one.mos if one is not None else None
    return found


def charts(legs: Mapping[str, Any]) -> list[Chart]:
    """Score, loss and jitter of every direction, on one time scale."""
    found = directions(legs)
    moments = [point["at"] for _, _, points in found for point in points]
    if not moments:
        return []
    start, end = min(moments), max(max(moments), min(moments) + 1)

    def loss(_: str | None, point: Mapping[str, Any]) -> float | None:
        return 100 * point["lost"] / point["expected"] if point["expected"] else None

    def mos(codec: str | None, point: Mapping[str, Any]) -> float | None:
        share = loss(codec, point)
        one = None
        if share is not None:
            one = score(codec, min(1.0, share / 100), (point["rtt_ms"] or 0) / 2)
        return one.mos if one is not None else None

    def jitter(_: str | None, point: Mapping[str, Any]) -> float | None:
        value: float = point["jitter_ms"]
        return value

    losses = [value for codec, points in _points(found) if (value := loss(codec, points)) is not None]
    jitters = [value for codec, points in _points(found) if (value := jitter(codec, points)) is not None]
    return [
        _chart("mos", found, mos, 1.0, 4.5, start, end),
        _chart("loss", found, loss, 0.0, _round_up(max(losses, default=0), 5), start, end),
        _chart("jitter", found, jitter, 0.0, _round_up(max(jitters, default=0), 20), start, end),
    ]


def _points(
    found: Sequence[tuple[str, str | None, list[Mapping[str, Any]]]],
) -> list[tuple[str | None, Mapping[str, Any]]]:
    return [(codec, point) for _, codec, points in found for point in points]


def _round_up(value: float, step: int) -> float:
    return float(step * max(1, -(-value // step)))


def _chart(
    key: str,
    found: Sequence[tuple[str, str | None, list[Mapping[str, Any]]]],
    figure: Callable[[str | None, Mapping[str, Any]], float | None],
    low: float,
    high: float,
    start: float,
    end: float,
) -> Chart:
    def x(at: float) -> float:
        return round(_LEFT + (at - start) / (end - start) * (WIDTH - _LEFT - 10), 1)

    def y(value: float) -> float:
        share = (min(high, max(low, value)) - low) / (high - low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _BOTTOM - 8), 1)

    curves = []
    for name, codec, points in found:
        known = [(x(point["at"]), y(value)) for point in points if (value := figure(codec, point)) is not None]
        curves.append(Curve(key=name, points=" ".join(f"{a},{b}" for a, b in known), dots=tuple(known)))
    middle = (low + high) / 2
    ticks = tuple((y(value), f"{value:g}") for value in (low, middle, high))
    times = tuple((x(start + share * (end - start)), f"{share * (end - start):.0f} s") for share in (0, 0.5, 1))
    return Chart(key=key, curves=tuple(curves), ticks=ticks, times=times)


def ladder(legs: Mapping[str, Any], packets: Sequence[Packet]) -> list[Step]:
    """The SIP messages of both legs, in order; what comes after the first many is left out."""
    messages = sorted((packet for packet in packets if packet.kind == SIP), key=lambda packet: packet.at)
    if not messages:
        return []
    start = messages[0].at
    columns = {leg["call_id"]: column for name, column in (("near", 0), ("far", 2)) if (leg := legs.get(name))}
    # The source or target of a leg's first message is its other end: an INVITE of theirs, or of ours.
    ours = _our_address(messages)
    steps = []
    for packet in messages[:_LADDER_ROWS]:
        column = columns.get(packet.correlation, 0)
        from_us = packet.src == ours
        steps.append(
            Step(
                at=f"{packet.at - start:.3f}",
                source=1 if from_us else column,
                target=column if from_us else 1,
                what=sip.read(packet.payload).what,
            )
        )
    return steps


def _our_address(messages: Sequence[Packet]) -> tuple[str, int]:
    """The end that every message has; of a single leg, where its first one went unless we are the one who sent it."""
    ends = {messages[0].src, messages[0].dst}
    for packet in messages:
        ends &= {packet.src, packet.dst}
    if len(ends) == 1:
        return ends.pop()
    return messages[0].src if sip.read(messages[0].payload).user_agent == "omnivigil" else messages[0].dst
