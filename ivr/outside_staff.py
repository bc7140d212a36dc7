"""Staff who answer queues on a telephone that is none of ours: by what name Asterisk and the record know them. Pure.

The name is made of the directory's id: a caller chooses nothing of it, and no number is in channels, records and logs.
"""

from __future__ import annotations

import re
from typing import Final

#: Where the dialplan has their numbers. No desk's context is called so: those end in -outside.
CONTEXT: Final = "outside-staff"
#: The time to hear what an outside call is about and to press 1, in seconds, beside the ringing.
TAKEN_S: Final = 15

_ENDPOINT = re.compile(r"outside-([1-9][0-9]{0,17})", re.ASCII)
_HALF = re.compile(rf"Local/({_ENDPOINT.pattern})@{CONTEXT}-[0-9a-f]+;[12]", re.ASCII)
_INTERFACE = re.compile(rf"Local/({_ENDPOINT.pattern})@{CONTEXT}(/n)?", re.ASCII)


def endpoint_of(technician_id: int) -> str:
    """Return what stands for their phone, as in `outside-17`; no phone of ours can be called so."""
    return f"outside-{technician_id}"


def technician_id(endpoint: str) -> int | None:
    """Return whose it is; None for a phone of ours."""
    found = _ENDPOINT.fullmatch(endpoint)
    if found is not None:
        return int(found[1])
    return None


def of_channel(channel: str) -> str | None:
    """The endpoint that a channel rings by way of the dialplan; None for any other channel."""
    found = _HALF.fullmatch(channel)
    if found is not None:
        return found[1]
    return None


def of_interface(interface: str) -> str | None:
    """The endpoint of a queue's member; None for a phone of ours."""
    found = _INTERFACE.fullmatch(interface)
    if found is not None:
        return found[1]
    return None


def interface(endpoint: str) -> str:
    """Return what a queue calls, and without its end `/n` what it watches."""
    return f"Local/{endpoint}@{CONTEXT}/n"
