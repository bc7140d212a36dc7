"""Fields of an Originate that more than one feature sends."""

from __future__ import annotations

from ivr.asterisk.contract import Variable, assignment


def ringing(phone: str, ring_s: int) -> dict[str, str]:
    """Return the fields of an Originate that rings one of our phones, for `ring_s` seconds at most.

    By the dialplan, which does not follow a phone that sends the call elsewhere (RFC 3261's 302). Asterisk by itself
    would, to any number that the trunk takes, whatever the phone's account may dial.
    """
    return {
        "Channel": f"Local/{phone}@called-by-us/n",
        # The dialplan's time ends first, and says why.
        "Timeout": str((ring_s + 5) * 1000),
        "Variable": assignment(Variable.RING_S, ring_s),
        # Without an originator a Local channel takes a format that nobody speaks.
        "Codecs": "ulaw",
    }
