"""`./omnivigil account add`: names of partners and phones are those of the directory."""

from __future__ import annotations

from datetime import datetime

from ivr.accounts.account import check_name, check_role
from ivr.accounts.signing import create_account
from ivr.directory.book import Book
from ivr.directory.directory import Directory
from ivr.errors import BadInput
from ivr.store.engine import Store


def check(*, name: str, role: str) -> None:
    """What can be said before a password is asked for. Raises BadInput."""
    check_name(name)
    check_role(role)


async def add(
    store: Store, *, name: str, role: str, partner: str | None, phone: str | None, password: str, at: datetime
) -> None:
    """Enter a new account. Raises BadInput, StoreUnavailable."""
    book = await Directory(store).reload()
    partner_id = partner_of(book, partner) if partner is not None else None
    if phone is not None and book.technician(phone) is None:
        mend = "give the phone of a technician of the directory"
        raise BadInput(field="phone", problem="this is not a technician's phone", mend=mend)
    async with store.unit() as unit:
        await create_account(
            unit, name=name, role=role, password=password, at=at, partner_id=partner_id, endpoint=phone
        )


def partner_of(book: Book, name: str) -> int:
    """A partner's id. Raises BadInput."""
    found = next((one.id for one in book.partners.values() if one.name == name), None)
    if found is None:
        mend = f"give one of {', '.join(one.name for one in book.partners.values())}"
        raise BadInput(field="partner", problem="there is no such partner", mend=mend)
    return found
