"""`./omnivigil account add`: names of partners and phones are those of the directory."""

from __future__ import annotations

from datetime import datetime

from ivr.accounts.api_tokens import check_provider_name
from ivr.accounts.model import check_name, check_password, check_role
from ivr.accounts.passwords import hashed
from ivr.accounts.sign_in import create_account
from ivr.directory.lookup import Directory
from ivr.errors import BadInput
from ivr.store.engine import Store


def check(*, name: str, role: str) -> None:
    """What can be said before a password is asked for. Raises BadInput."""
    check_name(name)
    check_role(role)


async def add(
    store: Store,
    *,
    name: str,
    role: str,
    partner: str | None,
    phone: str | None,
    provider: str | None,
    password: str,
    at: datetime,
) -> None:
    """Enter a new account; with a `provider` it sees that one's line only. Raises BadInput, StoreUnavailable."""
    book = await Directory(store).reload()
    if provider is not None:
        book = book.only(check_provider_name(provider))
    whose = book.partner_named(partner) if partner is not None else None
    if phone is not None and book.technician(phone) is None:
        mend = "give the phone of a technician of the directory"
        raise BadInput(field="phone", problem="this is not a technician's phone", mend=mend)
    password_hash = hashed(check_password(password, name))
    async with store.unit() as unit:
        await create_account(
            unit,
            name=name,
            role=role,
            password_hash=password_hash,
            at=at,
            partner_id=whose.id if whose is not None else None,
            endpoint=phone,
            limited_to=whose.provider if whose is not None else provider,
        )
