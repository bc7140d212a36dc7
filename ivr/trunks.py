"""The carriers whose calls come in, and what the word of each on who calls is worth: as the operator says."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ivr.errors import BadInput

#: Where a caller's number is taken from: From; what the carrier asserts, P-Asserted-Identity (RFC 3325) or
#: Remote-Party-ID; or this where it is there, and else From.
Identity = Literal["from", "asserted", "asserted-or-from"]
#: Asterisk's endpoints, one for each way. All begin with `trunk`, by which the dialplan knows that it is no phone.
_ENDPOINTS: Mapping[Identity, str] = {
    "from": "trunk",
    "asserted": "trunk-asserted",
    "asserted-or-from": "trunk-asserted-or-from",
}
_OPTION = re.compile(r"(identity)=([a-z-]*)")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """One carrier: a network, an address or a host's name, and whose word on the caller counts."""

    host: str
    identity: Identity = "from"

    @classmethod
    def parse(cls, text: str) -> Trunk:
        """Read HOST or HOST,identity=WAY. Raises BadInput."""
        host, *options = text.split(",")
        identity: Identity = "from"
        ways = ", ".join(get_args(Identity))
        for option in options:
            found = _OPTION.fullmatch(option.strip())
            known = [one for one in get_args(Identity) if found is not None and one == found[2]]
            if not known:
                mend = f"write it as 198.51.100.0/28,identity=asserted; identity is one of {ways}"
                raise BadInput(field="--trunk", problem=f"{option!r} is no option of a trunk", mend=mend)
            identity = known[0]
        if not host.strip():
            raise BadInput(field="--trunk", problem=f"{text!r} names no network", mend="write it as 198.51.100.0/28")
        return cls(host=host.strip(), identity=identity)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The carriers that are trusted alike, as Asterisk has them."""

    name: str
    identity: Identity
    hosts: tuple[str, ...]

    @property
    def asserts(self) -> bool:
        """Return whether P-Asserted-Identity and Remote-Party-ID are read."""
        return self.identity != "from"


def endpoints(trunks: Iterable[Trunk]) -> tuple[Endpoint, ...]:
    """One for each way that is in use, `trunk` first and always; no address is in two of them.

    Asterisk takes any section that has an address, and not the narrowest: so the wider network is left without what a
    narrower one of another way has. Of the same network in two ways the last one counts.
    """
    ways: dict[str, Identity] = {one.host: one.identity for one in trunks}
    found: dict[Identity, list[str]] = {"from": []}
    for host, identity in ways.items():
        network = _network(host)
        inside = [
            other
            for name, way in ways.items()
            if way != identity and network is not None and (other := _network(name)) is not None
            if other != network and other.version == network.version and other.subnet_of(network)  # type: ignore[arg-type]
        ]
        if network is None or not inside:
            parts = [host]
        else:
            parts = [str(part) for part in _without(network, inside)]
        found.setdefault(identity, []).extend(parts)
    return tuple(Endpoint(name=_ENDPOINTS[way], identity=way, hosts=tuple(hosts)) for way, hosts in found.items())


def is_trunk(endpoint: str) -> bool:
    """Return whether an endpoint of Asterisk's is a carrier's, and no phone's account."""
    return endpoint in ("trunk", "outbound") or endpoint.startswith(("trunk-", "outbound-"))


def _network(host: str) -> _Network | None:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None


def _without(network: _Network, inside: Iterable[_Network]) -> list[_Network]:
    parts: list[_Network] = [network]
    for hole in inside:
        left: list[_Network] = []
        for part in parts:
            if hole.supernet_of(part):  # type: ignore[arg-type]
                continue
            left += part.address_exclude(hole) if hole.subnet_of(part) else [part]  # type: ignore[arg-type]
        parts = left
    return sorted(parts)
