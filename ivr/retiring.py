"""Takes the demo's published passwords out of a database that was once a demo's, before others can reach the line.

A trial that goes live with the same folder, volume or database would have them on the Internet.
What they opened stays as it is, without them: an administrator gives each account or phone that is real another one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ivr.accounts import passwords, token_store
from ivr.accounts import store as account_statements
from ivr.accounts.model import LONGEST_PUBLISHED, PUBLISHED
from ivr.announcements.demo import demo_pin
from ivr.announcements.pins import forget_pin, matches, pin_hashes
from ivr.directory import demo
from ivr.directory import store as directory
from ivr.directory.sip_passwords import RETIRED, ha1
from ivr.store.engine import Store, Unit

#: The name of the demo's token.
DEMO_TOKEN = "demo"  # noqa: S105 - a name


@dataclass(frozen=True, kw_only=True)
class Retired:
    """Names of what had a published password until now."""

    accounts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    #: Phones of technicians whose PIN was published.
    pins: tuple[str, ...] = ()
    tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.accounts or self.phones or self.pins or self.tokens)


async def retire(database: Store, at: datetime, *, token: str | None = None) -> Retired:
    """Disable every account, phone, PIN and token whose secret is published. Raises StoreUnavailable.

    `token` is the demo's own, if it is still in its file.
    """
    async with database.reading() as unit:
        rows = await account_statements.enabled(unit)
        phones = await directory.phone_digests(unit)
        pins = await pin_hashes(unit)
    owners = {row.technician_id: row.name for row in phones if row.technician_id is not None}
    # Each look takes some hundredths of a second on purpose: outside of the transaction, and not in the loop.
    open_accounts = [row for row in rows if await asyncio.to_thread(_published, row.name, row.password_hash)]
    open_phones = [row.name for row in phones if row.ha1 in _digests(row.name)]
    open_pins = {
        technician: owners[technician]
        for technician, kept in pins.items()
        if technician in owners and await asyncio.to_thread(matches, kept, demo_pin(owners[technician]))
    }
    async with database.unit() as unit:
        await unit.alone("demo directory")
        for row in open_accounts:
            await account_statements.change(unit, row.id, {"disabled_at": at})
            await account_statements.end_sessions(unit, row.id)
        for name in open_phones:
            marked = RETIRED + secrets.token_hex((32 - len(RETIRED)) // 2)
            await directory.put_digest(unit, name, marked)
        for technician in open_pins:
            await forget_pin(unit, technician)
        tokens = 0
        if token is not None or open_accounts or open_phones or open_pins:
            tokens = await token_store.revoke_tokens(unit, DEMO_TOKEN, at)
        retired = Retired(
            accounts=tuple(sorted(row.name for row in open_accounts)),
            phones=tuple(sorted(open_phones)),
            pins=tuple(sorted(open_pins.values())),
            tokens=tokens,
        )
        if retired:
            await _note(unit, retired, at)
    return retired


async def _note(unit: Unit, retired: Retired, at: datetime) -> None:
    told = (("account", retired.accounts), ("phone", retired.phones), ("PIN", retired.pins))
    for kind, names in told:
        for name in names:
            line = await account_statements.note(
                unit,
                at=at,
                who="-",
                source="up",
                action="disable published password",
                subject=f"{kind} {name}",
                fields=(),
            )
            await account_statements.noted(unit, line, 200)


def _published(name: str, password_hash: str) -> bool:
    """Return whether an account's password is one of the demo's.

    An account of another name can only have one that was long enough to be taken.
    """
    mine = [f"demo-{name}"] if f"demo-{name}" in PUBLISHED else []
    tried: Iterable[str] = {*mine, *LONGEST_PUBLISHED}
    return any(passwords.matches(password_hash, one) for one in tried)


def _digests(name: str) -> set[str]:
    return {ha1(name, demo.demo_password(phone)) for phone in {name, *demo.DEMO_PHONES}}
