"""How many sign-ins may be tried, and by whom, so that guessing is slow and nobody can lock another's account. Pure.

What is counted is an account *from one source*: whoever tries from elsewhere does not pay for what a stranger did. A
browser that has signed in to an account before carries a mark of it and counts for itself alone, so that neither
strangers nor colleagues behind the same address stand in its way.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.clock import require_aware

#: So many sign-ins may be tried within the window, right or wrong: for one account from one source, from one
#: source, and from one network.
WINDOW = timedelta(minutes=15)
TRIES_ACCOUNT = 10
TRIES_SOURCE = 60
TRIES_NETWORK = 240
#: A browser is known for so long after it signed in.
KNOWN = timedelta(days=180)

_MARK = re.compile(r"([0-9a-f]{1,12})\.([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What one try counts for, and how many there may be."""

    kind: str
    name: str
    most: int


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    if parsed is not None:
        return str(parsed)
    return address[:60]


def network_of(address: str) -> str:
    """The network around a source: a /24 of IPv4, a /48 of IPv6."""
    parsed = _parsed(address)
    if parsed is None:
        return address[:60]
    return str(ipaddress.ip_network((parsed, 48 if parsed.version == 6 else 24), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def counted(*, account: str, address: str, browser: str | None) -> tuple[Counted, ...]:
    """Everything that a try for this account counts for, the widest first. `browser` is the mark of a known one."""
    if browser is not None:
        return (Counted(kind="browser", name=f"{account} {browser}", most=TRIES_ACCOUNT),)
    source = source_of(address)
    return (
        Counted(kind="network", name=network_of(address), most=TRIES_NETWORK),
        Counted(kind="source", name=source, most=TRIES_SOURCE),
        Counted(kind="account", name=f"{account} {source}", most=TRIES_ACCOUNT),
    )


def mark(*, account_id: int, password_hash: str, now: datetime) -> str:
    """Return what a browser is given that has signed in. Another password makes it worthless."""
    issued = f"{int(require_aware(now).timestamp()):x}"
    return f"{issued}.{_signed(account_id, password_hash, issued)}"


def known(given: str, *, account_id: int, password_hash: str, now: datetime) -> bool:
    """Return whether a browser that gives this mark has signed in to the account, and not too long ago."""
    found = _MARK.fullmatch(given)
    if found is None or not hmac.compare_digest(found[2], _signed(account_id, password_hash, found[1])):
        return False
    age_s = require_aware(now).timestamp() - int(found[1], 16)
    return 0 <= age_s < KNOWN.total_seconds()


def _signed(account_id: int, password_hash: str, issued: str) -> str:
    # What is kept of the password is as secret as any key of ours, and changes when it should.
    return hmac.new(password_hash.encode(), f"browser {account_id} {issued}".encode(), hashlib.sha256).hexdigest()
