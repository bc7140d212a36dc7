"""The figures of a call, from its legs and what the ring kept of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ivr.asterisk.hep import RTCP_JSON, SIP, Packet
from ivr.evidence import rtcp, sip
from ivr.evidence.legs import EndedLeg
from ivr.quality.figures import Direction, Leg


def figures_of(leg: EndedLeg, packets: Sequence[Packet], rtp_ports: tuple[int, int]) -> Leg:
    """One leg. `rtp_ports` are Asterisk's own: what comes from there is what we say of their audio."""
    ours, theirs = split_reports(packets, rtp_ports, leg.their_ssrc)
    up = rtcp.direction(ours, packets=leg.rx, lost=leg.lost, theirs=False)
    down = _down(leg, rtcp.direction(theirs, packets=None, lost=None, theirs=True))
    trips = sorted(point.rtt_ms for point in down.points if point.rtt_ms is not None)
    agents = (sip.read(one.payload) for one in packets if one.kind == SIP)
    known = [message.user_agent for message in agents if message.user_agent not in (None, "omnivigil")]
    return Leg(
        name=leg.name,
        trunk=leg.trunk,
        codec=leg.codec,
        call_id=leg.call_id,
        remote=leg.remote,
        user_agent=known[0] if known else None,
        up=up,
        down=down,
        rtt_ms=trips[len(trips) // 2] if trips else leg.rtt_ms,
    )


def _down(leg: EndedLeg, reported: Direction) -> Direction:
    """The totals at hang-up, if the other end ever reported; their reports for what was when."""
    if leg.tx is None or (leg.their_lost is None and reported.lost is None):
        return reported
    lost = max(leg.their_lost or 0, reported.lost or 0)
    return replace(reported, packets=max(0, leg.tx - lost), lost=lost)


def split_reports(
    packets: Sequence[Packet], rtp_ports: tuple[int, int], their_ssrc: int | None
) -> tuple[list[rtcp.Report], list[rtcp.Report]]:
    """Our reports on what they sent, and theirs on what we sent."""
    ours: list[rtcp.Report] = []
    theirs: list[rtcp.Report] = []
    for packet in packets:
        if packet.kind != RTCP_JSON or (report := rtcp.read(packet.payload, packet.at)) is None:
            continue
        from_us, to_us = (rtp_ports[0] <= end[1] <= rtp_ports[1] + 1 for end in (packet.src, packet.dst))
        if from_us == to_us:
            # The other end's ports look like ours: whose audio it speaks of tells.
            from_us = report.source == their_ssrc
        (ours if from_us else theirs).append(report)
    return ours, theirs
