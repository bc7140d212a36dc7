"""Writes the directory: one entry at a time, whoever asks for it, with what it refers to checked.

Each change is one row of `directory_changes` and one line of the audit, in the transaction that makes it. Whoever keeps
a copy in memory reads those rows; nothing else tells of changes that another process makes.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from sqlalchemy import Table, func, select, text, update
from sqlalchemy import delete as delete_from

from ivr.accounts import store as audit
from ivr.accounts.tables import accounts as console_accounts
from ivr.directory import queries
from ivr.directory import tables as t
from ivr.directory.desk_references import Known
from ivr.directory.entries import (
    ONE_OF,
    AccountEntry,
    AnyEntry,
    ContactEntry,
    Kind,
    NumberEntry,
    PartnerEntry,
    PhoneEntry,
    StaffEntry,
    check_key,
    read_entry,
)
from ivr.directory.model import FALLBACK_LANGUAGE
from ivr.directory.queries import Found, Row, etag_of
from ivr.directory.sip_passwords import ha1
from ivr.errors import AllBadInput, BadInput, Conflict, NotFound
from ivr.events import EventBus
from ivr.logs import mask
from ivr.numbers.diallable import Refused, for_our_people
from ivr.store.engine import Unit

#: So many of the last changes are kept; whoever is further behind reads everything.
KEPT_CHANGES: Final = 10_000
#: And how often older ones are deleted, in changes.
_SWEEP_EVERY: Final = 500
#: What still uses a thing is named up to here.
_MOST_NAMED: Final = 20
#: Without those that look alike on a label.
_SECRET_SIGNS: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105 - an alphabet
_SECRET_LENGTH: Final = 20


class EntryNotFound(NotFound):
    """The directory has no such entry."""


class Changed(Conflict):
    """Somebody changed the entry in the meantime."""


class Exists(Conflict):
    """There is such an entry already."""


class InUse(Conflict):
    """Something still uses the entry."""

    mend = "change or delete first what uses it"

    def __init__(self, kind: Kind, key: str, uses: Iterable[str]) -> None:
        #: As in `phone 6001`.
        self.uses = tuple(uses)
        named = ", ".join(self.uses[:_MOST_NAMED])
        more = len(self.uses) - _MOST_NAMED
        super().__init__(entry=f"{ONE_OF[kind]} {key}", used_by=named + (f" and {more} more" if more > 0 else ""))


class LastAdministrator(InUse):
    """It is the account's last administrator (OV-20)."""

    mend = "make another contact of the account administrator first"


@dataclass(frozen=True, kw_only=True)
class Put:
    """What became of a put."""

    created: bool
    #: False when the entry was already so; then nothing was written.
    changed: bool
    etag: str
    entry: AnyEntry
    #: Of a phone that is new: what it registers with, told this once.
    secret: str | None = None


async def phone_exists(unit: Unit, name: str) -> bool:
    """Whether a phone of the line, whoever's, is called so."""
    found = await unit.everywhere.execute(select(t.endpoints.c.name).where(t.endpoints.c.name == name))
    return found.first() is not None


def new_secret() -> str:
    """What a phone registers with: 20 signs, 116 bits."""
    return "".join(secrets.choice(_SECRET_SIGNS) for _ in range(_SECRET_LENGTH))


async def put(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    entry: AnyEntry,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    must_be_new: bool = False,
    known: Known | None = None,
) -> Put:
    """Create or replace an entry. Repeating it changes nothing.

    `key` is as `check_key` gives it. `expected_etag` is what the entry must be now; * says that it must be there;
    `must_be_new` that it must not.
    `known` is what the provider's desk files allow; without it that is not looked at. Raises BadInput that names each
    wrong field, Changed, LastAdministrator, StoreUnavailable. `bus` is told of it as `directory.changed`.
    """
    await unit.alone("directory")
    key = check_key(kind, key, known.region if known is not None else "CA")
    before = await queries.get(unit, provider, kind, key)
    _expect(before, expected_etag)
    if must_be_new and before is not None:
        raise Exists(entry=f"{ONE_OF[kind]} {key}")
    if before is not None and before.entry == entry:
        return Put(created=False, changed=False, etag=before.etag, entry=entry)
    problems = [*beyond_desks(kind, key, entry, known, new=before is None)]
    references = await WRITERS[kind].check(_Edit(provider, key, before, known, unit), entry, problems)
    if problems:
        raise AllBadInput(problems)
    secret = new_secret() if kind == "phones" and before is None else None
    values = {"provider": provider, **references}
    if secret is not None:
        values["ha1"] = ha1(key, secret)
    await WRITERS[kind].write(_Edit(provider, key, before, known, unit), entry, values)
    fields = _changed_fields(before.entry if before is not None else None, entry)
    await _note(
        unit, provider, kind, key, "put", by=by, at=at, source=source, bus=bus, fields=fields, created=before is None
    )
    etag = etag_of(kind, provider, key, entry)
    return Put(created=before is None, changed=True, etag=etag, entry=entry, secret=secret)


async def patch(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    changes: Mapping[str, Any],
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    known: Known | None = None,
) -> Put:
    """Change some fields of an entry, by a JSON merge patch (RFC 7396). As `put`; also raises EntryNotFound."""
    await unit.alone("directory")
    region = known.region if known is not None else "CA"
    key = check_key(kind, key, region)
    before = await queries.get(unit, provider, kind, key)
    if before is None:
        raise EntryNotFound(entry=f"{ONE_OF[kind]} {key}")
    entry = read_entry(kind, merged(before.entry.model_dump(mode="json"), changes), region)
    return await put(
        unit, provider, kind, key, entry, by=by, at=at, source=source, expected_etag=expected_etag, bus=bus, known=known
    )


def merged(target: Any, changes: Any) -> Any:
    """What a merge patch makes of a document (RFC 7396 section 2). A field that is taken away is left out."""
    if not isinstance(changes, Mapping):
        return changes
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


async def delete(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    known: Known | None = None,
) -> None:
    """Remove an entry. Raises EntryNotFound, Changed, InUse, LastAdministrator, StoreUnavailable.

    An account's last administrator goes with the account.
    """
    await unit.alone("directory")
    before = await queries.get(unit, provider, kind, key)
    if before is None:
        raise EntryNotFound(entry=f"{ONE_OF[kind]} {key}")
    _expect(before, expected_etag)
    edit = _Edit(provider, key, before, known, unit)
    if still := await WRITERS[kind].uses(edit):
        raise InUse(kind, key, still)
    also = await WRITERS[kind].remove(edit)
    for other in also:
        await _note(unit, provider, other[0], other[1], "delete", by=by, at=at, source=source, bus=bus, fields=())
    await _note(unit, provider, kind, key, "delete", by=by, at=at, source=source, bus=bus, fields=())


async def uses(unit: Unit, provider: str, kind: Kind, key: str, *, known: Known | None = None) -> tuple[str, ...]:
    """What uses an entry, so that it cannot be removed, as in `phone 6001`. Raises EntryNotFound, StoreUnavailable."""
    before = await queries.get(unit, provider, kind, key)
    if before is None:
        raise EntryNotFound(entry=f"{ONE_OF[kind]} {key}")
    return tuple(await WRITERS[kind].uses(_Edit(provider, key, before, known, unit)))


async def renew_secret(
    unit: Unit,
    provider: str,
    name: str,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
) -> str:
    """A phone's new secret, told this once; the old one is worthless. Raises EntryNotFound, StoreUnavailable."""
    await unit.alone("directory")
    before = await queries.get(unit, provider, "phones", name)
    if before is None:
        raise EntryNotFound(entry=f"phone {name}")
    _expect(before, expected_etag)
    secret = new_secret()
    table = t.endpoints
    await unit.execute(update(table).where(table.c.name == name).values(ha1=ha1(name, secret)))
    await _note(unit, provider, "phones", name, "put", by=by, at=at, source=source, bus=bus, fields=("secret",))
    return secret


def _expect(before: Found | None, expected_etag: str | None) -> None:
    if expected_etag is None:
        return
    if before is None or (expected_etag != "*" and expected_etag != before.etag):
        raise Changed()


def _changed_fields(before: AnyEntry | None, after: AnyEntry) -> list[str]:
    names = type(after).model_fields
    if before is None:
        return [name for name in names if name in after.model_fields_set]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


# What is kept of a change ----------------------------------------------------------------------------


async def _note(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    what: str,
    *,
    by: str,
    at: datetime,
    source: str,
    bus: EventBus | None,
    fields: Iterable[str],
    created: bool = False,
) -> None:
    subject = f"{ONE_OF[kind]} {mask(key) if kind == 'numbers' else key}"
    if provider != "main":
        subject = f"{subject} of {provider}"
    action = f"directory.{what}"
    line = await audit.note(unit, at=at, who=by, source=source, action=action, subject=subject, fields=fields)
    await audit.noted(unit, line, 201 if created else 204 if what == "delete" else 200)
    await note_changes(unit, [(kind, key, what)], provider=provider, by=by, at=at, told=bus is not None)
    if bus is not None:
        told = {"provider": provider, "kind": kind, "key": key, "what": what, "by": by}
        unit.afterwards(lambda: bus.publish("directory.changed", at, told))


async def note_changes(
    unit: Unit, changes: Iterable[tuple[Kind, str, str]], *, provider: str, by: str, at: datetime, told: bool = False
) -> None:
    """Enter what changed, as (kind, key, put or delete), for whoever keeps a copy. Call it under `alone("directory")`:
    the numbers must grow in the order of the commits. `told` says that listeners hear of it from whoever calls this.
    """
    table = t.directory_changes
    rows: list[Row] = [
        {"at": at, "provider": provider, "kind": kind, "key": key, "by": by[:40], "what": what, "told": told}
        for kind, key, what in changes
    ]
    if not rows:
        return
    if skipped := len(rows) > KEPT_CHANGES:
        # The gap tells whoever reads on that they are behind, and read everything; one by one would tell them no more.
        counts = Counter(row["kind"] for row in rows)
        kept: list[Row] = [{**row, "entries": counts[kind]} for kind, row in {row["kind"]: row for row in rows}.items()]
        await _skip(unit, len(rows) - len(kept))
        rows = kept
    await unit.execute(unit.insert(table), rows)
    last: int = (await unit.execute(select(func.max(table.c.seq)))).scalar_one()
    if skipped or len(rows) >= _SWEEP_EVERY or last % _SWEEP_EVERY == 0:
        await unit.execute(delete_from(table).where(table.c.seq <= last - KEPT_CHANGES))


async def _skip(unit: Unit, numbers: int) -> None:
    """Have the next change's number be so many later."""
    table = t.directory_changes
    if unit.dialect == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "seq")
        await unit.execute(select(func.setval(sequence, func.nextval(sequence) + numbers - 1)))
        return
    counted = text("SELECT seq FROM sqlite_sequence WHERE name = 'directory_changes'")
    last = (await unit.everywhere.execute(counted)).scalar()
    skipped = {"seq": (last or 0) + numbers, "at": datetime.now(UTC), "kind": "", "key": "", "by": "", "what": ""}
    await unit.execute(unit.insert(table).values(skipped))
    await unit.execute(delete_from(table).where(table.c.seq == skipped["seq"]))


# What desk files allow -------------------------------------------------------------------------------


def beyond_desks(kind: Kind, key: str, entry: AnyEntry, known: Known | None, *, new: bool) -> Iterator[BadInput]:
    """What of an entry the provider's desk files do not allow."""
    if known is None:
        return
    if kind == "phones" and new and key in known.dialled:
        yield BadInput(field="name", problem=f"{key} is dialled for something else here", mend="choose another name")
    named: list[tuple[str, str, Iterable[str], str]] = []
    match entry:
        case AccountEntry():
            named = [("desk", entry.desk or "", known.desks, "desk")]
        case PhoneEntry():
            named = [("department", entry.department or "", known.departments, "department")]
        case StaffEntry():
            named = [(f"queues.{n}", one.queue, known.queues, "queue") for n, one in enumerate(entry.queues)]
    if isinstance(entry, StaffEntry) and entry.external_number is not None:
        number = for_our_people(entry.external_number, region=known.region, own=known.dialled)
        if isinstance(number, Refused):
            mend = "give a geographic or mobile number of the desk's country, Canada or the United States"
            yield BadInput(field="external_number", problem="may not be called by the line", mend=mend)
    for field, value, there, called in named:
        if value and value not in there:
            mend = f"use one of {', '.join(there)}" if there else f"this provider's desk files have no {called}"
            yield BadInput(field=field, problem=f"there is no {called} {value}", mend=mend)
    language = getattr(entry, "language", None)
    if language is not None and known.languages and language not in known.languages:
        yield BadInput(
            field="language", problem=f"no desk speaks {language}", mend=f"use one of {', '.join(known.languages)}"
        )


# How each kind is written ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit(ABC):
    """One entry that is about to change, and what the rules ask about the rest of the directory."""

    provider: str
    key: str
    before: Found | None
    known: Known | None

    @abstractmethod
    async def rows(self, table: Table, **values: Any) -> list[Row]:
        """The provider's rows with these values."""

    @abstractmethod
    async def own(self, table: Table, column: str) -> Row:
        """The entry's own row."""

    @abstractmethod
    async def owner_of_mobile(self, mobiles: Sequence[str]) -> str | None:
        """Key of another partner on whose list one of these mobiles is, as E.164 digits."""

    @abstractmethod
    async def name_is_taken(self) -> bool:
        """Whether another phone of the line, whoever's, is called so."""

    @abstractmethod
    async def rings_elsewhere(self, digits: str) -> bool:
        """Whether a number, as E.164 digits, rings another provider's phones."""

    @abstractmethod
    async def staff_on_it(self) -> list[str]:
        """Keys of the staff who answer on this phone."""

    async def row(self, table: Table, **values: Any) -> Row | None:
        """One of them."""
        found = await self.rows(table, **values)
        return found[0] if found else None


@dataclass(frozen=True)
class _Edit(Edit):
    """One entry alone, in the database."""

    unit: Unit

    async def rows(self, table: Table, **values: Any) -> list[Row]:
        of_it = [table.c[name] == value for name, value in values.items()]
        if "provider" in table.c:
            of_it.append(table.c.provider == self.provider)
        return list((await self.unit.execute(select(table).where(*of_it))).mappings())

    async def own(self, table: Table, column: str) -> Row:
        (found,) = await self.rows(table, **{column: self.key})
        return found

    async def owner_of_mobile(self, mobiles: Sequence[str]) -> str | None:
        table = t.partner_contacts
        owners = select(t.partners.c.key).join(table, table.c.partner_id == t.partners.c.id)
        of_others = (t.partners.c.provider == self.provider, t.partners.c.key != self.key)
        found = await self.unit.execute(owners.where(table.c.mobile.in_(mobiles), *of_others).limit(1))
        return found.scalar_one_or_none()

    async def name_is_taken(self) -> bool:
        return self.before is None and await phone_exists(self.unit, self.key)

    async def rings_elsewhere(self, digits: str) -> bool:
        table, number = t.endpoints, t.numbers
        theirs = (table.c.provider == number.c.provider) & (table.c.caller_id == number.c.e164)
        of_others = (table.c.provider != self.provider, number.c.e164 == digits)
        query = select(table.c.name).join(number, theirs).where(*of_others).limit(1)
        found = await self.unit.everywhere.execute(query)
        return found.first() is not None

    async def staff_on_it(self) -> list[str]:
        rows = select(t.technicians.c.key).join(t.endpoints, t.endpoints.c.technician_id == t.technicians.c.id)
        found = await self.unit.execute(rows.where(t.endpoints.c.name == self.key))
        return [key for (key,) in found]


@dataclass(frozen=True)
class Writer:
    """How one kind is checked and written."""

    #: What the entry refers to, as columns; what is wrong with it is added to the list.
    check: Callable[[Edit, Any, list[BadInput]], Awaitable[dict[str, Any]]]
    write: Callable[[_Edit, Any, dict[str, Any]], Awaitable[None]]
    #: What it says of itself, as columns.
    columns: Callable[[Any], dict[str, Any]]
    #: What still uses it, as in `phone 6001`.
    uses: Callable[[Edit], Awaitable[list[str]]]
    #: Removes it; and says what went with it.
    remove: Callable[[_Edit], Awaitable[list[tuple[Kind, str]]]]


def _digits(number: str | None) -> str | None:
    return number.removeprefix("+") if number is not None else None


def _absent(field: str, kind: Kind, key: str) -> BadInput:
    return BadInput(
        field=field, problem=f"there is no {ONE_OF[kind]} {key}", mend="correct it, or enter that one first"
    )


async def _upsert(edit: _Edit, table: Table, column: str, values: Mapping[str, Any]) -> None:
    if edit.before is None:
        await edit.unit.execute(edit.unit.insert(table).values({column: edit.key, **values}))
        return
    of_it = (table.c.provider == edit.provider, table.c[column] == edit.key)
    await edit.unit.execute(update(table).where(*of_it).values(values))


# Partners


async def _check_partner(edit: Edit, entry: PartnerEntry, problems: list[BadInput]) -> dict[str, Any]:
    for other in await edit.rows(t.partners, name=entry.name):
        if other["key"] != edit.key:
            problem = f"is the name of partner {other['key']}"
            problems.append(BadInput(field="name", problem=problem, mend="choose another, or change that one"))
    mobiles = [one.mobile.removeprefix("+") for one in entry.people if one.mobile is not None]
    if mobiles and (other_key := await edit.owner_of_mobile(mobiles)) is not None:
        problem = f"holds a mobile that is on partner {other_key}'s list"
        problems.append(BadInput(field="people", problem=problem, mend="nobody gets a message twice: remove one"))
    return {}


def _columns_of_partner(entry: PartnerEntry) -> dict[str, Any]:
    plain = entry.model_dump(include={"name", "tier", "email", "portal", "language"})
    return {**plain, "phone": _digits(entry.phone)}


async def _write_partner(edit: _Edit, entry: PartnerEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.partners, "key", {**values, **_columns_of_partner(entry)})
    own = await edit.own(t.partners, "key")
    people: tuple[Any, ...] = edit.before.entry.people if edit.before is not None else ()  # type: ignore[attr-defined]
    if people == entry.people:
        return
    table = t.partner_contacts
    await edit.unit.execute(delete_from(table).where(table.c.partner_id == own["id"]))
    for one in entry.people:
        row = {**one.model_dump(), "mobile": _digits(one.mobile), "partner_id": own["id"]}
        await edit.unit.execute(edit.unit.insert(table).values(row))


async def _uses_of_partner(edit: Edit) -> list[str]:
    own = await edit.own(t.partners, "key")
    uses = [f"account {row['account']}" for row in await edit.rows(t.customers, partner_id=own["id"])]
    return uses + [f"console account {row['name']}" for row in await edit.rows(console_accounts, partner_id=own["id"])]


async def _remove_partner(edit: _Edit) -> list[tuple[Kind, str]]:
    own = await edit.own(t.partners, "key")
    await edit.unit.execute(delete_from(t.partner_contacts).where(t.partner_contacts.c.partner_id == own["id"]))
    await edit.unit.execute(delete_from(t.partners).where(t.partners.c.id == own["id"]))
    return []


# Accounts


async def _check_account(edit: Edit, entry: AccountEntry, problems: list[BadInput]) -> dict[str, Any]:
    if entry.partner is None:
        return {"partner_id": None}
    partner = await edit.row(t.partners, key=entry.partner)
    if partner is None:
        problems.append(_absent("partner", "partners", entry.partner))
        return {}
    return {"partner_id": partner["id"]}


def _columns_of_account(entry: AccountEntry) -> dict[str, Any]:
    plain = entry.model_dump(include={"name", "address", "language", "desk"})
    return {**plain, "phone": _digits(entry.phone), "dial_rights": list(entry.dial_rights)}


async def _write_account(edit: _Edit, entry: AccountEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.customers, "account", {**values, **_columns_of_account(entry)})


async def _uses_of_account(edit: Edit) -> list[str]:
    own = await edit.own(t.customers, "account")
    contacts = await edit.rows(t.contacts, customer_id=own["id"])
    if len(contacts) == 1 and contacts[0]["kind"] == "administrateur":
        contacts = []
    return [
        *(f"contact {row['key']}" for row in contacts),
        *(f"number +{row['e164']}" for row in await edit.rows(t.numbers, customer_id=own["id"])),
        *(f"phone {row['name']}" for row in await edit.rows(t.endpoints, customer_id=own["id"])),
    ]


async def _remove_account(edit: _Edit) -> list[tuple[Kind, str]]:
    own = await edit.own(t.customers, "account")
    gone: list[tuple[Kind, str]] = [
        ("contacts", row["key"]) for row in await edit.rows(t.contacts, customer_id=own["id"])
    ]
    await edit.unit.execute(delete_from(t.contacts).where(t.contacts.c.customer_id == own["id"]))
    await edit.unit.execute(delete_from(t.customers).where(t.customers.c.id == own["id"]))
    return gone


# Contacts


async def _check_contact(edit: Edit, entry: ContactEntry, problems: list[BadInput]) -> dict[str, Any]:
    account = await edit.row(t.customers, account=entry.account)
    if account is None:
        problems.append(_absent("account", "accounts", entry.account))
        return {}
    before = cast(ContactEntry, edit.before.entry) if edit.before is not None else None
    if before is not None and (before.account != entry.account or entry.kind != "administrateur"):
        await _keep_an_administrator(edit)
    if before is not None and before.account != entry.account and (uses := await _uses_of_contact(edit)):
        problem = f"is another, and {', '.join(uses[:_MOST_NAMED])} are that account's"
        problems.append(BadInput(field="account", problem=problem, mend="take the contact out of them first"))
    return {"customer_id": account["id"]}


async def _keep_an_administrator(edit: Edit) -> None:
    own = await edit.own(t.contacts, "key")
    if own["kind"] != "administrateur":
        return
    others = await edit.rows(t.contacts, customer_id=own["customer_id"], kind="administrateur")
    if len(others) < 2:
        entry = cast(Found, edit.before).entry
        raise LastAdministrator("contacts", edit.key, [f"account {cast(ContactEntry, entry).account}"])


def _columns_of_contact(entry: ContactEntry) -> dict[str, Any]:
    phones = [one.removeprefix("+") for one in entry.phones]
    plain = entry.model_dump(include={"name", "kind", "email", "language"})
    return {**plain, "phones": phones, "phone": phones[0] if phones else None, "rights": list(entry.rights)}


async def _write_contact(edit: _Edit, entry: ContactEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.contacts, "key", {**values, **_columns_of_contact(entry)})


async def _uses_of_contact(edit: Edit) -> list[str]:
    own = await edit.own(t.contacts, "key")
    return [
        *(f"number +{row['e164']}" for row in await edit.rows(t.numbers, contact_id=own["id"])),
        *(f"phone {row['name']}" for row in await edit.rows(t.endpoints, contact_id=own["id"])),
    ]


async def _remove_contact(edit: _Edit) -> list[tuple[Kind, str]]:
    await _keep_an_administrator(edit)
    of_it = (t.contacts.c.provider == edit.provider, t.contacts.c.key == edit.key)
    await edit.unit.execute(delete_from(t.contacts).where(*of_it))
    return []


# Numbers


async def _owner(edit: Edit, account: str, contact: str | None, problems: list[BadInput]) -> dict[str, Any]:
    """Columns of an account, and of a contact of that account."""
    found = await edit.row(t.customers, account=account)
    if found is None:
        problems.append(_absent("account", "accounts", account))
        return {}
    if contact is None:
        return {"customer_id": found["id"], "contact_id": None}
    person = await edit.row(t.contacts, key=contact)
    if person is None:
        problems.append(_absent("contact", "contacts", contact))
        return {}
    if person["customer_id"] != found["id"]:
        problem = f"{contact} is not a contact of account {account}"
        problems.append(BadInput(field="contact", problem=problem, mend="give one of that account's, or none"))
        return {}
    return {"customer_id": found["id"], "contact_id": person["id"]}


async def _check_number(edit: Edit, entry: NumberEntry, problems: list[BadInput]) -> dict[str, Any]:
    if edit.known is not None and edit.key.removeprefix("+") in edit.known.dialled:
        problem = f"{edit.key} is a desk's own number"
        problems.append(BadInput(field="e164", problem=problem, mend="give a customer's"))
    owner = await _owner(edit, entry.account, entry.contact, problems)
    if owner:
        for phone in await edit.rows(t.endpoints, caller_id=edit.key.removeprefix("+")):
            if phone["customer_id"] not in (None, owner["customer_id"]):
                problem = f"is shown by phone {phone['name']}, which stays another account's"
                problems.append(BadInput(field="account", problem=problem, mend="change that phone's caller_id first"))
    return owner


def _columns_of_number(_: NumberEntry) -> dict[str, Any]:
    return {}


async def _write_number(edit: _Edit, entry: NumberEntry, values: dict[str, Any]) -> None:
    digits = edit.key.removeprefix("+")
    if edit.before is None:
        await edit.unit.execute(edit.unit.insert(t.numbers).values({"e164": digits, **values}))
        return
    of_it = (t.numbers.c.provider == edit.provider, t.numbers.c.e164 == digits)
    await edit.unit.execute(update(t.numbers).where(*of_it).values(values))


async def _uses_of_number(edit: Edit) -> list[str]:
    shown = await edit.rows(t.endpoints, caller_id=edit.key.removeprefix("+"))
    return [f"phone {row['name']}" for row in shown]


async def _remove_number(edit: _Edit) -> list[tuple[Kind, str]]:
    of_it = (t.numbers.c.provider == edit.provider, t.numbers.c.e164 == edit.key.removeprefix("+"))
    await edit.unit.execute(delete_from(t.numbers).where(*of_it))
    return []


# Phones


async def _check_phone(edit: Edit, entry: PhoneEntry, problems: list[BadInput]) -> dict[str, Any]:
    if await edit.name_is_taken():
        problem = f"{edit.key} is a phone of another provider's; names are one space on a line"
        problems.append(BadInput(field="name", problem=problem, mend="choose another name"))
    owner: dict[str, Any] = {"customer_id": None, "contact_id": None}
    if entry.account is not None:
        owner = await _owner(edit, entry.account, entry.contact, problems)
    for other in await edit.rows(t.endpoints, mac=entry.mac) if entry.mac is not None else ():
        if other["name"] != edit.key:
            problem = f"is the device of phone {other['name']}"
            problems.append(BadInput(field="mac", problem=problem, mend="take it from that one first"))
    number = await edit.row(t.numbers, e164=_digits(entry.caller_id)) if entry.caller_id is not None else None
    if number is not None and owner and number["customer_id"] != owner["customer_id"]:
        problem = f"{entry.caller_id} is another account's number"
        problems.append(BadInput(field="caller_id", problem=problem, mend="give one of its own account's, or none"))
    if number is not None and _is_new(edit, entry.caller_id) and await edit.rings_elsewhere(number["e164"]):
        problem = f"{entry.caller_id} rings another provider's phones already"
        problems.append(
            BadInput(field="caller_id", problem=problem, mend="give another; a number rings at one of them")
        )
    if edit.before is not None and entry.kind != "technician":
        for user in await _staff_of(edit):
            problem = f"is {entry.kind}, and {user} answers on it"
            problems.append(BadInput(field="kind", problem=problem, mend="give them another phone first"))
    return owner


def _is_new(edit: Edit, caller_id: str | None) -> bool:
    """Whether a phone shows this number from now on only: what was so before is left."""
    return edit.before is None or getattr(edit.before.entry, "caller_id", None) != caller_id


async def _staff_of(edit: Edit) -> list[str]:
    return [f"member of staff {key}" for key in await edit.staff_on_it()]


def _columns_of_phone(entry: PhoneEntry) -> dict[str, Any]:
    plain = entry.model_dump(
        include={"kind", "department", "language", "display", "transport", "call_limit", "devices", "mac"}
    )
    return {**plain, "caller_id": _digits(entry.caller_id), "codecs": list(entry.codecs)}


async def _write_phone(edit: _Edit, entry: PhoneEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.endpoints, "name", {**values, **_columns_of_phone(entry)})


async def _uses_of_phone(edit: Edit) -> list[str]:
    uses = await _staff_of(edit)
    uses += [f"console account {row['name']}" for row in await edit.rows(console_accounts, endpoint=edit.key)]
    if edit.known is not None:
        uses += [f"department {name}" for name, phones in edit.known.departments.items() if edit.key in phones]
    return uses


async def _remove_phone(edit: _Edit) -> list[tuple[Kind, str]]:
    await edit.unit.execute(delete_from(t.endpoints).where(t.endpoints.c.name == edit.key))
    return []


# Staff


async def _check_staff(edit: Edit, entry: StaffEntry, problems: list[BadInput]) -> dict[str, Any]:
    if entry.phone is not None:
        phone = await edit.row(t.endpoints, name=entry.phone)
        if phone is None:
            problems.append(_absent("phone", "phones", entry.phone))
        elif phone["kind"] != "technician":
            problem = f"{entry.phone} is a phone of kind {phone['kind']}"
            problems.append(BadInput(field="phone", problem=problem, mend="give one of kind technician"))
        elif phone["technician_id"] is not None:
            user = await edit.row(t.technicians, id=phone["technician_id"])
            if user is not None and user["key"] != edit.key:
                problem = f"{entry.phone} is {user['key']}'s"
                problems.append(
                    BadInput(field="phone", problem=problem, mend="give another, or take it from them first")
                )
    kept = edit.before is not None and cast(StaffEntry, edit.before.entry).account == entry.account
    if entry.account is not None and not kept and await edit.row(console_accounts, name=entry.account) is None:
        problem = f"there is no account {entry.account} of the console"
        problems.append(BadInput(field="account", problem=problem, mend="make it with ./omnivigil account add"))
    return {}


def _columns_of_staff(entry: StaffEntry) -> dict[str, Any]:
    spoken = [one.model_dump() for one in entry.languages]
    return {
        "name": entry.name,
        "external_number": _digits(entry.external_number),
        "queues": [one.queue for one in entry.queues],
        "penalties": {one.queue: one.penalty for one in entry.queues if one.penalty},
        "languages": spoken,
        "language": spoken[0]["language"] if spoken else FALLBACK_LANGUAGE,
        "skills": list(entry.skills),
        "account": entry.account,
    }


async def _write_staff(edit: _Edit, entry: StaffEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.technicians, "key", {**values, **_columns_of_staff(entry)})
    own = await edit.own(t.technicians, "key")
    table = t.endpoints
    of_others = (table.c.technician_id == own["id"], table.c.name != (entry.phone or ""))
    await edit.unit.execute(update(table).where(*of_others).values(technician_id=None))
    if entry.phone is not None:
        await edit.unit.execute(update(table).where(table.c.name == entry.phone).values(technician_id=own["id"]))


async def _uses_of_staff(_: Edit) -> list[str]:
    return []


async def _remove_staff(edit: _Edit) -> list[tuple[Kind, str]]:
    own = await edit.own(t.technicians, "key")
    theirs = t.endpoints.c.technician_id == own["id"]
    await edit.unit.execute(update(t.endpoints).where(theirs).values(technician_id=None))
    await edit.unit.execute(delete_from(t.technicians).where(t.technicians.c.id == own["id"]))
    return []


#: How each kind is checked and written.
WRITERS: Final[Mapping[Kind, Writer]] = {
    "partners": Writer(_check_partner, _write_partner, _columns_of_partner, _uses_of_partner, _remove_partner),
    "accounts": Writer(_check_account, _write_account, _columns_of_account, _uses_of_account, _remove_account),
    "contacts": Writer(_check_contact, _write_contact, _columns_of_contact, _uses_of_contact, _remove_contact),
    "numbers": Writer(_check_number, _write_number, _columns_of_number, _uses_of_number, _remove_number),
    "phones": Writer(_check_phone, _write_phone, _columns_of_phone, _uses_of_phone, _remove_phone),
    "staff": Writer(_check_staff, _write_staff, _columns_of_staff, _uses_of_staff, _remove_staff),
}
