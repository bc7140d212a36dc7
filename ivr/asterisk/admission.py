"""How many calls the line takes at once: fewer than this machine carries, with a reserve for who must get through.

Every leg, a caller's or a rung phone's, holds a pair of media ports, some descriptors and a share of a processor.
Asterisk answers 488 when no ports are left, to everybody and to emergencies too. Long before, what can go elsewhere
gets 503 (RFC 3261 section 21.5.4), and a carrier tries elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.errors import BadInput

#: A call of a phone to a trunk takes 4.2 ms of processor time a second, one in the queue 2.6 (docs/benchmarks.md): so
#: many legs fill about half of a processor, and leave the rest for what begins, ends and is written down.
LEGS_BY_PROCESSOR = 250
#: What Asterisk keeps open for itself and for phones that came by TCP; and for each leg: 6 in the queue or in the menu
#: (media, timer, pipes, the file that is played, FastAGI), and one or two that are recorded to.
DESCRIPTORS_ITSELF = 250
DESCRIPTORS_BY_LEG = 8


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """At most so many at once. Emergencies are never refused."""

    #: Legs at which ordinary calls of phones are refused; what is left is for 611, *57, 911 and those who answer.
    ordinary: int
    #: Legs at which 611 and *57 are refused too; what is left is for emergencies.
    service: int
    #: Calls that came in by trunks.
    trunks: int
    #: Of these, calls from one address.
    source: int
    #: Calls of one phone's account.
    phone: int


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Legs at once that a machine carries."""

    by_descriptors: int
    by_processors: int


def carried(*, descriptors: int, processors: int) -> Carried:
    """Return what a process with so many descriptors (RLIMIT_NOFILE) carries on so many processors."""
    return Carried(
        by_descriptors=(descriptors - DESCRIPTORS_ITSELF) // DESCRIPTORS_BY_LEG,
        by_processors=processors * LEGS_BY_PROCESSOR,
    )


def is_one_address(trunk_hosts: Sequence[str]) -> bool:
    """Return whether all calls from trunks come from one address: no share of them can then be another's."""
    try:
        return len(trunk_hosts) == 1 and ipaddress.ip_network(trunk_hosts[0], strict=False).num_addresses == 1
    except ValueError:
        # A name, which may have several.
        return False


def limits_of(
    rtp: tuple[int, int],
    *,
    carried: Carried,
    calls: int | None = None,
    source: int | None = None,
    phone: int,
    one_trunk: bool = False,
) -> CallLimits:
    """The limits for media ports from `rtp[0]` to `rtp[1]` on a machine that carries so much.

    A tenth of the legs, 8 at least, is kept back. Of the others two thirds may be calls from trunks, since who answers
    needs legs as well; one address may have three quarters of these, or all where it is the only trunk. Whoever says
    `calls` knows the processors. Raises BadInput for limits beyond what ports and descriptors carry.
    """
    pairs = (rtp[1] - rtp[0] + 1) // 2
    legs = min(pairs, carried.by_descriptors)
    if calls is None:
        legs = min(legs, carried.by_processors)
    kept = max(8, legs // 10)
    if pairs < 24:
        raise BadInput(field="--rtp", problem=f"{pairs} pairs of ports are too few", mend="give 48 ports at least")
    if legs < 24:
        mend = "raise it (ulimit -n, LimitNOFILE) to 1024 at least"
        raise BadInput(field="RLIMIT_NOFILE", problem="Asterisk may open too few files for calls", mend=mend)
    most = (legs - kept) * 2 // 3
    if calls is not None and not 0 < calls <= most:
        mend = f"take {most} at most, or give more ports with --rtp and descriptors (ulimit -n)"
        raise BadInput(field="--calls", problem=f"ports and descriptors do not carry {calls} calls", mend=mend)
    for field, value in (("--calls-per-source", source), ("--calls-per-phone", phone)):
        if value is not None and value < 1:
            raise BadInput(field=field, problem=f"{value} is no limit", mend="take 1 at least")
    trunks = calls or most
    return CallLimits(
        ordinary=legs - kept,
        service=legs - kept // 2,
        trunks=trunks,
        source=min(trunks, source or (trunks if one_trunk else trunks * 3 // 4)),
        phone=phone,
    )
