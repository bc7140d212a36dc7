"""Carriers as the operator names them."""

from __future__ import annotations

import ipaddress

import pytest

from ivr.errors import BadInput
from ivr.trunks import Trunk, endpoints, is_trunk


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("198.51.100.0/28", Trunk(host="198.51.100.0/28")),
        ("198.51.100.0/28,identity=from", Trunk(host="198.51.100.0/28")),
        ("sip.carrier.example, identity=asserted", Trunk(host="sip.carrier.example", identity="asserted")),
        ("2001:db8::/48,identity=asserted-or-from", Trunk(host="2001:db8::/48", identity="asserted-or-from")),
    ],
)
def test_a_trunk_as_it_is_written(text: str, wanted: Trunk) -> None:
    assert Trunk.parse(text) == wanted


@pytest.mark.parametrize("text", ["", ",identity=from", "a,identity=", "a,identity=pai", "a,trust=yes", "a,", "a,b"])
def test_what_is_no_trunk_names_the_option_and_the_mend(text: str) -> None:
    with pytest.raises(BadInput, match="--trunk"):
        Trunk.parse(text)


def test_no_address_is_of_two_kinds() -> None:
    """The narrower network's word counts; and of one network the last word."""
    found = endpoints(
        [
            Trunk(host="127.0.0.0/8"),
            Trunk(host="127.0.0.80", identity="asserted"),
            Trunk(host="127.0.0.96/29", identity="asserted-or-from"),
            Trunk(host="127.0.0.97"),
            Trunk(host="2001:db8::/32"),
            Trunk(host="carrier.example", identity="asserted"),
            Trunk(host="192.0.2.1"),
            Trunk(host="192.0.2.1", identity="asserted"),
        ]
    )
    assert [one.name for one in found] == ["trunk", "trunk-asserted", "trunk-asserted-or-from"]
    assert [one.asserts for one in found] == [False, True, True]

    def of(address: str) -> list[str]:
        wanted = ipaddress.ip_address(address)
        return [
            one.name
            for one in found
            for host in one.hosts
            if not host.endswith(".example") and wanted in ipaddress.ip_network(host)
        ]

    assert of("127.0.0.1") == of("127.255.255.255") == of("127.0.0.97") == of("2001:db8::1") == ["trunk"]
    assert of("127.0.0.80") == of("192.0.2.1") == ["trunk-asserted"]
    assert of("127.0.0.96") == of("127.0.0.103") == ["trunk-asserted-or-from"]
    assert "carrier.example" in found[1].hosts


def test_without_a_carrier_there_is_the_trunk_all_the_same() -> None:
    assert [one.name for one in endpoints([])] == ["trunk"]
    assert is_trunk("trunk")
    assert is_trunk("trunk-asserted")
    assert is_trunk("outbound")
    assert not is_trunk("6001")
    assert not is_trunk("")
