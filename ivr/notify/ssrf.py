"""Which addresses a webhook may go to: none of ours, and none that only our own network reaches."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Addresses within these lead to an IPv4 address that they hold (RFC 6052, RFC 3056).
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_6TO4: Final = ipaddress.ip_network("2002::/16")


class Forbidden(OSError):
    """A webhook may not go there."""


def allowed(address: _Ip, *, loopback: bool) -> bool:
    """Return whether it is an address of the public Internet; with `loopback`, also one of this machine."""
    inner = _inner(address)
    if loopback and inner.is_loopback:
        return True
    return inner.is_global and not inner.is_multicast and not inner.is_reserved and inner not in _6TO4


def _inner(address: _Ip) -> _Ip:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_url(url: str, *, loopback: bool) -> None:
    """Refuse what can be refused without asking for names. Raises Forbidden.

    An address in the URL itself is connected to without the resolver below being asked.
    """
    try:
        # Read as aiohttp reads it: what looks like a name may be an address once its digits are those of ASCII (IDNA).
        parts = URL(url)
    except ValueError as error:
        raise Forbidden("it is no URL") from error
    host = (parts.raw_host or "").rstrip(".")
    if not host:
        raise Forbidden("it names no server")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        here = host == "localhost"
    else:
        if not allowed(address, loopback=loopback):
            raise Forbidden(f"{host} is not on the public Internet")
        here = address.is_loopback
    if parts.scheme != "https" and not (loopback and here):
        raise Forbidden("it is not https")


class GuardedResolver(AbstractResolver):
    """Gives only allowed addresses, and those very ones are connected to: a name cannot change in between."""

    def __init__(self, *, loopback: bool, inner: AbstractResolver | None = None) -> None:
        self._loopback = loopback
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises Forbidden when one of them is not on the public Internet."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if not allowed(ipaddress.ip_address(one["host"].partition("%")[0]), loopback=self._loopback):
                raise Forbidden(f"{host} leads into a private network")
        return found

    async def close(self) -> None:
        """Give back what it holds."""
        await self._inner.close()
