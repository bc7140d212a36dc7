"""RTCP as Asterisk tells it: figures over time, and figures that cannot be."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.evidence.rtcp import Report, direction, read, rebuild, round_trip_ms


def told(at: float = 0, *, block: dict[str, Any] | None = None, **other: Any) -> bytes:
    """As res_hep_rtcp of Asterisk 22.10.1 writes it."""
    values = {
        "source_ssrc": 55735598,
        "fraction_lost": 14,
        "packets_lost": 14,
        "highest_seq_no": 14054,
        "ia_jitter": 16,
        "lsr": "3738225706",
        "dlsr": 14286,
    }
    sender = {
        "ntp_timestamp_sec": "1795383377",
        "ntp_timestamp_usec": "361496",
        "rtp_timestamp": 0,
        "packets": 251,
        "octets": 40160,
    }
    report = {"ssrc": 1022074618, "type": 200, "report_count": 1, "sender_information": sender}
    return json.dumps(report | {"report_blocks": [values | (block or {})]} | other).encode()


def report(at: float, highest: int, lost: int, *, jitter: int = 16, source: int = 7) -> Report:
    block = {"highest_seq_no": highest, "packets_lost": lost, "ia_jitter": jitter, "source_ssrc": source, "lsr": "0"}
    found = read(told(block=block), at)
    assert found is not None
    return found


def test_what_happened_between_reports() -> None:
    found = direction(
        [report(5, 1250, 10), report(10, 1500, 35), report(15, 1750, 35)], packets=990, lost=40, theirs=False
    )
    assert [(p.expected, p.lost) for p in found.points] == [(250, 25), (250, 0)]
    assert (found.packets, found.lost, found.jitter_ms) == (990, 40, 2.0)
    assert found.points[0].loss == pytest.approx(0.1)


def test_sequence_numbers_begin_again() -> None:
    found = direction([report(5, 65500, 0), report(10, 65536 + 214, 5)], packets=None, lost=None, theirs=True)
    assert [(p.expected, p.lost) for p in found.points] == [(250, 5)]
    assert (found.packets, found.lost) == (245, 5)


def test_another_source_begins_anew_and_what_goes_backwards_is_left_out() -> None:
    reports = [report(5, 1000, 0), report(10, 9, 4000, source=8), report(12, 1, 0, source=8), report(11, 20, 0)]
    assert direction(reports, packets=None, lost=None, theirs=True).points == ()


def test_after_a_long_gap_it_goes_on() -> None:
    """As a call of hours is thinned out; and of a sender that counts no rounds of 16 bits, what can be known."""
    reports = [report(5, 1000, 0), report(10, 1250, 0), report(1810, 91250, 400), report(1815, 91500, 410)]
    found = direction(reports, packets=None, lost=None, theirs=True)
    assert [(p.expected, p.lost) for p in found.points] == [(250, 0), (90000, 400), (250, 10)]
    reports = [report(5, 64000, 0), report(10, 64250, 0), report(12, 30000, 0), report(17, 30250, 10)]
    found = direction(reports, packets=None, lost=None, theirs=True)
    assert [(p.expected, p.lost) for p in found.points] == [(250, 0), (250, 10)]


def test_one_invented_report_spoils_no_other() -> None:
    reports = [report(5, 1000, 0), report(10, 60000, 9), report(15, 1500, 3), report(20, 1750, 3)]
    found = direction(reports, packets=None, lost=None, theirs=True)
    assert [(p.expected, p.lost) for p in found.points] == [(500, 3), (250, 0)]


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    reports = [report(5000, 1000, 0), report(5005, 1250, 5), report(1400, 1500, 10), report(1405, 1750, 10)]
    found = direction(reports, packets=None, lost=None, theirs=True)
    assert [(p.at, p.lost) for p in found.points] == [(5005, 5), (5005, 5), (5010, 0)]


def test_no_report_means_unknown() -> None:
    assert direction([], packets=None, lost=None, theirs=True).loss is None


def test_duplicates_make_the_loss_negative() -> None:
    assert report(1, 100, 0xFFFFFE).lost == -2


def test_there_and_back() -> None:
    """RFC 3550's own example (section 6.4.1): 6.125 s, whatever the NTP era."""
    ntp = 0xB710_8000
    found = read(told(block={"lsr": str(0xB705_2000), "dlsr": 0x0005_4000}), 0)
    assert found is not None
    at = (2**32 * 1 + ntp) / 65536 - 2_208_988_800 % 65536
    trip = round_trip_ms(Report(**(vars(found) | {"at": at % 65536})))
    assert trip == pytest.approx(6125, abs=1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        told(report_blocks=[]),
        told(report_blocks="x"),
        told(block={"ia_jitter": -5}),
        told(block={"ia_jitter": 10**9}),
        told(block={"packets_lost": -1}),
        told(block={"highest_seq_no": 2**40}),
        told(block={"highest_seq_no": True}),
        told(block={"fraction_lost": 256}),
        told(block={"source_ssrc": 0}),
        told(ssrc="x"),
        told(sender_information={"packets": -1}),
    ],
)
def test_absurd_reports_say_nothing(payload: bytes) -> None:
    assert read(payload, 0) is None


@given(st.binary(max_size=200))
def test_anything_may_come(noise: bytes) -> None:
    read(noise, 0)


def test_the_packet_again_for_wireshark() -> None:
    """RFC 3550 section 6.4.1: a sender report with one block is 52 bytes, twelve words and one."""
    found = read(told(), 3)
    assert found is not None
    packet = rebuild(found)
    assert len(packet) == 52
    assert struct.unpack("!BBHI", packet[:8]) == (0x81, 200, 12, 1022074618)
    assert struct.unpack("!IIIIII", packet[28:]) == (55735598, 14 << 24 | 14, 14054, 16, 3738225706, 14286)
