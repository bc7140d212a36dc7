"""What changed in the directory since a book was read, whichever process changed it; and the book after that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Table, func, select

from ivr.directory import tables as t
from ivr.directory.model import Contact, Customer, Number, Partner, Technician
from ivr.directory.snapshot import Book
from ivr.directory.store import endpoint_of, entry_of
from ivr.store.engine import Unit

Entry = TypeVar("Entry", Partner, Customer, Contact, Technician)

#: Of so many changes at once the whole directory is read: that is no slower then.
MOST: Final = 500
#: Databases take so many values in one statement.
_AT_ONCE: Final = 200


@dataclass(frozen=True, kw_only=True)
class Change:
    """One entry that was written or deleted, named as in the API's addresses."""

    seq: int
    provider: str
    kind: str
    key: str


async def last(unit: Unit) -> int:
    """The number of the latest change; 0 before the first."""
    return (await unit.execute(select(func.max(t.directory_changes.c.seq)))).scalar_one() or 0


async def since(unit: Unit, seq: int) -> list[Change] | None:
    """Return what changed after `seq`, in order.

    None when that is too much, or when something of it is not known any more.
    """
    table = t.directory_changes
    query = select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(MOST + 1)
    found = [
        Change(seq=row.seq, provider=row.provider, kind=row.kind, key=row.key) for row in await unit.execute(query)
    ]
    if len(found) > MOST or (found and found[0].seq != seq + 1):
        return None
    return found


@dataclass(frozen=True, kw_only=True)
class Import:
    """What one process wrote at once without telling of it, by how many entries of each kind."""

    provider: str
    by: str
    at: datetime
    counts: Mapping[str, int]

    def facts(self) -> dict[str, Any]:
        """As listeners are told of it."""
        return {"provider": self.provider, "what": "import", "counts": dict(self.counts), "by": self.by}


async def untold(unit: Unit, after: int, until: int) -> list[Import]:
    """Return what was written after one change and until another, and nobody was told of."""
    c = t.directory_changes.c
    columns = (c.provider, c.by, c.at, c.kind)
    counted = select(*columns, func.sum(c.entries).label("entries")).group_by(*columns).order_by(func.min(c.seq))
    counts: dict[tuple[str, str, datetime], dict[str, int]] = {}
    for row in await unit.execute(counted.where(c.seq > after, c.seq <= until, c.told.is_(False))):
        counts.setdefault((row.provider, row.by, row.at), {})[row.kind] = int(row.entries)
    return [Import(provider=provider, by=by, at=at, counts=found) for (provider, by, at), found in counts.items()]


async def after(unit: Unit, book: Book, changes: Iterable[Change]) -> Book:
    """The book with these entries as they are in the database now. Raises StoreUnavailable."""
    wanted: dict[str, set[tuple[str, str]]] = {}
    for change in changes:
        wanted.setdefault(change.kind, set()).add((change.provider, change.key))
    partners, _ = await _renewed(unit, t.partners, "key", Partner, book.partners, wanted.get("partners"))
    customers, accounts = await _renewed(unit, t.customers, "account", Customer, book.customers, wanted.get("accounts"))
    contacts, people = await _renewed(unit, t.contacts, "key", Contact, book.contacts, wanted.get("contacts"))
    technicians, staff = await _renewed(unit, t.technicians, "key", Technician, book.technicians, wanted.get("staff"))
    book = replace(book, partners=partners, customers=customers, contacts=contacts, technicians=technicians)
    if "numbers" in wanted:
        book = replace(book, numbers=await _numbers(unit, book, wanted["numbers"]))
    return await _endpoints(unit, book, {key for _, key in wanted.get("phones", ())}, accounts, people, staff)


async def _renewed(
    unit: Unit,
    table: Table,
    column: str,
    kind: type[Entry],
    known: Mapping[int, Entry],
    wanted: set[tuple[str, str]] | None,
) -> tuple[Mapping[int, Entry], set[int]]:
    """The entries with those that are wanted as they are now, and the ids of these, gone or not."""
    if not wanted:
        return known, set()
    gone = {number for number, one in known.items() if (one.provider, getattr(one, column)) in wanted}
    found: dict[int, Entry] = {}
    for keys in _some(sorted({key for _, key in wanted})):
        for row in (await unit.execute(select(table).where(table.c[column].in_(keys)))).mappings():
            if (row["provider"], row[column]) in wanted:
                found[row["id"]] = entry_of(kind, row)
    kept = {number: one for number, one in known.items() if number not in gone}
    return kept | found, gone | found.keys()


async def _numbers(unit: Unit, book: Book, wanted: set[tuple[str, str]]) -> Mapping[str, Mapping[str, Number]]:
    numbers = dict(book.numbers)
    for provider in {provider for provider, _ in wanted}:
        digits = {key.removeprefix("+") for named, key in wanted if named == provider}
        own = {number: one for number, one in numbers.get(provider, {}).items() if number not in digits}
        table = t.numbers
        for some in _some(sorted(digits)):
            query = select(table).where(table.c.provider == provider, table.c.e164.in_(some))
            own |= {row["e164"]: entry_of(Number, row) for row in (await unit.execute(query)).mappings()}
        numbers[provider] = own
    return {provider: own for provider, own in numbers.items() if own}


async def _endpoints(
    unit: Unit, book: Book, names: set[str], accounts: set[int], people: set[int], staff: set[int]
) -> Book:
    """Phones that changed, and those whose owner did: what a phone leaves open is its owner's."""
    if not (names or accounts or people or staff):
        return book
    gone = names | {
        name
        for name, one in book.endpoints.items()
        if one.customer_id in accounts or one.contact_id in people or one.technician_id in staff
    }
    table = t.endpoints
    found: dict[str, Any] = {}
    for column, values in (
        (table.c.name, gone),
        (table.c.customer_id, accounts),
        (table.c.contact_id, people),
        (table.c.technician_id, staff),
    ):
        for some in _some(sorted(values)):
            for row in (await unit.execute(select(table).where(column.in_(some)))).mappings():
                found[row["name"]] = endpoint_of(row, book.customers, book.contacts, book.technicians)
    kept = {name: one for name, one in book.endpoints.items() if name not in gone}
    return replace(book, endpoints=kept | found)


def _some(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
