"""Connects a technician's phone with the phone that a report came from (*57)."""

from __future__ import annotations

from ivr.asterisk.ami import ManagerInterface
from ivr.asterisk.originate import ringing

#: The first phone rings this long, in seconds.
_RING_S = 30


async def connect_phones(ami: ManagerInterface, first: str, second: str) -> None:
    """Ring the first phone and, once it is answered, the second. Raises Unavailable, AmiRefused."""
    fields = {
        "Context": "trace-call-back",
        "Exten": second,
        "Priority": "1",
        "CallerID": f"*57 <{second}>",
        "Async": "true",
    }
    await ami.action("Originate", fields | ringing(first, _RING_S))
