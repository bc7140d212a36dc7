"""Accounts to try the console with. Their passwords are public, so they are for loopback only."""

from __future__ import annotations

from datetime import datetime

from ivr.accounts import store
from ivr.accounts.model import Role
from ivr.accounts.passwords import hashed
from ivr.accounts.sign_in import create_account
from ivr.directory import store as directory
from ivr.directory.model import MAIN
from ivr.directory.tables import partners
from ivr.store.engine import Unit

#: Name, role, partner and phone.
DEMO_ACCOUNTS: tuple[tuple[str, Role, str | None, str | None], ...] = (
    ("annie", "technician", None, "7001"),
    ("luc", "technician", None, "7002"),
    ("ops", "ops", None, None),
    ("gestion", "manager", None, None),
    ("admin", "administrator", None, None),
    ("boreal", "partner", "Réseaux Boréal", None),
    ("estrie", "partner", "Télécom Estrie", None),
)


def demo_account_password(name: str) -> str:
    """The password of an account of the demo."""
    return f"demo-{name}"


async def demo_accounts(unit: Unit, at: datetime) -> None:
    """Enter them; what is there already is left as it is. The demo directory is there."""
    for name, role, partner, endpoint in DEMO_ACCOUNTS:
        if await store.row_of(unit, name) is not None:
            continue
        partner_id = None
        if partner is not None:
            partner_id = await directory.find(unit, partners, "name", partner)
        if partner is not None and partner_id is None:
            continue
        await create_account(
            unit,
            name=name,
            role=role,
            password_hash=hashed(demo_account_password(name)),
            at=at,
            partner_id=partner_id,
            endpoint=endpoint,
            limited_to=MAIN if partner is not None else None,
        )
