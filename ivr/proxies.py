"""Whose word is believed on whom a request comes from: proxies that the operator names, and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ivr.errors import BadInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Addresses or networks, with commas between them.
VARIABLE = "OMNIVIGIL_PROXIES"


def read(environment: Mapping[str, str]) -> tuple[Network, ...]:
    """The networks of the proxies before the HTTP server; none when none is named. Raises BadInput."""
    return tuple(_network(part.strip()) for part in environment.get(VARIABLE, "").split(",") if part.strip())


def _network(text: str) -> Network:
    mend = "write addresses or networks with commas between them, as in 127.0.0.1,10.0.0.0/24"
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        problem = f"{text!r} is neither an address nor a network"
        raise BadInput(field=VARIABLE, problem=problem, mend=mend) from error
    if found.prefixlen == 0:
        raise BadInput(field=VARIABLE, problem=f"{text} is everybody", mend=mend)
    return found
