"""Any sequence of changes leaves a directory that holds together, and a copy that reads the changes knows all of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from ivr.desk.load import load_desks
from ivr.directory import queries, service
from ivr.directory import tables as t
from ivr.directory.desk_references import known_of
from ivr.directory.entries import Kind, check_key, read_entry
from ivr.directory.snapshot import Book
from ivr.directory.store import load_book
from ivr.errors import BadInput, Conflict, NotFound
from ivr.store.engine import Store, Unit

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)
KNOWN = known_of(load_desks().values(), "main")
PROVIDERS = ("main", "autre")

ACCOUNTS, CONTACTS, PARTNERS = ("C-1", "C-2"), ("ana", "luc", "eva"), ("boreal", "estrie")
NUMBERS, PHONES, STAFF = ("+14185550101", "+14185550102"), ("6001", "7001", "7002"), ("nadia", "omar")
some = st.sampled_from
OPTIONAL = st.none()

VALUES: Mapping[Kind, st.SearchStrategy[dict[str, Any]]] = {
    "partners": st.fixed_dictionaries({"name": some(("Boréal", "Estrie")), "tier": some(("standard", "elite"))}),
    "accounts": st.fixed_dictionaries({"name": some(("Un", "Deux")), "partner": some(PARTNERS) | OPTIONAL}),
    "contacts": st.fixed_dictionaries(
        {"name": some(("A", "B")), "account": some(ACCOUNTS), "kind": some(("administrateur", "utilisateur"))}
    ),
    "numbers": st.fixed_dictionaries({"account": some(ACCOUNTS), "contact": some(CONTACTS) | OPTIONAL}),
    "phones": st.fixed_dictionaries(
        {"account": some(ACCOUNTS), "contact": some(CONTACTS) | OPTIONAL, "caller_id": some(NUMBERS) | OPTIONAL}
    )
    | st.just({"kind": "technician"})
    | st.just({"department": "ventes"}),
    "staff": st.fixed_dictionaries({"name": some(("N", "O")), "phone": some(PHONES)})
    | st.just({"name": "N", "external_number": "+14185550199", "queues": ["support"]}),
}
KEYS: Mapping[Kind, tuple[str, ...]] = {
    "partners": PARTNERS,
    "accounts": ACCOUNTS,
    "contacts": CONTACTS,
    "numbers": NUMBERS,
    "phones": PHONES,
    "staff": STAFF,
}


@st.composite
def operation(draw: st.DrawFn) -> tuple[str, str, Kind, str, dict[str, Any]]:
    kind: Kind = draw(some(tuple(KEYS)))
    what = draw(some(("put", "put", "put", "patch", "delete")))
    values = draw(VALUES[kind])
    if what == "patch":
        names = draw(st.sets(some(tuple(values))))
        values = {name: value for name, value in values.items() if name in names}
    return what, draw(some((*PROVIDERS, "main"))), kind, draw(some(KEYS[kind])), values


async def act(unit: Unit, step: tuple[str, str, Kind, str, dict[str, Any]]) -> None:
    what, provider, kind, key, values = step
    known = KNOWN if provider == "main" else None
    if what == "put":
        entry = read_entry(kind, values)
        await service.put(unit, provider, kind, check_key(kind, key), entry, by="ana", at=NOW, known=known)
    elif what == "patch":
        await service.patch(unit, provider, kind, key, values, by="ana", at=NOW, known=known)
    else:
        await service.delete(unit, provider, kind, key, by="ana", at=NOW, known=known)


async def told(unit: Unit) -> dict[tuple[str, str, str], queries.Found]:
    return {
        (provider, one.kind, one.key): one for provider in PROVIDERS async for one in queries.everything(unit, provider)
    }


def administered(found: Mapping[tuple[str, str, str], queries.Found]) -> set[tuple[str, str]]:
    of_accounts = [(one.provider, one.entry.model_dump()) for one in found.values() if one.kind == "contacts"]
    return {(provider, entry["account"]) for provider, entry in of_accounts if entry["kind"] == "administrateur"}


def holds_together(found: Mapping[tuple[str, str, str], queries.Found], book: Book) -> None:
    """What entries say is what calls know, and whatever is named is there."""
    phones_of: dict[str, int] = {}
    for (provider, kind, key), one in found.items():
        entry = one.entry.model_dump()
        for field, named in (("partner", "partners"), ("account", "accounts"), ("contact", "contacts")):
            if kind != "staff" and entry.get(field) is not None:
                assert (provider, named, entry[field]) in found, (one, field)
        if entry.get("contact") is not None:
            contact = found[(provider, "contacts", entry["contact"])].entry.model_dump()
            assert contact["account"] == entry["account"]
        if kind == "numbers":
            known = book.identify(key.removeprefix("+"), None, provider)
            assert known.customer is not None
            assert (known.customer.provider, known.customer.account) == (provider, entry["account"])
            assert (known.contact.key if known.contact is not None else None) == entry["contact"]
        if kind == "phones":
            phone = book.endpoints[key]
            assert (phone.provider, phone.kind) == (provider, entry["kind"])
            customer = book.customers.get(phone.customer_id or 0)
            assert (customer.account if customer is not None else None) == entry["account"]
        if kind == "staff" and entry["phone"] is not None:
            assert found[(provider, "phones", entry["phone"])].entry.model_dump()["kind"] == "technician"
            technician = book.technician(entry["phone"])
            assert technician is not None
            assert technician.key == key
            phones_of[entry["phone"]] = phones_of.get(entry["phone"], 0) + 1
    assert all(count == 1 for count in phones_of.values())
    sizes = [len(book.partners), len(book.customers), len(book.contacts), len(book.endpoints), len(book.technicians)]
    assert sum(sizes) + sum(len(own) for own in book.numbers.values()) == len(found)


# Each example is some hundred transactions, on a machine that does other things.
@pytest.mark.timeout(400)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(operation(), min_size=5, max_size=25))
async def test_any_sequence_of_changes_leaves_a_directory_that_holds_together(
    store: Store, steps: list[tuple[str, str, Kind, str, dict[str, Any]]]
) -> None:
    async with store.unit() as unit:
        for table in (t.endpoints, t.numbers, t.contacts, t.customers, t.partner_contacts, t.partners, t.technicians):
            await unit.execute(delete(table))
    seen: dict[tuple[str, str, str], queries.Found] = {}
    last = 0
    for step in steps:
        refused = False
        try:
            async with store.unit() as unit:
                await act(unit, step)
        except (BadInput, Conflict, NotFound):
            refused = True
        async with store.reading() as unit:
            found, book = await told(unit), await load_book(unit)
            query = select(t.directory_changes).where(t.directory_changes.c.seq > last)
            rows = (await unit.execute(query.order_by(t.directory_changes.c.seq))).all()
        holds_together(found, book)
        assert {one for one in administered(seen) if (one[0], "accounts", one[1]) in found} <= administered(found)
        changed = {one for one in seen.keys() | found.keys() if seen.get(one) != found.get(one)}
        if refused:
            assert not changed
        # A phone's owner in staff is not an entry of its own, so that more may be told than changed; never less.
        assert changed <= {(row.provider, row.kind, row.key) for row in rows}
        last = max([last, *(row.seq for row in rows)])
        seen = found
