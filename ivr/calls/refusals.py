"""Counts what the dialplan refused by itself: calls beyond a limit, contacts that lead elsewhere than their phone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ivr.asterisk.contract import Told, fields_of
from ivr.refusals import Refusals

#: The dialplan's reasons: no room, one source, one phone; a contact that is not the phone's own.
REASONS: Final = ("full", "source", "phone", "contact")
#: Accounts and addresses, and nothing else that a packet may hold.
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,60}")


def enter(event: Mapping[str, str], refusals: Refusals) -> None:
    """Enter one of Asterisk's OvRefused events; others are passed over."""
    told = fields_of(event, Told.REFUSED)
    if told is not None and (reason := told["reason"]) in REASONS:
        who = {name: told[name] for name in ("account", "source") if _NAME.fullmatch(told[name])}
        refusals.note(reason, **who)
