"""The accounts' statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, RowMapping, delete, func, select, update

from ivr.accounts import tables as t
from ivr.accounts.model import Account
from ivr.accounts.sign_in_limits import WINDOW
from ivr.store.engine import Unit


def account_of(row: RowMapping) -> Account:
    """An account of its row."""
    last = ("created_at", "disabled_at", "must_change", "last_sign_in_at", "limited_to")
    names = ("id", "name", "role", "partner_id", "endpoint", *last)
    return Account(**{name: row[name] for name in names}, totp=row["totp_secret"] is not None)


async def add(unit: Unit, values: Mapping[str, Any]) -> int | None:
    """A new account's id; None when the name is taken."""
    statement = unit.insert(t.accounts).values(values).on_conflict_do_nothing().returning(t.accounts.c.id)
    made: int | None = (await unit.execute(statement)).scalar_one_or_none()
    return made


async def row_of(unit: Unit, name: str) -> Row[Any] | None:
    """An account's row, with its secrets."""
    return (await unit.execute(select(t.accounts).where(t.accounts.c.name == name))).one_or_none()


async def every(unit: Unit) -> list[Account]:
    """All accounts, by name."""
    rows = (await unit.execute(select(t.accounts).order_by(t.accounts.c.name))).mappings()
    return [account_of(row) for row in rows]


async def enabled(unit: Unit) -> list[Row[Any]]:
    """Return the rows of the accounts that are not disabled."""
    return list(await unit.execute(select(t.accounts).where(t.accounts.c.disabled_at.is_(None))))


async def change(unit: Unit, account_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of an account."""
    await unit.execute(update(t.accounts).where(t.accounts.c.id == account_id).values(values))


async def others_administer(unit: Unit, account_id: int) -> bool:
    """Return whether any other account that is open is an administrator's of the whole line."""
    c = t.accounts.c
    whole = (c.role == "administrator", c.disabled_at.is_(None), c.limited_to.is_(None))
    query = select(c.id).where(*whole, c.id != account_id).limit(1)
    return (await unit.execute(query)).first() is not None


async def secrets(unit: Unit) -> list[tuple[int, str, str]]:
    """Accounts with a second factor: id, name, and the secret as it is kept."""
    c = t.accounts.c
    found = await unit.execute(select(c.id, c.name, c.totp_secret).where(c.totp_secret.is_not(None)).order_by(c.name))
    return [(row.id, row.name, row.totp_secret) for row in found]


async def put_recovery_codes(unit: Unit, account_id: int, digests: Iterable[str]) -> None:
    """New recovery codes in place of the old ones."""
    table = t.account_recovery_codes
    await unit.execute(delete(table).where(table.c.account_id == account_id))
    if rows := [{"account_id": account_id, "sha256": one} for one in digests]:
        await unit.execute(unit.insert(table), rows)


async def use_recovery_code(unit: Unit, account_id: int, digest: str) -> bool:
    """Spend a recovery code. Returns whether it was a good one."""
    table = t.account_recovery_codes
    done = await unit.execute(delete(table).where(table.c.account_id == account_id, table.c.sha256 == digest))
    return done.rowcount == 1


# Sessions --------------------------------------------------------------------------------------------


async def add_session(unit: Unit, sha256: str, account_id: int, at: datetime, source: str) -> None:
    """A session begins."""
    values = {"sha256": sha256, "account_id": account_id, "created_at": at, "seen_at": at, "source": source[:60]}
    await unit.execute(unit.insert(t.account_sessions).values(values))


async def sessions(unit: Unit, account_id: int, *, begun_after: datetime) -> list[Row[Any]]:
    """An account's sessions, the latest used first."""
    table = t.account_sessions
    query = select(table).where(table.c.account_id == account_id, table.c.created_at > begun_after)
    return list(await unit.execute(query.order_by(table.c.seen_at.desc(), table.c.sha256)))


async def session(unit: Unit, sha256: str) -> Row[Any] | None:
    """A session's moments beside its account's row."""
    sessions = t.account_sessions
    columns = (sessions.c.created_at.label("begun_at"), sessions.c.seen_at, t.accounts)
    query = select(*columns).join(t.accounts, t.accounts.c.id == sessions.c.account_id)
    return (await unit.execute(query.where(sessions.c.sha256 == sha256))).one_or_none()


async def seen(unit: Unit, sha256: str, at: datetime) -> None:
    """A session was used."""
    await unit.execute(update(t.account_sessions).where(t.account_sessions.c.sha256 == sha256).values(seen_at=at))


async def end_session(unit: Unit, sha256: str) -> None:
    """Sign out."""
    await unit.execute(delete(t.account_sessions).where(t.account_sessions.c.sha256 == sha256))


async def end_session_of(unit: Unit, account_id: int, sha256: str) -> None:
    """End one session, should it be this account's."""
    table = t.account_sessions
    await unit.execute(delete(table).where(table.c.account_id == account_id, table.c.sha256 == sha256))


async def end_sessions(unit: Unit, account_id: int, *, but: str | None = None) -> None:
    """Sign an account out everywhere, but for one session."""
    table = t.account_sessions
    await unit.execute(delete(table).where(table.c.account_id == account_id, table.c.sha256 != (but or "")))


async def forget_sessions(unit: Unit, *, begun_before: datetime, seen_before: datetime) -> None:
    """Delete sessions that have ended by themselves."""
    table = t.account_sessions
    await unit.execute(delete(table).where((table.c.created_at < begun_before) | (table.c.seen_at < seen_before)))


# Tries -----------------------------------------------------------------------------------------------


def subject(kind: str, name: str) -> str:
    """The key of tries for an account, from a source …; names that were typed may be passwords, and are not kept."""
    return hashlib.sha256(f"{kind} {name}".encode("utf-8", "surrogatepass")).hexdigest()


async def tried(unit: Unit, key: str, at: datetime) -> int:
    """Count one more try; how many there are within the window, with this one."""
    table = t.account_tries
    await unit.alone("sign-in", key)
    await unit.execute(delete(table).where(table.c.since <= at - WINDOW))
    statement = unit.insert(table).values(subject=key, since=at, tries=1)
    statement = statement.on_conflict_do_update(index_elements=["subject"], set_={"tries": table.c.tries + 1})
    await unit.execute(statement)
    count: int = (await unit.execute(select(table.c.tries).where(table.c.subject == key))).scalar_one()
    return count


async def forget_tries(unit: Unit, key: str) -> None:
    """Reset the count after the right one."""
    await unit.execute(delete(t.account_tries).where(t.account_tries.c.subject == key))


# What was done -----------------------------------------------------------------------------------------


async def note(
    unit: Unit, *, at: datetime, who: str, source: str, action: str, subject: str, fields: Iterable[str]
) -> int:
    """Note that somebody is about to do something; the line's id."""
    values = {
        "at": at,
        "who": who[:40],
        "source": source[:60],
        "action": action[:60],
        "subject": subject[:200],
        "fields": sorted(set(fields)),
    }
    made: int = (await unit.execute(unit.insert(t.audit).values(values).returning(t.audit.c.id))).scalar_one()
    return made


async def noted(unit: Unit, line: int, outcome: int, who: str | None = None) -> None:
    """How it ended, as an HTTP status, and who it was, should that have been told only then."""
    values: dict[str, Any] = {"outcome": outcome} | ({"who": who} if who is not None else {})
    await unit.execute(update(t.audit).where(t.audit.c.id == line).values(values))


async def bundle(unit: Unit, line: int) -> None:
    """Count a line with an earlier one of the window that says the same, if there is one."""
    table = t.audit
    one = (await unit.execute(select(table).where(table.c.id == line))).one_or_none()
    if one is None:
        return
    await unit.alone("audit", one.source)
    same = (table.c.action == one.action) & (table.c.who == one.who) & (table.c.source == one.source)
    recent = (table.c.at > one.at - WINDOW) & (table.c.at <= one.at) & (table.c.id < line)
    query = select(table.c.id).where(recent, same, table.c.outcome == one.outcome)
    earlier = (await unit.execute(query.order_by(table.c.id).limit(1))).scalar_one_or_none()
    if earlier is not None:
        more = update(table).where(table.c.id == earlier)
        await unit.execute(more.values(times=table.c.times + one.times))
        await unit.execute(delete(table).where(table.c.id == line))


async def page(unit: Unit, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return what was done, the latest first."""
    query = select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(t.audit.c.id < before)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def lines(unit: Unit) -> int:
    """Return how many there are."""
    count: int = (await unit.execute(select(func.count()).select_from(t.audit))).scalar_one()
    return count
