"""Who at each partner's is warned of an incident by text message (OV-27)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from ivr.directory.model import WARNED_ROLES
from ivr.directory.store import add as add_entry
from ivr.directory.store import find
from ivr.directory.tables import partner_contacts, partners
from ivr.errors import BadInput, NotFound
from ivr.numbers.normalise import NotANumber, read_direct
from ivr.store.engine import Unit


class PersonNotFound(NotFound):
    """There is no such person at a partner's."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at a partner's. `mobile` is E.164 digits; whoever has none, or another role, gets no messages."""

    id: int
    partner: str
    name: str
    role: str
    mobile: str | None
    language: str | None


async def every(unit: Unit) -> list[Person]:
    """All of them, by partner and name."""
    table = partner_contacts
    query = select(table, partners.c.name.label("partner")).join(partners).order_by(partners.c.name, table.c.name)
    names = ("id", "partner", "name", "role", "mobile", "language")
    rows = (await unit.execute(query)).mappings()
    return [Person(**{name: row[name] for name in names}) for row in rows]


async def add(
    unit: Unit, *, partner_id: int, name: str, role: str, mobile: str, language: str | None, region: str
) -> int:
    """One more; the id. A number is on the list once, so that nobody gets a message twice.

    `mobile` is as people write it in the country `region` (ISO 3166). Raises BadInput for what is no telephone number,
    a number that is there already, and a role that gets no messages.
    """
    if role not in WARNED_ROLES:
        mend = f"give one of {', '.join(WARNED_ROLES)}"
        raise BadInput(field="role", problem="is not a role that is warned", mend=mend)
    try:
        number = read_direct(mobile, region)
    except NotANumber as error:
        raise BadInput(field="mobile", problem=error.problem, mend=error.mend) from None
    await unit.alone("directory")
    if await find(unit, partner_contacts, "mobile", number) is not None:
        mend = "remove the one who is there first"
        raise BadInput(field="mobile", problem="is on the list already", mend=mend)
    row = {"partner_id": partner_id, "name": name, "role": role, "mobile": number, "language": language}
    return int(await add_entry(unit, partner_contacts, row))


async def remove(unit: Unit, person_id: int) -> None:
    """Warn this person no more. Raises PersonNotFound."""
    done = await unit.execute(delete(partner_contacts).where(partner_contacts.c.id == person_id))
    if not done.rowcount:
        raise PersonNotFound(person=person_id)
