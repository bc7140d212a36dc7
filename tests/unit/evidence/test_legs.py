"""What Asterisk says of a leg when it ends."""

from __future__ import annotations

import pytest

from ivr.evidence.legs import read

EVENT = {
    "event": "UserEvent",
    "userevent": "OvLeg",
    "channelstate": "6",
    "connectedlinenum": "14185550102",
    "linked": "ov-1795383372.2",
    "uniqueid": "ov-1795383372.2",
    "channel": "PJSIP/6001-00000001",
    "phone": "6001",
    "callid": ".oA21-a5-wKCBAfTtUj98lXEBKv8LsyX",
    "codec": "ulaw",
    "rtcp": "ssrc=1270330656;themssrc=55735598;lp=29;rxjitter=0.000250;rxcount=566;txjitter=0.000250;txcount=602;"
    "rlp=3;rtt=0.001312;rxmes=88.079737;txmes=66.033362",
    "remote": "127.0.0.1:44218",
    "kind": "",
}


def test_a_leg() -> None:
    leg = read(EVENT)
    assert leg is not None
    assert (leg.name, leg.caller, leg.answered, leg.trunk, leg.feature) == ("6001", True, True, False, False)
    assert (leg.rx, leg.lost, leg.tx, leg.their_lost, leg.rtt_ms) == (566, 29, 602, 3, 1.31)
    assert leg.started == 1795383372


def test_zeros_of_a_phone_that_never_reported_mean_unknown() -> None:
    leg = read(EVENT | {"rtcp": "ssrc=1;themssrc=2;lp=0;rxcount=500;txcount=500;rlp=0;rtt=0.000000"})
    assert leg is not None
    assert (leg.their_lost, leg.rtt_ms) == (None, None)


@pytest.mark.parametrize(
    "change",
    [{"userevent": "Other"}, {"phone": ""}, {"phone": "a b"}, {"uniqueid": "x"}, {"linked": ""}, {"phone": "6" * 41}],
)
def test_what_is_no_leg_is_none(change: dict[str, str]) -> None:
    assert read(EVENT | change) is None


@pytest.mark.parametrize("rtcp", ["", "lp=-5;rxcount=-1", "lp=99999999999;rxcount=nan", "rtt=1e9;lp=", ";;;" * 3000])
def test_absurd_figures_are_unknown(rtcp: str) -> None:
    leg = read(EVENT | {"rtcp": rtcp})
    assert leg is not None
    assert (leg.rx, leg.lost, leg.their_lost, leg.rtt_ms) == (None, None, None, None)


def test_a_feature_codes_leg_is_no_call() -> None:
    leg = read(EVENT | {"kind": "trace"})
    assert leg is not None
    assert leg.feature
