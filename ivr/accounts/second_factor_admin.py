"""Looks after second factors outside the console: encrypts them at the start, removes those that were lost."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from ivr.accounts import admin, store
from ivr.accounts.passwords import hashed
from ivr.accounts.secret_encryption import KeyLost, Seal, is_plain
from ivr.errors import NotFound
from ivr.store.engine import Store

log = structlog.get_logger()


async def seal_all(database: Store, seal: Seal) -> int:
    """Encrypt the secrets that an earlier version kept in clear; how many. Tells of those whose key is lost."""
    sealed, lost = 0, []
    async with database.unit() as unit:
        for account_id, name, kept in await store.secrets(unit):
            if is_plain(kept):
                await store.change(unit, account_id, {"totp_secret": seal.seal(account_id, kept)})
                sealed += 1
                continue
            try:
                seal.open(account_id, kept)
            except KeyLost:
                lost.append(name)
    if sealed:
        log.info("second-factor secrets encrypted", accounts=sealed)
    if lost:
        mend = "put the old secrets.json back, or ./omnivigil account reset-second-factor NAME"
        log.error(
            "second factors unreadable: key missing from secrets.json", event_id="OV1301", accounts=lost, mend=mend
        )
    return sealed


async def reset(database: Store, name: str, *, who: str, at: datetime) -> None:
    """Ask an account for no codes any more; its sessions end, and the audit has it. Raises NotFound."""
    async with database.unit() as unit:
        row = await store.row_of(unit, name.strip().lower())
        if row is None:
            raise NotFound(account=name)
        line = await store.note(
            unit, at=at, who=who, source="command line", action="account.reset-second-factor", subject=name, fields=()
        )
        await admin.reset_second_factor(unit, row.name)
        await store.noted(unit, line, 200)


async def reset_password(database: Store, name: str, *, who: str, at: datetime) -> str:
    """Another password for an account, to be shown once and changed at the next sign-in. Raises AccountNotFound."""
    name = name.strip().lower()
    given = admin.new_password(name)
    password_hash = await asyncio.to_thread(hashed, given)
    async with database.unit() as unit:
        line = await store.note(
            unit, at=at, who=who, source="command line", action="account.reset-password", subject=name, fields=()
        )
        await admin.give_password(unit, name, password_hash)
        await store.noted(unit, line, 200)
    return given
