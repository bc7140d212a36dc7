"""RTCP as res_hep_rtcp tells it: JSON of sender and receiver reports (RFC 3550 section 6.4). Pure, and distrustful."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from ivr.quality.figures import Direction, Point

#: Seconds between 1900, where NTP's time begins, and 1970.
_NTP = 2_208_988_800
#: Jitter beyond this, in ms, and a round trip beyond this, are no figures of a network but garbage.
_ABSURD_JITTER_MS, _ABSURD_RTT_MS = 10_000.0, 30_000.0
#: Packets between two reports: at most so many a second (10 ms each, and some more), and so many beside that since
#: reports can come late; where the time between them is not known, ten minutes of them.
_MOST_A_SECOND, _MOST_AT_ONCE, _MOST_WHATEVER = 120, 3_000, 30_000
#: A report that is so much earlier than the one before, in seconds, is no late one: the clock was set back.
_SET_BACK_S = 1.0
#: All audio here is counted in eighths of milliseconds, G.722 included (RFC 3551 section 4.5.2).
_CLOCK_KHZ = 8


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one side says of the audio it received; counters are of the whole call so far."""

    at: float
    #: Whose audio it speaks of.
    source: int
    lost: int
    highest: int
    jitter_ms: float
    rtt_ms: float | None
    #: For rebuilding the packet.
    sender: int
    fraction: int
    lsr: int
    dlsr: int
    #: Packets, octets, RTP time, NTP seconds and microseconds, where it also tells what it sent.
    sent: tuple[int, int, int, int, int] | None


def read(payload: bytes, at: float) -> Report | None:
    """A report with exactly what a report has; None when it says nothing, or nothing that can be."""
    try:
        told = json.loads(payload)
        block = told["report_blocks"][0]
        lost = _integer(block["packets_lost"], 0xFFFFFF)
        found = Report(
            at=at,
            source=_integer(block["source_ssrc"], 0xFFFFFFFF),
            # 24 bits with a sign: duplicates make it negative.
            lost=lost - 0x1000000 if lost > 0x7FFFFF else lost,
            highest=_integer(block["highest_seq_no"], 0xFFFFFFFF),
            jitter_ms=_integer(block["ia_jitter"], 0xFFFFFFFF) / _CLOCK_KHZ,
            rtt_ms=None,
            sender=_integer(told["ssrc"], 0xFFFFFFFF),
            fraction=_integer(block["fraction_lost"], 0xFF),
            lsr=_integer(block["lsr"], 0xFFFFFFFF),
            dlsr=_integer(block["dlsr"], 0xFFFFFFFF),
            sent=_sent(told.get("sender_information")),
        )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    if found.source == 0 or found.jitter_ms > _ABSURD_JITTER_MS:
        return None
    return found


def _integer(value: object, highest: int) -> int:
    if isinstance(value, int | str) and not isinstance(value, bool):
        number = int(value)
    else:
        number = -1
    if not 0 <= number <= highest:
        raise ValueError(value)
    return number


def _sent(told: object) -> tuple[int, int, int, int, int] | None:
    if not isinstance(told, dict):
        return None
    seconds, micros = _integer(told["ntp_timestamp_sec"], 2**33), _integer(told["ntp_timestamp_usec"], 10**6)
    packets, octets = _integer(told["packets"], 0xFFFFFFFF), _integer(told["octets"], 0xFFFFFFFF)
    return packets, octets, _integer(told["rtp_timestamp"], 0xFFFFFFFF), seconds, micros


def round_trip_ms(report: Report) -> float | None:
    """There and back, since we sent what the report answers (RFC 3550 section 6.4.1); None if it cannot be."""
    if report.lsr == 0:
        return None
    arrival = int((report.at + _NTP) * 65536) & 0xFFFFFFFF
    trip = (arrival - report.lsr - report.dlsr) & 0xFFFFFFFF
    if trip > 0x80000000:
        # A few ms early, by the precision of the clocks in between.
        if trip > 0xFFFFF000:
            return 0.0
        return None
    found = trip / 65.536
    if found <= _ABSURD_RTT_MS:
        return round(found, 2)
    return None


def direction(reports: Iterable[Report], *, packets: int | None, lost: int | None, theirs: bool) -> Direction:
    """One direction over time. `packets` and `lost` are the totals counted here, where there are such.

    In the order in which they came: the clock that they are stamped with may have been set back in between.
    `theirs`: the reports came from the other end, so that they tell the round trip too, and their own totals count.
    """
    points: list[Point] = []
    before: Report | None = None
    doubted: Report | None = None
    jitters: list[float] = []
    expected_in_all = 0
    set_back = 0.0
    for report in reports:
        if before is not None and report.source != before.source:
            before = doubted = None
        if before is not None:
            if not _follows(before, report):
                if doubted is None or not _follows(doubted, report):
                    # Late, repeated or invented; if the next one follows it, a beginning after a long gap.
                    doubted = report
                    continue
                before = doubted
            doubted = None
            set_back += max(0.0, before.at - report.at)
            expected, gone = _sent_since(before, report), report.lost - before.lost
            if expected:
                expected_in_all += expected
                at, trip = report.at + set_back, round_trip_ms(report) if theirs else None
                points.append(
                    Point(at=at, expected=expected, lost=max(0, gone), jitter_ms=report.jitter_ms, rtt_ms=trip)
                )
        if report.highest & 0xFFFF:
            jitters.append(report.jitter_ms)
        before = report
    if theirs and lost is None:
        if not points:
            return Direction()
        lost = sum(point.lost for point in points)
        packets = expected_in_all - lost
    jitters = sorted(jitters)
    jitter = jitters[len(jitters) // 2] if jitters else None
    return Direction(packets=packets, lost=lost, jitter_ms=jitter, points=tuple(points))


def _follows(before: Report, report: Report) -> bool:
    """Return whether a report can be one after another, of the same source. One a little earlier came late."""
    expected, elapsed = _sent_since(before, report), report.at - before.at
    if -_SET_BACK_S < elapsed <= 0:
        return False
    most = _MOST_AT_ONCE + _MOST_A_SECOND * elapsed if elapsed > 0 else _MOST_WHATEVER
    return expected <= most and report.lost - before.lost <= expected


def _sent_since(before: Report, report: Report) -> int:
    """By the sequence numbers, which wrap at 32 bits, or with a sender that does not count its rounds at 16."""
    whole = (report.highest - before.highest) & 0xFFFFFFFF
    if whole < 0x80000000:
        return whole
    return whole & 0xFFFF


def rebuild(report: Report) -> bytes:
    """The packet again, in its own form (RFC 3550), so that Wireshark reads it."""
    block = struct.pack(
        "!IIIIII",
        report.source,
        report.fraction << 24 | report.lost & 0xFFFFFF,
        report.highest,
        int(report.jitter_ms * _CLOCK_KHZ),
        report.lsr,
        report.dlsr,
    )
    if report.sent is None:
        return struct.pack("!BBHI", 0x81, 201, 7, report.sender) + block
    packets, octets, rtp_time, seconds, micros = report.sent
    info = struct.pack("!IIIII", (seconds + _NTP) & 0xFFFFFFFF, micros * 4294 & 0xFFFFFFFF, rtp_time, packets, octets)
    return struct.pack("!BBHI", 0x81, 200, 12, report.sender) + info + block
