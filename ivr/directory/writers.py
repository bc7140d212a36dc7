"""One entry of the directory is checked, written and removed, by kind: what each refers to, and what refers to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Table, update
from sqlalchemy import delete as delete_from

from ivr.accounts.tables import accounts as console_accounts
from ivr.directory import tables as t
from ivr.directory.edits import Edit, StoredEdit
from ivr.directory.entries import (
    ONE_OF,
    AccountEntry,
    ContactEntry,
    Kind,
    NumberEntry,
    PartnerEntry,
    PhoneEntry,
    StaffEntry,
)
from ivr.directory.errors import MOST_NAMED, LastAdministrator
from ivr.directory.model import FALLBACK_LANGUAGE
from ivr.directory.queries import Found
from ivr.errors import BadInput


@dataclass(frozen=True)
class Writer:
    """How one kind is checked and written."""

    #: What the entry refers to, as columns; what is wrong with it is added to the list.
    check: Callable[[Edit, Any, list[BadInput]], Awaitable[dict[str, Any]]]
    write: Callable[[StoredEdit, Any, dict[str, Any]], Awaitable[None]]
    #: What it says of itself, as columns.
    columns: Callable[[Any], dict[str, Any]]
    #: What still uses it, as in `phone 6001`.
    uses: Callable[[Edit], Awaitable[list[str]]]
    #: Removes it; and says what went with it.
    remove: Callable[[StoredEdit], Awaitable[list[tuple[Kind, str]]]]


def _digits(number: str | None) -> str | None:
    if number is not None:
        return number.removeprefix("+")
    return None


def _absent(field: str, kind: Kind, key: str) -> BadInput:
    return BadInput(
        field=field, problem=f"there is no {ONE_OF[kind]} {key}", mend="correct it, or enter that one first"
    )


async def _upsert(edit: StoredEdit, table: Table, column: str, values: Mapping[str, Any]) -> None:
    if edit.before is None:
        await edit.unit.execute(edit.unit.insert(table).values({column: edit.key, **values}))
        return
    of_it = (table.c.provider == edit.provider, table.c[column] == edit.key)
    await edit.unit.execute(update(table).where(*of_it).values(values))


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


async def _write_partner(edit: StoredEdit, entry: PartnerEntry, values: dict[str, Any]) -> None:
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


async def _remove_partner(edit: StoredEdit) -> list[tuple[Kind, str]]:
    own = await edit.own(t.partners, "key")
    await edit.unit.execute(delete_from(t.partner_contacts).where(t.partner_contacts.c.partner_id == own["id"]))
    await edit.unit.execute(delete_from(t.partners).where(t.partners.c.id == own["id"]))
    return []


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


async def _write_account(edit: StoredEdit, entry: AccountEntry, values: dict[str, Any]) -> None:
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


async def _remove_account(edit: StoredEdit) -> list[tuple[Kind, str]]:
    own = await edit.own(t.customers, "account")
    gone: list[tuple[Kind, str]] = [
        ("contacts", row["key"]) for row in await edit.rows(t.contacts, customer_id=own["id"])
    ]
    await edit.unit.execute(delete_from(t.contacts).where(t.contacts.c.customer_id == own["id"]))
    await edit.unit.execute(delete_from(t.customers).where(t.customers.c.id == own["id"]))
    return gone


async def _check_contact(edit: Edit, entry: ContactEntry, problems: list[BadInput]) -> dict[str, Any]:
    account = await edit.row(t.customers, account=entry.account)
    if account is None:
        problems.append(_absent("account", "accounts", entry.account))
        return {}
    before = cast(ContactEntry, edit.before.entry) if edit.before is not None else None
    if before is not None and (before.account != entry.account or entry.kind != "administrateur"):
        await _keep_an_administrator(edit)
    if before is not None and before.account != entry.account and (uses := await _uses_of_contact(edit)):
        problem = f"is another, and {', '.join(uses[:MOST_NAMED])} are that account's"
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


async def _write_contact(edit: StoredEdit, entry: ContactEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.contacts, "key", {**values, **_columns_of_contact(entry)})


async def _uses_of_contact(edit: Edit) -> list[str]:
    own = await edit.own(t.contacts, "key")
    return [
        *(f"number +{row['e164']}" for row in await edit.rows(t.numbers, contact_id=own["id"])),
        *(f"phone {row['name']}" for row in await edit.rows(t.endpoints, contact_id=own["id"])),
    ]


async def _remove_contact(edit: StoredEdit) -> list[tuple[Kind, str]]:
    await _keep_an_administrator(edit)
    of_it = (t.contacts.c.provider == edit.provider, t.contacts.c.key == edit.key)
    await edit.unit.execute(delete_from(t.contacts).where(*of_it))
    return []


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


async def _write_number(edit: StoredEdit, entry: NumberEntry, values: dict[str, Any]) -> None:
    digits = edit.key.removeprefix("+")
    if edit.before is None:
        await edit.unit.execute(edit.unit.insert(t.numbers).values({"e164": digits, **values}))
        return
    of_it = (t.numbers.c.provider == edit.provider, t.numbers.c.e164 == digits)
    await edit.unit.execute(update(t.numbers).where(*of_it).values(values))


async def _uses_of_number(edit: Edit) -> list[str]:
    shown = await edit.rows(t.endpoints, caller_id=edit.key.removeprefix("+"))
    return [f"phone {row['name']}" for row in shown]


async def _remove_number(edit: StoredEdit) -> list[tuple[Kind, str]]:
    of_it = (t.numbers.c.provider == edit.provider, t.numbers.c.e164 == edit.key.removeprefix("+"))
    await edit.unit.execute(delete_from(t.numbers).where(*of_it))
    return []


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
    number = None
    if entry.caller_id is not None:
        number = await edit.row(t.numbers, e164=_digits(entry.caller_id))
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
    """Return whether a phone shows this number from now on only: what was so before is left."""
    return edit.before is None or getattr(edit.before.entry, "caller_id", None) != caller_id


async def _staff_of(edit: Edit) -> list[str]:
    return [f"member of staff {key}" for key in await edit.staff_on_it()]


def _columns_of_phone(entry: PhoneEntry) -> dict[str, Any]:
    plain = entry.model_dump(
        include={"kind", "department", "language", "display", "transport", "call_limit", "devices", "mac"}
    )
    return {**plain, "caller_id": _digits(entry.caller_id), "codecs": list(entry.codecs)}


async def _write_phone(edit: StoredEdit, entry: PhoneEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.endpoints, "name", {**values, **_columns_of_phone(entry)})


async def _uses_of_phone(edit: Edit) -> list[str]:
    uses = await _staff_of(edit)
    uses += [f"console account {row['name']}" for row in await edit.rows(console_accounts, endpoint=edit.key)]
    if edit.known is not None:
        uses += [f"department {name}" for name, phones in edit.known.departments.items() if edit.key in phones]
    return uses


async def _remove_phone(edit: StoredEdit) -> list[tuple[Kind, str]]:
    await edit.unit.execute(delete_from(t.endpoints).where(t.endpoints.c.name == edit.key))
    return []


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


async def _write_staff(edit: StoredEdit, entry: StaffEntry, values: dict[str, Any]) -> None:
    await _upsert(edit, t.technicians, "key", {**values, **_columns_of_staff(entry)})
    own = await edit.own(t.technicians, "key")
    table = t.endpoints
    of_others = (table.c.technician_id == own["id"], table.c.name != (entry.phone or ""))
    await edit.unit.execute(update(table).where(*of_others).values(technician_id=None))
    if entry.phone is not None:
        await edit.unit.execute(update(table).where(table.c.name == entry.phone).values(technician_id=own["id"]))


async def _uses_of_staff(_: Edit) -> list[str]:
    return []


async def _remove_staff(edit: StoredEdit) -> list[tuple[Kind, str]]:
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
