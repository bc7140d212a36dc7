"""How many calls the line takes at once: fewer than its media ports carry, with a reserve for who must get through.

Every leg, a caller's or a rung phone's, holds a pair of ports. Asterisk answers 488 when none is left, to everybody and
to emergencies too; long before, what can go elsewhere gets 503 (RFC 3261 section 21.5.4) and a carrier tries elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.errors import BadInput


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


def limits_of(rtp: tuple[int, int], *, calls: int, source: int | None = None, phone: int) -> CallLimits:
    """The limits for media ports from `rtp[0]` to `rtp[1]`.

    A tenth of the legs, 8 at least, is kept back. Of the others two thirds may be calls from trunks, since who answers
    needs legs as well; one address may have three quarters of `calls`. Raises BadInput for limits beyond that.
    """
    legs = (rtp[1] - rtp[0] + 1) // 2
    kept = max(8, legs // 10)
    if legs < 3 * kept:
        raise BadInput(field="--rtp", problem=f"{legs} pairs of ports are too few", mend="give 48 ports at least")
    most = (legs - kept) * 2 // 3
    if not 0 < calls <= most:
        mend = f"take {most} at most, or give more ports with --rtp"
        raise BadInput(field="--calls", problem=f"the media ports do not carry {calls} calls", mend=mend)
    for field, value in (("--calls-per-source", source), ("--calls-per-phone", phone)):
        if value is not None and value < 1:
            raise BadInput(field=field, problem=f"{value} is no limit", mend="take 1 at least")
    return CallLimits(
        ordinary=legs - kept,
        service=legs - kept // 2,
        trunks=calls,
        source=min(calls, source or max(1, calls * 3 // 4)),
        phone=phone,
    )
