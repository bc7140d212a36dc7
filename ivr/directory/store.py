"""The directory's statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import Select, Table, select

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


def customers_of_partner(partner_id: int) -> Select[tuple[int]]:
    """For a statement: the ids of a partner's customers."""
    return select(t.customers.c.id).where(t.customers.c.partner_id == partner_id)


async def partners_customers(unit: Unit, partner_id: int) -> list[Customer]:
    """A partner's customers, by name."""
    query = select(t.customers).where(t.customers.c.partner_id == partner_id).order_by(t.customers.c.name)
    return [entry_of(Customer, row) for row in (await unit.execute(query)).mappings()]


async def partners_numbers(unit: Unit, partner_id: int) -> dict[str, int]:
    """The customer of each number (E.164 digits) of a partner's customers, by number."""
    number = t.numbers.c
    query = select(number.e164, number.customer_id).where(number.customer_id.in_(customers_of_partner(partner_id)))
    return {row.e164: row.customer_id for row in await unit.execute(query.order_by(number.e164))}


async def partner_key(unit: Unit, partner_id: int | None) -> tuple[str, str] | None:
    """A partner's provider and key; None when there is no such partner."""
    query = select(t.partners.c.provider, t.partners.c.key).where(t.partners.c.id == partner_id)
    row = (await unit.execute(query)).one_or_none()
    return (row.provider, row.key) if row is not None else None


async def customer_id(unit: Unit, provider: str, account: str) -> int:
    """The id of the customer with this account number. Raises NoResultFound when there is none."""
    own = (t.customers.c.provider == provider) & (t.customers.c.account == account)
    found: int = (await unit.execute(select(t.customers.c.id).where(own))).scalar_one()
    return found


async def phones_provider(unit: Unit, name: str) -> str:
    """Which provider's a phone is. Raises NoResultFound when there is no such phone."""
    found: str = (await unit.execute(select(t.endpoints.c.provider).where(t.endpoints.c.name == name))).scalar_one()
    return found


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
