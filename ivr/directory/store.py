"""The directory's statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Row, Select, Table, func, select, update

from ivr.directory import tables as t
from ivr.directory.model import (
    FALLBACK_LANGUAGE,
    MAIN,
    WARNED_ROLES,
    Contact,
    Customer,
    Endpoint,
    Number,
    Partner,
    Technician,
)
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
    if row is not None:
        return (row.provider, row.key)
    return None


async def customer_id(unit: Unit, provider: str, account: str) -> int:
    """The id of the customer with this account number. Raises NoResultFound when there is none."""
    own = (t.customers.c.provider == provider) & (t.customers.c.account == account)
    found: int = (await unit.execute(select(t.customers.c.id).where(own))).scalar_one()
    return found


async def owners_of(unit: Unit, provider: str, numbers: Sequence[str]) -> set[int]:
    """Return the ids of the customers who have these numbers (E.164 digits) of a provider."""
    mine = (t.numbers.c.provider == provider) & t.numbers.c.e164.in_(numbers)
    return set((await unit.execute(select(t.numbers.c.customer_id).where(mine))).scalars())


async def partners_of(unit: Unit, customers: Sequence[int]) -> set[int]:
    """Return the ids of the partners who look after these customers."""
    theirs = select(t.customers.c.partner_id).where(t.customers.c.id.in_(customers))
    return {one for one in (await unit.execute(theirs)).scalars() if one is not None}


async def partner_of(unit: Unit, customer_id: int | None) -> Partner | None:
    """Return the partner who looks after an account."""
    query = select(t.partners).join(t.customers, t.customers.c.partner_id == t.partners.c.id)
    return await _partner(unit, query.where(t.customers.c.id == customer_id))


async def partner(unit: Unit, partner_id: int) -> Partner | None:
    """Return a partner."""
    return await _partner(unit, select(t.partners).where(t.partners.c.id == partner_id))


async def _partner(unit: Unit, query: Select[Any]) -> Partner | None:
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is not None:
        return entry_of(Partner, row)
    return None


async def contacts_of(unit: Unit, customer: Any) -> list[Contact]:
    """Return the contacts of an account, by its id or by what selects it."""
    query = select(t.contacts).where(t.contacts.c.customer_id == customer).order_by(t.contacts.c.id)
    return [entry_of(Contact, row) for row in (await unit.execute(query)).mappings()]


async def writes_for(unit: Unit, customer_id: int, address: str) -> bool:
    """Return whether an e-mail address (in small letters) is a contact's of this customer, or its partner's (OV-20)."""
    of_contact = select(t.contacts.c.id).where(
        t.contacts.c.customer_id == customer_id, func.lower(t.contacts.c.email) == address
    )
    of_partner = select(t.partners.c.id).join(t.customers, t.customers.c.partner_id == t.partners.c.id)
    of_partner = of_partner.where(t.customers.c.id == customer_id, func.lower(t.partners.c.email) == address)
    for query in (of_contact, of_partner):
        if (await unit.execute(query.limit(1))).first() is not None:
            return True
    return False


def customer_with_account(account: str | BindParameter[str] | None) -> Any:
    """For a value: the customer whose account number this is; none when two providers have one, so that none is
    guessed."""
    own = select(func.max(t.customers.c.id)).where(t.customers.c.account == account)
    return own.having(func.count() == 1).scalar_subquery()


def existing_customer(customer_id: int | None) -> Any:
    """For a value: the customer's id while there is such a customer."""
    return select(t.customers.c.id).where(t.customers.c.id == customer_id).scalar_subquery()


def existing_contact(contact_id: int | None) -> Any:
    """For a value: the contact's id while there is such a contact."""
    return select(t.contacts.c.id).where(t.contacts.c.id == contact_id).scalar_subquery()


async def language_of(unit: Unit, number: str) -> str | None:
    """Return the language that callers from this number (E.164 digits) chose last."""
    query = select(t.caller_languages.c.language).where(t.caller_languages.c.number == number)
    found: str | None = (await unit.execute(query)).scalar_one_or_none()
    return found


async def technicians_phones(unit: Unit) -> dict[str, int]:
    """Return the technician of each phone that is one's."""
    phone = t.endpoints.c
    query = select(phone.name, phone.technician_id).where(phone.technician_id.is_not(None))
    return {row.name: row.technician_id for row in await unit.execute(query)}


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


async def phone_digests(unit: Unit) -> list[Row[Any]]:
    """Return `name`, `ha1` (RFC 2617, MD5) and `technician_id` of every phone."""
    phone = t.endpoints.c
    return list(await unit.execute(select(phone.name, phone.ha1, phone.technician_id)))


async def put_digest(unit: Unit, name: str, ha1: str) -> None:
    """Give a phone another digest of its secret."""
    await unit.execute(update(t.endpoints).where(t.endpoints.c.name == name).values(ha1=ha1))


async def last_person(unit: Unit) -> int | None:
    """Return the highest id among the people of partners who are warned by text message."""
    found: int | None = (await unit.execute(select(func.max(t.partner_contacts.c.id)))).scalar_one()
    return found


async def warned(
    unit: Unit, provider: str, *, after_id: int, until_id: int, limit: int, partners: Collection[int] | None = None
) -> list[Row[Any]]:
    """Return the rows of the people to warn of a provider's partners, or of these, by id; those who have a mobile."""
    person = t.partner_contacts.c
    of_provider = select(t.partners.c.id).where(t.partners.c.provider == provider)
    query = select(t.partner_contacts).where(
        person.id.between(after_id + 1, until_id),
        person.mobile.is_not(None),
        person.role.in_(WARNED_ROLES),
        person.partner_id.in_(of_provider),
    )
    if partners is not None:
        query = query.where(person.partner_id.in_(partners))
    return list(await unit.execute(query.order_by(person.id).limit(limit)))
