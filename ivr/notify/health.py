"""How it stands with the notices, in one line for /healthz and `doctor`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ivr.notify import store
from ivr.notify.config import NoticeConfig
from ivr.store.engine import Unit

#: What is older was seen, or will not be.
_LOOKED_BACK: Final = timedelta(days=7)
_NAMES = {"email": "e-mail", "sms": "SMS"}


def configured(config: NoticeConfig) -> str:
    """Return what is configured: `ok`, or which kinds wait for it."""
    missing = " and ".join(_NAMES[kind] for kind in config.missing)
    if missing:
        return f"not configured: {missing}; these notices wait"
    return "ok"


async def told(unit: Unit, config: NoticeConfig, now: datetime) -> str:
    """Return what is configured, and how many of the last days' notices a person should look at."""
    counts = await store.counts(unit, ("dead", "unknown"), since=now - _LOOKED_BACK)
    looked_at = [
        f"{count} {_NAMES.get(kind, kind)} {state}" for (kind, state), count in sorted(counts.items()) if count
    ]
    said = configured(config)
    return "; ".join([*([said] if said != "ok" or not looked_at else []), *looked_at])
