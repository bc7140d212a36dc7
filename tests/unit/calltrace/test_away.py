"""What the dialplan writes while the service is away, byte for byte as Asterisk did."""

from __future__ import annotations

import pytest

from ivr.calltrace.offline import last_call, read

LAST = (
    "1795384719|ov-1795384710.2|ov-1795384710.3|4e1f1de6-a42e|ulaw|192.0.2.7:53094|14185550101|192.0.2.7:5060|"
    "ssrc=515430165;themssrc=1022074618;lp=12;rxjitter=0.000375;rxcount=602;txjitter=0.000250;txcount=566;rlp=31;"
    "rtt=0.000274;rxmes=76.043043;txmes=88.084426"
)


def test_a_report() -> None:
    found = read(f"v1|6002|ov-1795384720.9|1795384725|47207259|{LAST}\n")
    assert found is not None
    assert (found.phone, found.reference, found.at) == ("6002", "47207259", 1795384725)
    assert found.last is not None
    leg = found.last.leg
    assert (leg.name, leg.caller, leg.lost, leg.their_lost, leg.remote) == ("6002", False, 12, 31, "192.0.2.7:53094")
    assert leg.device == "192.0.2.7:5060"


@pytest.mark.parametrize(
    "text", ["", "v1", "v2|6002|a|1795384725|1|" + LAST, "v1|60 02|a|1795384725|1|" + LAST, "\x00" * 50, "v1||||||"]
)
def test_what_is_no_report(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "text", ["", "x|" * 9, LAST.replace("1795384719", "soon"), LAST.replace("ov-1795384710.3", "?")]
)
def test_what_is_no_call(text: str) -> None:
    assert last_call("6002", text) is None
