"""Reads the directory as entries: one, a list with a search, or everything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select

from ivr.directory import tables as t
from ivr.directory.entries import (
    KEY_FIELDS,
    KINDS,
    AccountEntry,
    AnyEntry,
    ContactEntry,
    Kind,
    NumberEntry,
    PartnerEntry,
    PhoneEntry,
    QueueDuty,
    SpokenLanguage,
    StaffEntry,
    WarnedPerson,
)
from ivr.errors import BadInput
from ivr.numbers.normalise import NotANumber, typed
from ivr.store.engine import Unit

#: Rows that are fetched at a time where everything is read.
_CHUNK = 1000
Row = Mapping[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Found:
    """An entry as it is now. `etag` is a strong entity tag (RFC 9110 section 8.8.3), with its quotes."""

    kind: Kind
    provider: str
    key: str
    entry: AnyEntry
    etag: str

    def view(self) -> dict[str, Any]:
        """As the API tells it: the key by its name within the kind, then the entry's fields."""
        return {KEY_FIELDS.get(self.kind, "key"): self.key, **self.entry.model_dump(mode="json")}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Part of a list. `more` is where the next part begins, to be given as `after`; None at the end."""

    entries: list[Found]
    more: tuple[str, str] | None


def etag_of(kind: Kind, provider: str, key: str, entry: AnyEntry) -> str:
    """An entity tag that is another whenever anything of the entry is another."""
    told = to_json([kind, provider, key, entry.model_dump(mode="json")])
    return f'"{hashlib.sha256(told).hexdigest()[:32]}"'


@dataclass(frozen=True)
class _Reading:
    """How a kind is read: its rows, its key among their columns, and what else can be asked for."""

    query: Select[Any]
    key: ColumnElement[Any]
    provider: ColumnElement[Any]
    entry: Callable[[Row], AnyEntry]
    searched: tuple[ColumnElement[Any], ...]
    #: Those that telephone numbers may be in, as digits.
    digits: tuple[ColumnElement[Any], ...]
    filters: Mapping[str, ColumnElement[Any]]
    sorted: Mapping[str, ColumnElement[Any]]


def _plus(digits: str | None) -> str | None:
    if digits:
        return f"+{digits}"
    return None


def _partner(row: Row) -> PartnerEntry:
    return PartnerEntry.model_construct(
        name=row["name"],
        tier=row["tier"],
        phone=_plus(row["phone"]),
        email=row["email"],
        portal=row["portal"],
        language=row["language"],
        people=tuple(
            WarnedPerson.model_construct(
                name=one["name"], role=one["role"], mobile=_plus(one["mobile"]), language=one["language"]
            )
            for one in row["people"]
        ),
    )


def _account(row: Row) -> AccountEntry:
    return AccountEntry.model_construct(
        name=row["name"],
        address=row["address"],
        phone=_plus(row["phone"]),
        partner=row["partner_key"],
        language=row["language"],
        desk=row["desk"],
        dial_rights=tuple(row["dial_rights"]),
    )


def _contact(row: Row) -> ContactEntry:
    return ContactEntry.model_construct(
        account=row["account"],
        name=row["name"],
        kind=row["kind"],
        phones=tuple(f"+{one}" for one in row["phones"]),
        email=row["email"],
        language=row["language"],
        rights=tuple(row["rights"]),
    )


def _number(row: Row) -> NumberEntry:
    return NumberEntry.model_construct(account=row["account"], contact=row["contact_key"])


def _phone(row: Row) -> PhoneEntry:
    return PhoneEntry.model_construct(
        kind=row["kind"],
        account=row["account"],
        contact=row["contact_key"],
        department=row["department"],
        language=row["language"],
        caller_id=_plus(row["caller_id"]),
        display=row["display"],
        codecs=tuple(row["codecs"]),
        transport=row["transport"],
        call_limit=row["call_limit"],
        devices=row["devices"],
        mac=row["mac"],
    )


def _staff(row: Row) -> StaffEntry:
    return StaffEntry.model_construct(
        name=row["name"],
        phone=row["phone"],
        external_number=_plus(row["external_number"]),
        queues=tuple(
            QueueDuty.model_construct(queue=one, penalty=row["penalties"].get(one, 0)) for one in row["queues"]
        ),
        languages=tuple(
            SpokenLanguage.model_construct(language=one["language"], penalty=one["penalty"]) for one in row["languages"]
        ),
        skills=tuple(row["skills"]),
        account=row["account"],
    )


_OWN_PHONE = (
    select(func.min(t.endpoints.c.name)).where(t.endpoints.c.technician_id == t.technicians.c.id).scalar_subquery()
)

_READINGS: Final[Mapping[Kind, _Reading]] = {
    "partners": _Reading(
        query=select(t.partners),
        key=t.partners.c.key,
        provider=t.partners.c.provider,
        entry=_partner,
        searched=(t.partners.c.key, t.partners.c.name, t.partners.c.email),
        digits=(t.partners.c.phone,),
        filters={"tier": t.partners.c.tier, "language": t.partners.c.language},
        sorted={"key": t.partners.c.key, "name": t.partners.c.name},
    ),
    "accounts": _Reading(
        query=select(t.customers, t.partners.c.key.label("partner_key")).outerjoin(t.partners),
        key=t.customers.c.account,
        provider=t.customers.c.provider,
        entry=_account,
        searched=(t.customers.c.account, t.customers.c.name, t.customers.c.address),
        digits=(t.customers.c.phone,),
        filters={"partner": t.partners.c.key, "desk": t.customers.c.desk, "language": t.customers.c.language},
        sorted={"key": t.customers.c.account, "name": t.customers.c.name},
    ),
    "contacts": _Reading(
        query=select(t.contacts, t.customers.c.account).join(t.customers),
        key=t.contacts.c.key,
        provider=t.contacts.c.provider,
        entry=_contact,
        searched=(t.contacts.c.key, t.contacts.c.name, t.contacts.c.email, t.customers.c.account),
        digits=(cast(t.contacts.c.phones, String),),
        filters={
            "account": t.customers.c.account,
            "kind": t.contacts.c.kind,
            "language": t.contacts.c.language,
        },
        sorted={"key": t.contacts.c.key, "name": t.contacts.c.name, "account": t.customers.c.account},
    ),
    "numbers": _Reading(
        query=select(t.numbers, t.customers.c.account, t.contacts.c.key.label("contact_key"))
        .join(t.customers, t.customers.c.id == t.numbers.c.customer_id)
        .outerjoin(t.contacts, t.contacts.c.id == t.numbers.c.contact_id),
        key=t.numbers.c.e164,
        provider=t.numbers.c.provider,
        entry=_number,
        searched=(t.customers.c.account, t.contacts.c.key),
        digits=(t.numbers.c.e164,),
        filters={"account": t.customers.c.account, "contact": t.contacts.c.key},
        sorted={"key": t.numbers.c.e164, "account": t.customers.c.account},
    ),
    "phones": _Reading(
        query=select(t.endpoints, t.customers.c.account, t.contacts.c.key.label("contact_key"))
        .outerjoin(t.customers, t.customers.c.id == t.endpoints.c.customer_id)
        .outerjoin(t.contacts, t.contacts.c.id == t.endpoints.c.contact_id),
        key=t.endpoints.c.name,
        provider=t.endpoints.c.provider,
        entry=_phone,
        searched=(t.endpoints.c.name, t.endpoints.c.display, t.customers.c.account, t.endpoints.c.department),
        digits=(t.endpoints.c.caller_id,),
        filters={
            "account": t.customers.c.account,
            "contact": t.contacts.c.key,
            "kind": t.endpoints.c.kind,
            "department": t.endpoints.c.department,
        },
        sorted={"key": t.endpoints.c.name, "account": t.customers.c.account},
    ),
    "staff": _Reading(
        query=select(t.technicians, _OWN_PHONE.label("phone")),
        key=t.technicians.c.key,
        provider=t.technicians.c.provider,
        entry=_staff,
        searched=(t.technicians.c.key, t.technicians.c.name, t.technicians.c.account),
        digits=(t.technicians.c.external_number,),
        filters={"account": t.technicians.c.account, "phone": _OWN_PHONE},
        sorted={"key": t.technicians.c.key, "name": t.technicians.c.name},
    ),
}


def key_of(kind: Kind, stored: str) -> str:
    """The key of a row's: numbers are kept without their plus sign."""
    if kind == "numbers":
        return f"+{stored}"
    return stored


def stored_key(kind: Kind, key: str) -> str:
    """The row's key of a key."""
    if kind == "numbers":
        return key.removeprefix("+")
    return key


def entry_of(kind: Kind, row: Row) -> AnyEntry:
    """The entry of a row, which has beside its columns the keys of what it refers to: `partner_key`, `contact_key`,
    `account`, of staff `phone`, and of a partner `people`.
    """
    return _READINGS[kind].entry(row)


async def get(unit: Unit, provider: str, kind: Kind, key: str) -> Found | None:
    """One entry, if there is one. Raises StoreUnavailable."""
    reading = _READINGS[kind]
    query = reading.query.where(reading.provider == provider, reading.key == stored_key(kind, key))
    rows = (await unit.execute(query)).mappings().all()
    if rows:
        return (await _found(unit, kind, rows))[0]
    return None


async def find(
    unit: Unit,
    provider: str,
    kind: Kind,
    *,
    q: str | None = None,
    filters: Mapping[str, str] | None = None,
    sort: str = "key",
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> Part:
    """Entries that hold `q` and whose fields are as in `filters`, by `sort`, backwards with - before it.

    `after` is `more` of the part before. Raises BadInput for a filter or an order that the kind has not.
    """
    reading = _READINGS[kind]
    query = reading.query.where(reading.provider == provider)
    for name, value in (filters or {}).items():
        if name not in reading.filters:
            mend = f"use some of {', '.join(reading.filters)}"
            raise BadInput(field=name, problem=f"{kind} are not told apart by it", mend=mend)
        query = query.where(reading.filters[name] == value)
    if q is not None:
        query = query.where(_holds(reading, q))
    backwards, by = sort.startswith("-"), reading.sorted.get(sort.removeprefix("-"))
    if by is None:
        mend = f"use one of {', '.join(reading.sorted)}, with - before it for backwards"
        raise BadInput(field="sort", problem="there is no such order", mend=mend)
    # Without collation: both databases, and every language of theirs, put them in the same order then.
    order: ColumnElement[Any] = func.coalesce(by, "")
    if unit.dialect == "postgresql":
        order = order.collate("C")
    key = reading.key.collate("C") if unit.dialect == "postgresql" else reading.key
    if after is not None:
        value, last = after[0], stored_key(kind, after[1])
        if backwards:
            beyond = (order < value, key < last)
        else:
            beyond = (order > value, key > last)
        query = query.where(or_(beyond[0], and_(order == value, beyond[1])))
    query = query.add_columns(order.label("sorted_by"))
    query = query.order_by(order.desc() if backwards else order, key.desc() if backwards else key).limit(limit + 1)
    rows = (await unit.execute(query)).mappings().all()
    entries = await _found(unit, kind, rows[:limit])
    more = None
    if len(rows) > limit:
        more = (str(rows[limit - 1]["sorted_by"]), entries[-1].key)
    return Part(entries=entries, more=more)


def _holds(reading: _Reading, q: str) -> ColumnElement[bool]:
    """Every word is somewhere in the entry; capitals do not matter, and signs within telephone numbers neither."""
    if (digits := _digits_of(q)) is not None:
        found = [*(_like(column, digits) for column in reading.digits), *(_like(c, q) for c in reading.searched)]
        return or_(*found)
    words = q.split()
    return and_(*(or_(*(_like(column, word) for column in reading.searched)) for word in words))


def _digits_of(q: str) -> str | None:
    """The digits of what looks like a telephone number, or a part of one, as people write it; kept are E.164 digits."""
    try:
        number, _ = typed(q)
    except NotANumber:
        return None
    digits = re.sub(r"[ ().+-]", "", number).removeprefix("00")
    if len(digits) >= 4 and digits.isascii() and digits.isdigit():
        return digits
    return None


def _like(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    found = func.lower(column).contains(word.lower(), autoescape=True)
    if word.isascii():
        return found
    # SQLite knows the capitals of ASCII only.
    ways = {word, word.lower(), word.upper(), word.capitalize()}
    return or_(found, *(column.contains(one, autoescape=True) for one in sorted(ways)))


async def everything(unit: Unit, provider: str, kinds: Sequence[Kind] = KINDS) -> AsyncIterator[Found]:
    """Every entry, kind by kind and by key, some at a time: for an export, and to compare with what is to be."""
    for kind in kinds:
        after: tuple[str, str] | None = None
        while True:
            part = await find(unit, provider, kind, after=after, limit=_CHUNK)
            for one in part.entries:
                yield one
            if part.more is None:
                break
            after = part.more


async def _found(unit: Unit, kind: Kind, rows: Iterable[Row]) -> list[Found]:
    reading = _READINGS[kind]
    rows = list(rows)
    if kind == "partners":
        rows = await _with_people(unit, rows)
    found = []
    for row in rows:
        key, provider, entry = key_of(kind, row[str(reading.key.key)]), row["provider"], reading.entry(row)
        etag = etag_of(kind, provider, key, entry)
        found.append(Found(kind=kind, provider=provider, key=key, entry=entry, etag=etag))
    return found


async def _with_people(unit: Unit, rows: Sequence[Row]) -> list[Row]:
    table = t.partner_contacts
    of_them = table.c.partner_id.in_([row["id"] for row in rows])
    people: dict[int, list[Row]] = {}
    for one in (await unit.execute(select(table).where(of_them).order_by(table.c.id))).mappings():
        people.setdefault(one["partner_id"], []).append(one)
    return [{**row, "people": people.get(row["id"], [])} for row in rows]
