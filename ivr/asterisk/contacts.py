"""Where a registered contact may lead: to the phone that registered it, and to nothing that carries calls for money.

What is made here are regular expressions (POSIX, extended) for the dialplan, which looks at each contact before it is
rung (`[own-contact]`). RFC 3261 section 10 lets a phone name any address as its contact.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator

from ivr.settings import Address

_OCTET = "(0|[1-9][0-9]?[0-9]?)"
_SAID = "[]A-Za-z0-9._~+:[-]"

#: What follows a contact's user: an address in digits as Asterisk writes it, a port, and harmless parameters.
#: Not a name, which can lead anywhere tomorrow; nothing that Dial or a carrier reads as more than an address.
CONTACT_REST = (
    rf"({_OCTET}[.]{_OCTET}[.]{_OCTET}[.]{_OCTET}|\[[0-9a-fA-F:]+])(:[1-9][0-9]*)?"
    rf"(;[A-Za-z0-9._~+-]+(={_SAID}*)?)*$"
)
#: RFC 3261 section 19.1.1: « maddr » is where a request goes, whatever the host is.
_MADDR = ";[mM][aA][dD][dD][rR]="


def elsewhere(*, sip: Address, outbound: Address | None, trunk_hosts: Iterable[str]) -> str:
    """Return what no phone's contact may match: ourselves, where calls to the outside go, and the trunks' networks.

    On loopback, where everything of a demo lives, ports tell apart; a carrier on a network is meant with all its ports.
    A host's name is looked up, and left out when nobody knows it: a contact's user is no number, so that it still would
    name nobody there.
    """
    places = [_port_of_loopback(sip.port)] if sip.loopback or sip.host in ("0.0.0.0", "::") else []  # noqa: S104
    if not sip.loopback:
        places += [_place(network, sip.port) for network in _networks(sip.host)]
    if outbound is not None:
        places += [
            _port_of_loopback(outbound.port) if network.is_loopback else _place(network, None)
            for network in _networks(outbound.host)
        ]
    for host in trunk_hosts:
        places += [_place(network, None) for network in _networks(host) if not network.is_loopback]
    if places:
        return rf"(@|^sip:)({'|'.join(dict.fromkeys(places))})(;|$)|{_MADDR}"
    return _MADDR


def _networks(host: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        yield ipaddress.ip_network(host, strict=False)
    except ValueError:
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
        except OSError:
            return
        for address in sorted(found):
            yield ipaddress.ip_network(address.partition("%")[0])


def _port_of_loopback(port: int) -> str:
    return rf"(127[.][0-9.]+|\[::1]){_port(port)}"


def _place(network: ipaddress.IPv4Network | ipaddress.IPv6Network, port: int | None) -> str:
    where = "(:[0-9]+)?" if port is None else _port(port)
    if isinstance(network, ipaddress.IPv6Network):
        # As Asterisk writes it; a network is told from another at its colons.
        whole = network.prefixlen // 16
        start = "".join(f"{int(part, 16):x}:" for part in network.exploded.split("/")[0].split(":")[:whole])
        single = network.prefixlen == network.max_prefixlen
        if single:
            return rf"\[{network.network_address}]{where}"
        return rf"\[{start}[0-9a-f:]*]{where}"
    first, last = network.network_address.packed, network.broadcast_address.packed
    octets = [_octet(low, high) for low, high in zip(first, last, strict=True)]
    return rf"{'[.]'.join(octets)}{where}"


def _octet(low: int, high: int) -> str:
    """Every number of one part of a network's addresses: its bits make it one number, or a whole stretch."""
    if low == high:
        return str(low)
    if (low, high) == (0, 255):
        return "[0-9]+"
    return f"({'|'.join(str(n) for n in range(low, high + 1))})"


def _port(port: int) -> str:
    if port == 5060:
        return f"(:{port})?"
    return f":{port}"
