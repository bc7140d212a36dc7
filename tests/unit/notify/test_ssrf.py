"""Where webhooks may go."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from ivr.notify.ssrf import Forbidden, GuardedResolver, allowed, check_url

INSIDE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_of_a_private_network_is_allowed(address: str) -> None:
    assert not allowed(ipaddress.ip_address(address), loopback=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_the_public_internet_is(address: str) -> None:
    assert allowed(ipaddress.ip_address(address), loopback=False)


def test_in_the_demo_this_machine_is_too_but_nothing_else() -> None:
    assert allowed(ipaddress.ip_address("127.0.0.1"), loopback=True)
    assert not allowed(ipaddress.ip_address("10.0.0.1"), loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:a00:1]/",
        "https://169.254.169.254/latest",
        "ftp://example.com/",
        "http://localhost/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://𝟏𝟐𝟕.0.0.1/",
        "https://127.0.0.1./",
        "https://[::ffff:１０.0.0.1]/",
        "https:///nowhere",
    ],
)
def test_urls_that_are_refused_unasked(url: str) -> None:
    with pytest.raises(Forbidden):
        check_url(url, loopback=False)


def test_in_the_demo_a_url_on_this_machine_needs_no_tls() -> None:
    check_url("http://127.0.0.1:9/x", loopback=True)
    check_url("http://localhost:9/x", loopback=True)
    with pytest.raises(Forbidden):
        check_url("http://example.com/", loopback=True)


class Names(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self.addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_inside_is_refused_even_beside_a_public_address() -> None:
    with pytest.raises(Forbidden):
        await GuardedResolver(loopback=False, inner=Names("93.184.216.34", "10.0.0.1")).resolve("rebound.example", 443)
    found = await GuardedResolver(loopback=False, inner=Names("93.184.216.34")).resolve("public.example", 443)
    assert [one["host"] for one in found] == ["93.184.216.34"]
