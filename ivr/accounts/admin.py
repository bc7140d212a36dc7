"""What administrators do with accounts: passwords, second factors, roles, sessions, closing and reopening.

Everything works within a transaction of the caller's, so that it is done with what belongs to it or not at all.
Somebody always can administer: the last administrator neither loses the role nor is closed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from ivr.accounts import store
from ivr.accounts.model import (
    LONGEST,
    Account,
    check_bound,
    check_password,
    check_role,
    session_over,
)
from ivr.accounts.sign_in import AccountNotFound
from ivr.errors import BadInput
from ivr.store.engine import Unit

#: Without those that are taken for one another, read aloud or on paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _OF = 4, 4


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that goes on. `id` is the digest of its token; `source` the address that signed in, where known."""

    id: str
    begun_at: datetime
    seen_at: datetime
    source: str | None


def new_password(name: str) -> str:
    """A password of 79 random bits for an account, to be shown once and changed at the first sign-in."""
    while True:
        made = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_OF)) for _ in range(_GROUPS))
        try:
            return check_password(made, name)
        except BadInput:
            # One in millions has a word in it that is guessed.
            continue


async def get(unit: Unit, name: str) -> Account:
    """An account. Raises AccountNotFound."""
    row = await store.row_of(unit, name)
    if row is None:
        raise AccountNotFound(account=name)
    return store.account_of(row._mapping)


async def give_password(unit: Unit, name: str, password_hash: str) -> None:
    """Another password, which must be changed at the next sign-in; sessions end. Raises AccountNotFound."""
    found = await _alone(unit, name)
    await store.change(unit, found.id, {"password_hash": password_hash, "must_change": True})
    await store.end_sessions(unit, found.id)


async def reset_second_factor(unit: Unit, name: str) -> None:
    """Ask for no codes any more; sessions end. Raises AccountNotFound."""
    found = await _alone(unit, name)
    await store.change(unit, found.id, {"totp_secret": None, "totp_step": None})
    await store.put_recovery_codes(unit, found.id, ())
    await store.end_sessions(unit, found.id)


async def reopen(unit: Unit, name: str, password_hash: str) -> None:
    """Let a closed account sign in again, with a password that must be changed. Raises AccountNotFound, BadInput.

    The old one may be why it was closed.
    """
    found = await _alone(unit, name)
    if found.disabled_at is None:
        raise BadInput(field="name", problem="the account is open", mend="give it another password instead")
    await store.change(unit, found.id, {"disabled_at": None, "password_hash": password_hash, "must_change": True})


async def close(unit: Unit, name: str, at: datetime) -> None:
    """Let nobody sign in any more; who is signed in is out. Raises AccountNotFound, BadInput (the last one)."""
    found = await _alone(unit, name)
    await _not_the_last(unit, found)
    await store.change(unit, found.id, {"disabled_at": at})
    await store.end_sessions(unit, found.id)


async def change(unit: Unit, name: str, *, role: str, endpoint: str | None, limited_to: str | None) -> None:
    """Another role, the phone that goes with it, and the provider it is limited to; sessions end when it may do else.

    Raises AccountNotFound, and BadInput for the last administrator of the whole line and for a partner's account, which
    stays one, and its partner's provider's.
    """
    found, known = await _alone(unit, name), check_role(role)
    if (found.role == "partner") != (known == "partner"):
        mend = "close it, and add another account"
        raise BadInput(field="role", problem="a partner's account stays a partner's", mend=mend)
    check_bound(known, found.partner_id, endpoint)
    if known == "partner":
        limited_to = found.limited_to
    if known != "administrator" or limited_to is not None:
        await _not_the_last(unit, found)
    await store.change(unit, found.id, {"role": known, "endpoint": endpoint, "limited_to": limited_to})
    if (known, limited_to) != (found.role, found.limited_to):
        await store.end_sessions(unit, found.id)


async def sessions(unit: Unit, account_id: int, now: datetime) -> list[OpenSession]:
    """Those that go on, the latest used first."""
    return [
        OpenSession(id=row.sha256, begun_at=row.created_at, seen_at=row.seen_at, source=row.source)
        for row in await store.sessions(unit, account_id, begun_after=now - LONGEST)
        if not session_over(created_at=row.created_at, seen_at=row.seen_at, now=now)
    ]


async def end_session(unit: Unit, account_id: int, session_id: str) -> None:
    """End one of an account's sessions; none that is over already is missed."""
    await store.end_session_of(unit, account_id, session_id)


async def end_sessions(unit: Unit, account_id: int, *, but: str | None = None) -> None:
    """End all of an account's sessions, but for one."""
    await store.end_sessions(unit, account_id, but=but)


async def _alone(unit: Unit, name: str) -> Account:
    # One lock for all: two administrators who close one another at once would leave none.
    await unit.alone("administrators")
    found = await get(unit, name)
    await unit.alone("account", found.id)
    return found


async def _not_the_last(unit: Unit, found: Account) -> None:
    if (
        found.role == "administrator"
        and found.disabled_at is None
        and found.limited_to is None
        and not await store.others_administer(unit, found.id)
    ):
        mend = "make somebody else an administrator first"
        raise BadInput(field="role", problem="this is the last administrator", mend=mend)
