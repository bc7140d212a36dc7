"""The statements of e-mails that came in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from ivr.directory.tables import contacts, customers, partners
from ivr.mail.tables import mails
from ivr.store.engine import Unit

_BRIEF = [column for column in mails.c if column.name not in ("body", "key")]


async def add(unit: Unit, values: Mapping[str, Any]) -> int | None:
    """A new e-mail's id; None when it came in before."""
    statement = unit.insert(mails).values(values).on_conflict_do_nothing().returning(mails.c.id)
    found: int | None = (await unit.execute(statement)).scalar_one_or_none()
    return found


async def by_key(unit: Unit, key: str) -> dict[str, Any] | None:
    """The e-mail that came in under this key."""
    row = (await unit.execute(select(*_BRIEF).where(mails.c.key == key))).mappings().one_or_none()
    return dict(row) if row is not None else None


async def get(unit: Unit, mail_id: int) -> dict[str, Any] | None:
    """An e-mail with its text and key."""
    row = (await unit.execute(select(mails).where(mails.c.id == mail_id))).mappings().one_or_none()
    return dict(row) if row is not None else None


async def page(unit: Unit, *, filters: Mapping[str, Any], before: int | None, limit: int) -> list[dict[str, Any]]:
    """E-mails that match every filter, the newest first, with ids below `before`."""
    query = select(*_BRIEF).order_by(mails.c.id.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(mails.c[name] == value)
    if before is not None:
        query = query.where(mails.c.id < before)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def count_since(unit: Unit, since: datetime, sender: str | None = None) -> int:
    """How many came in since then, from one sender or from all."""
    query = select(func.count()).select_from(mails).where(mails.c.at > since)
    if sender is not None:
        query = query.where(mails.c.sender == sender)
    return int((await unit.execute(query)).scalar_one())


async def last_from(unit: Unit, ticket_number: int, sender: str) -> str | None:
    """Message-ID of what this address last wrote about this ticket."""
    query = (
        select(mails.c.message_id)
        .where(mails.c.ticket_number == ticket_number, mails.c.sender == sender.lower())
        .order_by(mails.c.id.desc())
        .limit(1)
    )
    found: str | None = (await unit.execute(query)).scalar_one_or_none()
    return found


async def may_continue(unit: Unit, customer_id: int, sender: str) -> bool:
    """Whether an address is of a contact of this customer, or of its partner (OV-20)."""
    of_contact = select(contacts.c.id).where(
        contacts.c.customer_id == customer_id, func.lower(contacts.c.email) == sender
    )
    of_partner = (
        select(partners.c.id)
        .join(customers, customers.c.partner_id == partners.c.id)
        .where(customers.c.id == customer_id, func.lower(partners.c.email) == sender)
    )
    for query in (of_contact, of_partner):
        if (await unit.execute(query.limit(1))).first() is not None:
            return True
    return False
