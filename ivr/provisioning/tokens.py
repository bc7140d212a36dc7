"""Tokens in the addresses that set phones up: each good for one phone, for a day, and once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from ivr.provisioning.tables import provisionings
from ivr.store.engine import Unit

#: How long an address is good.
GOOD_FOR: Final = timedelta(days=1)


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def make(unit: Unit, phone: str, *, by: str, at: datetime) -> str:
    """A token for a phone; an earlier one of it is worthless from now on. Raises StoreUnavailable."""
    table = provisionings
    await unit.execute(delete(table).where((table.c.phone == phone) | (table.c.expires_at <= at)))
    token = secrets.token_urlsafe(24)
    values = {"sha256": digest(token), "phone": phone, "expires_at": at + GOOD_FOR, "by": by[:40]}
    await unit.execute(unit.insert(table).values(values))
    return token


async def phone_of(unit: Unit, token: str, at: datetime) -> str | None:
    """Return whose token this is, while it is good."""
    table = provisionings
    good = select(table.c.phone).where(table.c.sha256 == digest(token), table.c.expires_at > at)
    return (await unit.execute(good)).scalar_one_or_none()


async def use(unit: Unit, token: str, at: datetime) -> str | None:
    """Spend a token. Returns whose it was; None when it was spent or has expired."""
    table = provisionings
    gone = delete(table).where(table.c.sha256 == digest(token), table.c.expires_at > at).returning(table.c.phone)
    return (await unit.execute(gone)).scalar_one_or_none()
