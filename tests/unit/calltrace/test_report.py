"""The curves and the ladder of the report's page."""

from __future__ import annotations

from typing import Any

from ivr.asterisk.hep import SIP, Packet
from ivr.calltrace import evidence
from ivr.calltrace.report import HEIGHT, WIDTH, charts, ladder

US, PHONE, TRUNK = ("192.0.2.1", 5060), ("192.0.2.7", 5060), ("198.51.100.2", 5060)


def leg(call_id: str, *points: tuple[float, int, int, float]) -> dict[str, Any]:
    told = [{"at": at, "expected": e, "lost": lost, "jitter_ms": j, "rtt_ms": None} for at, e, lost, j in points]
    way = {"packets": 1, "lost": 0, "jitter_ms": 1.0, "points": told}
    return {"codec": "ulaw", "call_id": call_id, "up": way, "down": way | {"points": []}}


def message(at: float, source: tuple[str, int], target: tuple[str, int], first: str, call: str) -> Packet:
    payload = f"{first}\r\nCSeq: 1 INVITE\r\n\r\n".encode()
    return Packet(at=at, kind=SIP, src=source, dst=target, tcp=False, correlation=call, payload=payload)


def test_curves_stay_within_their_chart_whatever_the_figures() -> None:
    legs = {"near": leg("a", (5, 250, 0, 1), (10, 250, 250, 9999), (15, 0, 0, 0)), "far": leg("b")}
    for chart in charts(legs):
        for curve in chart.curves:
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in curve.dots)
    mos, loss, jitter = charts(legs)
    assert len(mos.curves[0].dots) == len(loss.curves[0].dots) == 2
    assert len(jitter.curves[0].dots) == 3
    assert mos.curves[1].points == ""


def test_without_reports_there_is_no_curve() -> None:
    assert charts({"near": leg("a"), "far": None}) == []


def test_the_ladder_of_both_legs() -> None:
    packets = [
        message(1.0, PHONE, US, "INVITE sip:6002@x SIP/2.0", "a"),
        message(1.1, US, TRUNK, "INVITE sip:6002@y SIP/2.0", "b"),
        message(1.3, TRUNK, US, "SIP/2.0 200 OK", "b"),
        message(1.2, US, PHONE, "SIP/2.0 100 Trying", "a"),
    ]
    steps = ladder({"near": leg("a"), "far": leg("b")}, packets)
    assert [(one.at, one.source, one.target, one.what) for one in steps] == [
        ("0.000", 0, 1, "INVITE"),
        ("0.100", 1, 2, "INVITE"),
        ("0.200", 1, 0, "100 Trying"),
        ("0.300", 2, 1, "200 OK"),
    ]
    assert len(ladder({"near": leg("a"), "far": None}, packets * 100)) <= 120


def test_evidence_comes_out_as_it_went_in() -> None:
    packets = [
        message(1.25, PHONE, US, "BYE sip:x SIP/2.0", "a"),
        message(1.5, ("2001:db8::7", 5060), ("2001:db8::1", 5060), "BYE sip:y SIP/2.0", "b"),
    ]
    assert list(evidence.unpack(evidence.pack(packets))) == packets
    assert evidence.pack([]) == b""
    assert list(evidence.unpack(b"")) == []
