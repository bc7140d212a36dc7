"""Technicians' PINs: only their Argon2id hash is kept, and wrong tries lock, over restarts too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update

from ivr.announcements.tables import technician_pins as table
from ivr.clock import Clock
from ivr.errors import BadInput
from ivr.store.engine import Store, Unit

#: So many wrong tries, on one call or on many, lock.
TRIES = 5
LOCKED = timedelta(minutes=15)
#: Four digits have ten thousand values: with five tries in 15 minutes, half of them take ten days.
_PIN = re.compile(r"[0-9]{4,8}")

Verdict = Literal["right", "wrong", "locked", "none"]


def check_pin(pin: str) -> str:
    """A PIN that can be dialled. Raises BadInput."""
    if not _PIN.fullmatch(pin):
        raise BadInput(field="pin", problem="is not 4 to 8 digits", mend="choose 4 to 8 digits")
    if len(set(pin)) == 1 or pin in "01234567890" or pin in "09876543210":
        raise BadInput(field="pin", problem="is among the first that anybody tries", mend="choose another")
    return pin


def hashed(pin: str) -> str:
    """Return what is kept of a PIN (RFC 9106); takes some hundredths of a second on purpose."""
    return PasswordHasher().hash(pin)


async def put_pin(unit: Unit, technician_id: int, pin_hash: str) -> None:
    """Give a technician a PIN, in place of an earlier one; unlocks."""
    values = {"technician_id": technician_id, "hash": pin_hash, "wrong": 0, "locked_until": None}
    statement = unit.insert(table).values(values)
    changed = {name: statement.excluded[name] for name in ("hash", "wrong", "locked_until")}
    await unit.execute(statement.on_conflict_do_update(index_elements=["technician_id"], set_=changed))


async def has_pin(unit: Unit, technician_id: int) -> bool:
    """Return whether there is one already."""
    found = await unit.execute(select(table.c.technician_id).where(table.c.technician_id == technician_id))
    return found.first() is not None


async def pin_hashes(unit: Unit) -> dict[int, str]:
    """Return what is kept of each technician's PIN."""
    return {row.technician_id: row.hash for row in await unit.execute(select(table))}


async def forget_pin(unit: Unit, technician_id: int) -> None:
    """Take a technician's PIN away."""
    await unit.execute(delete(table).where(table.c.technician_id == technician_id))


def after_wrong(wrong: int, now: datetime) -> tuple[int, datetime | None]:
    """Wrong tries, and until when it is locked, after one more; the count begins anew with the lock. Pure."""
    if wrong + 1 >= TRIES:
        return (0, now + LOCKED)
    return (wrong + 1, None)


class Pins:
    """Judges what is dialled. A try counts before its verdict is told, so that hanging up gains nothing."""

    def __init__(self, store: Store, clock: Clock, verify: Callable[[str, str], bool] | None = None) -> None:
        self._store = store
        self._clock = clock
        self._verify = verify or matches

    async def state(self, technician_id: int) -> Verdict:
        """`right` when a try is worth while, `locked`, or `none` where there is no PIN. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            row = (await unit.execute(select(table).where(table.c.technician_id == technician_id))).one_or_none()
        if row is None:
            return "none"
        if row.locked_until is not None and self._clock() < row.locked_until:
            return "locked"
        return "right"

    async def judge(self, technician_id: int, dialled: str) -> Verdict:
        """One try. Raises StoreUnavailable, and then nothing was judged."""
        async with self._store.unit() as unit:
            await unit.alone("pin", technician_id)
            row = (await unit.execute(select(table).where(table.c.technician_id == technician_id))).one_or_none()
            if row is None:
                return "none"
            now = self._clock()
            if row.locked_until is not None and now < row.locked_until:
                return "locked"
            # Within the transaction, so that tries from two phones at once are two tries.
            fits = _PIN.fullmatch(dialled) is not None and await asyncio.to_thread(self._verify, row.hash, dialled)
            wrong, locked_until = (0, None) if fits else after_wrong(row.wrong, now)
            change = update(table).where(table.c.technician_id == technician_id)
            await unit.execute(change.values(wrong=wrong, locked_until=locked_until))
        if fits:
            return "right"
        if locked_until is not None:
            return "locked"
        return "wrong"


def matches(pin_hash: str, dialled: str) -> bool:
    """Return whether it is the PIN."""
    try:
        return PasswordHasher().verify(pin_hash, dialled)
    except (VerificationError, InvalidHashError):
        return False
