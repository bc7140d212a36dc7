"""The directory's statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, Table, select, update

from ivr.directory import tables as t
from ivr.directory.model import FALLBACK_LANGUAGE, MAIN, Contact, Customer, Endpoint, Number, Partner, Technician
from ivr.directory.snapshot import Book
from ivr.store.engine import Unit

Entry = TypeVar("Entry", Partner, Customer, Contact, Number, Technician)

#: So many rows are read in one go, in some milliseconds.
_AT_ONCE = 1000


async def load_book(unit: Unit) -> Book:
    """The whole directory."""
    numbers: dict[str, dict[str, Number]] = {}
    for one in await _all(unit, t.numbers, Number):
        numbers.setdefault(one.provider, {})[one.e164] = one
    customers = {one.id: one for one in await _all(unit, t.customers, Customer)}
    contacts = {one.id: one for one in await _all(unit, t.contacts, Contact)}
    technicians = {one.id: one for one in await _all(unit, t.technicians, Technician)}
    return Book(
        partners={one.id: one for one in await _all(unit, t.partners, Partner)},
        customers=customers,
        contacts=contacts,
        numbers=numbers,
        endpoints={
            row["name"]: endpoint_of(row, customers, contacts, technicians) async for row in _rows(unit, t.endpoints)
        },
        technicians=technicians,
        languages={row.number: row.language for row in await unit.execute(select(t.caller_languages))},
    )


def endpoint_of(
    row: Mapping[Any, Any],
    customers: Mapping[int, Customer],
    contacts: Mapping[int, Contact],
    technicians: Mapping[int, Technician],
) -> Endpoint:
    """A phone of its row; what was left open is its owner's: the person's, else the account's."""
    owners: list[Contact | Customer | Technician | None] = [
        technicians.get(row["technician_id"]),
        contacts.get(row["contact_id"]),
        customers.get(row["customer_id"]),
    ]
    spoken = (one.language for one in owners if one is not None and one.language is not None)
    names = (one.name for one in owners if one is not None)
    return Endpoint(
        **_values(row)
        | {
            "language": row["language"] or next(spoken, FALLBACK_LANGUAGE),
            "caller_id": row["caller_id"] or row["name"],
            "display": row["display"] or next(names, row["name"]),
        }
    )


async def _all(unit: Unit, table: Table, kind: type[Entry]) -> list[Entry]:
    return [entry_of(kind, row) async for row in _rows(unit, table)]


async def _rows(unit: Unit, table: Table) -> AsyncIterator[Mapping[Any, Any]]:
    """Every row, with calls served between: there may be a hundred thousand."""
    for at, row in enumerate((await unit.execute(select(table))).mappings()):
        if at % _AT_ONCE == 0:
            await asyncio.sleep(0)
        yield row


def entry_of(kind: type[Entry], row: Mapping[Any, Any]) -> Entry:
    """An entry of its table's row."""
    return kind(**_values(row))


def _values(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


async def find(unit: Unit, table: Table, key: str, value: str) -> Any:
    """Primary key of the main provider's entry whose `key` is `value`, or None.

    Phones and people to warn are looked for whoever's they are.
    """
    primary = next(iter(table.primary_key.columns))
    query = select(primary).where(table.c[key] == value).order_by(primary).limit(1)
    if "provider" in table.c and not table.c[key].primary_key:
        query = query.where(table.c.provider == MAIN)
    return (await unit.execute(query)).scalar_one_or_none()


async def add(unit: Unit, table: Table, values: Mapping[str, Any]) -> Any:
    """Write a new entry; its primary key."""
    primary = next(iter(table.primary_key.columns))
    return (await unit.execute(unit.insert(table).values(values).returning(primary))).scalar_one()


async def put(unit: Unit, table: Table, values: Mapping[str, Any], *, key: str) -> None:
    """Write an entry that `key` tells apart from the others, new or changed."""
    statement = unit.insert(table).values(values)
    changed = {name: statement.excluded[name] for name in values if name != key}
    await unit.execute(statement.on_conflict_do_update(index_elements=[key], set_=changed))


async def put_languages(unit: Unit, languages: Mapping[str, str]) -> None:
    """Remember the language of each number."""
    for number, language in languages.items():
        await put(unit, t.caller_languages, {"number": number, "language": language}, key="number")


async def put_token(
    unit: Unit,
    *,
    sha256: str,
    name: str,
    scopes: list[str],
    at: datetime,
    expires_at: datetime | None = None,
    provider: str | None = None,
) -> None:
    """Keep a token's digest; one that is there already gets these scopes, this end and this provider."""
    values = {"sha256": sha256, "name": name, "scopes": scopes, "created_at": at, "provider": provider}
    await put(unit, t.api_tokens, values | {"revoked_at": None, "expires_at": expires_at}, key="sha256")


async def find_token(unit: Unit, sha256: str) -> Row[Any] | None:
    """The row of a token that is not revoked."""
    table = t.api_tokens
    query = select(table).where(table.c.sha256 == sha256, table.c.revoked_at.is_(None))
    return (await unit.execute(query)).one_or_none()


async def every_token(unit: Unit) -> list[Row[Any]]:
    """The rows of all that are not revoked, by name, the newest first."""
    table = t.api_tokens
    query = select(table).where(table.c.revoked_at.is_(None)).order_by(table.c.name, table.c.id.desc())
    return list(await unit.execute(query))


async def used_tokens(unit: Unit, used: Mapping[str, datetime]) -> None:
    """Tokens were used, by digest and moment."""
    table = t.api_tokens
    for sha256, at in used.items():
        await unit.execute(update(table).where(table.c.sha256 == sha256).values(last_used_at=at))


async def revoke_token(unit: Unit, token_id: int, at: datetime) -> str | None:
    """Make one token worthless; its name, or None when there is no such token any more."""
    table = t.api_tokens
    gone = update(table).where(table.c.id == token_id, table.c.revoked_at.is_(None)).values(revoked_at=at)
    name: str | None = (await unit.execute(gone.returning(table.c.name))).scalar_one_or_none()
    return name


async def revoke_tokens(unit: Unit, name: str, at: datetime) -> int:
    """Make every token of this name worthless; how many there were."""
    table = t.api_tokens
    done = await unit.execute(
        update(table).where(table.c.name == name, table.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return done.rowcount
