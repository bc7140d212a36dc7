"""Which phones are registered at this moment, as Asterisk knows it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from ivr.asterisk.ami import AmiRefused, Fields
from ivr.errors import Unavailable

#: So many are asked for at a time.
_AT_ONCE = 20
#: The longest that a page waits for it, in seconds.
_PATIENCE_S = 2.0
_NAME = re.compile(r"[a-z0-9_]{1,40}")


class Manager(Protocol):
    """What is needed of Asterisk's manager."""

    async def action(self, name: str, fields: Fields = ..., *, timeout_s: float = ...) -> Fields: ...


async def registered(ami: Manager, names: Iterable[str]) -> Mapping[str, bool]:
    """Return whether each of these phones is registered; a phone that Asterisk does not tell of is left out."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str) -> tuple[str, bool] | None:
        async with turns:
            try:
                fields = {"Variable": f"PJSIP_AOR({name},contact)"}
                told = await ami.action("Getvar", fields, timeout_s=_PATIENCE_S)
            except (Unavailable, AmiRefused):
                return None
        return name, bool(told.get("value", "").strip())

    asked = [ask(name) for name in dict.fromkeys(names) if _NAME.fullmatch(name)]
    return dict(found for found in await asyncio.gather(*asked) if found is not None)
