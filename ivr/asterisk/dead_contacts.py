"""Finds out at once which device of a phone is dead when another one appears.

A phone that rebooted, or whose router forgot it, registers from another port, and its old place stays until it is asked
again (`qualify_frequency`, half a minute) or expires. Meanwhile a call may ring there and nowhere else. So whenever a
phone has a new place beside others, all of them are asked (OPTIONS); who does not answer is not rung from then on.
"""

from __future__ import annotations

from ivr.asterisk.ami import AmiRefused, Fields, ManagerInterface
from ivr.errors import Unavailable


class Devices:
    """Where each phone is registered, as far as Asterisk told."""

    def __init__(self) -> None:
        self._places: dict[str, set[str]] = {}

    def enter(self, event: Fields) -> str | None:
        """Enter one event; the phone whose places have to be asked, if there is one."""
        if event.get("event") != "ContactStatus":
            return None
        phone, place, status = event.get("aor", ""), event.get("uri", ""), event.get("contactstatus", "")
        if status == "Removed":
            places = self._places.get(phone, set())
            places.discard(place)
            if not places:
                self._places.pop(phone, None)
            return None
        places = self._places.setdefault(phone, set())
        places.add(place)
        if status == "Reachable" and len(places) > 1:
            return phone
        return None


async def ask(ami: ManagerInterface, phone: str) -> None:
    """Have Asterisk ask every place of a phone whether it is there; should that fail, it does so by itself later."""
    try:
        await ami.action("PJSIPQualify", {"Endpoint": phone})
    except (Unavailable, AmiRefused):
        return
