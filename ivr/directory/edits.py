"""An entry that is being written, beside what there is: of the directory, or of an import that is only looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from ivr.directory import tables as t
from ivr.directory.desk_references import Known
from ivr.directory.entries import (
    AccountEntry,
    AnyEntry,
    Kind,
    PhoneEntry,
    StaffEntry,
)
from ivr.directory.queries import Found, Row
from ivr.errors import BadInput
from ivr.numbers.diallable import Refused, for_our_people
from ivr.store.engine import Unit


async def phone_exists(unit: Unit, name: str) -> bool:
    """Return whether a phone of the line, whoever's, is called so."""
    found = await unit.everywhere.execute(select(t.endpoints.c.name).where(t.endpoints.c.name == name))
    return found.first() is not None


def beyond_desks(kind: Kind, key: str, entry: AnyEntry, known: Known | None, *, new: bool) -> Iterator[BadInput]:
    """Return what of an entry the provider's desk files do not allow."""
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
            if there:
                mend = f"use one of {', '.join(there)}"
            else:
                mend = f"this provider's desk files have no {called}"
            yield BadInput(field=field, problem=f"there is no {called} {value}", mend=mend)
    language = getattr(entry, "language", None)
    if language is not None and known.languages and language not in known.languages:
        yield BadInput(
            field="language", problem=f"no desk speaks {language}", mend=f"use one of {', '.join(known.languages)}"
        )


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
        """Return whether another phone of the line, whoever's, is called so."""

    @abstractmethod
    async def rings_elsewhere(self, digits: str) -> bool:
        """Return whether a number, as E.164 digits, rings another provider's phones."""

    @abstractmethod
    async def staff_on_it(self) -> list[str]:
        """Keys of the staff who answer on this phone."""

    async def row(self, table: Table, **values: Any) -> Row | None:
        """One of them."""
        found = await self.rows(table, **values)
        if found:
            return found[0]
        return None


@dataclass(frozen=True)
class StoredEdit(Edit):
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
