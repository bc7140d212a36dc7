"""Which contacts are rung. The dialplan's regular expressions mean the same to Python's `re`."""

from __future__ import annotations

import re

import pytest

from ivr.asterisk.contacts import CONTACT_REST, elsewhere
from ivr.settings import Address

OURS = Address(host="127.0.0.1", port=5060)
LOOPBACK = elsewhere(sip=OURS, outbound=Address(host="127.0.0.1", port=5321), trunk_hosts=["127.0.0.0/8"])
PUBLIC = elsewhere(
    sip=Address(host="192.0.2.2", port=5060),
    outbound=Address(host="203.0.113.7", port=5070),
    trunk_hosts=["127.0.0.0/8", "198.51.100.16/28", "2001:db8:7::/48"],
)


def rung(contact: str, barred: str = LOOPBACK, account: str = "6001") -> bool:
    """As [own-contact] decides."""
    user = f"^sip:(([A-Za-z][-A-Za-z0-9._~]*|{account}(-0x[0-9a-f]+)?)@)?"
    return re.search(user + CONTACT_REST, contact) is not None and re.search(barred, contact) is None


@pytest.mark.parametrize(
    "contact",
    [
        "sip:6001@127.0.0.1:41234;ob",
        "sip:6001@127.0.0.1",
        "sip:6001@192.0.2.9:5060;transport=TCP;x-ast-orig-host=10.0.0.7:5060",
        "sip:6001@192.0.2.9:1024;line=9fk2;+sip.instance=urn:uuid:00000000",
        "sip:6001-0x55ce12@192.0.2.9:5062",
        "sip:kf3q2m1p@192.0.2.9:5062;transport=ws",
        "sip:6001@[2001:db8::9]:5060",
        "sip:192.0.2.9:5061",
    ],
)
def test_phones_are_rung(contact: str) -> None:
    """What phones register, behind a NAT too; the last port of ours is not the port of a phone."""
    if contact == "sip:6001@127.0.0.1":
        assert not rung(contact)
    else:
        assert rung(contact)
        assert rung(contact, PUBLIC)


@pytest.mark.parametrize(
    "contact",
    [
        "sip:19005551234@192.0.2.9:5060",
        "sip:+19005551234@192.0.2.9",
        "sip:%31900@192.0.2.9",
        "sip:60011@192.0.2.9",
        "sip:6001:secret@192.0.2.9",
        "sip:@192.0.2.9:5060",
        "sips:6001@192.0.2.9",
        "tel:+19005551234",
        "sip:6001@carrier.example",
        "sip:6001@2130706433",
        "sip:6001@0177.0.0.1:41234",
        "sip:6001@127.1:41234",
        "sip:x&PJSIP/outbound/sip:0114@192.0.2.9",
        "sip:a,40,@192.0.2.9",
        "sip:6001@192.0.2.9;maddr=203.0.113.7",
        "sip:6001@192.0.2.9;MADDR=203.0.113.7",
        "sip:6001@192.0.2.9;%6daddr=203.0.113.7",
        "sip:6001@192.0.2.9;a=b&PJSIP/outbound",
        "sip:6001@192.0.2.9?Replaces=x",
        'sip:6001@192.0.2.9;a="b"',
        "",
    ],
)
def test_anything_else_is_not(contact: str) -> None:
    """Numbers, names, other spellings of an address, what Dial would split, and where a request goes in truth."""
    assert not rung(contact)


@pytest.mark.parametrize("place", ["127.0.0.1:5321", "127.9.9.9:5321", "127.0.0.1:5060", "127.0.0.1", "[::1]:5321"])
def test_neither_we_nor_the_way_out_are_phones_on_loopback(place: str) -> None:
    assert not rung(f"sip:6001@{place}")
    assert not rung(f"sip:6001@{place};ob")
    assert not rung(f"sip:{place}")
    assert not rung(f"sip:6001@{place};transport=TCP")


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("203.0.113.7", False),
        ("203.0.113.7:1", False),
        ("203.0.113.70:5070", True),
        ("198.51.100.16:5060", False),
        ("198.51.100.31:9", False),
        ("198.51.100.32:9", True),
        ("198.51.100.15:9", True),
        ("[2001:db8:7:1::5]:5060", False),
        ("[2001:db8:8:1::5]:5060", True),
        ("192.0.2.2:5060", False),
        ("192.0.2.2", False),
        ("192.0.2.2:5061", True),
        ("127.0.0.1:5321", True),
    ],
)
def test_a_carrier_is_meant_with_all_its_ports(place: str, allowed: bool) -> None:
    assert rung(f"sip:6001@{place}", PUBLIC) is allowed


def test_a_name_that_nobody_knows_does_not_stop_the_line() -> None:
    barred = elsewhere(sip=OURS, outbound=Address(host="carrier.invalid", port=5060), trunk_hosts=[])
    assert rung("sip:6001@192.0.2.9:5060", barred)
