"""A folder that was a demo's goes live: what everybody can read opens nothing any more (H1)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from ivr.accounts import store as account_statements
from ivr.accounts.api_tokens import Tokens, keep_token
from ivr.accounts.model import PUBLISHED, check_password
from ivr.accounts.passwords import hashed
from ivr.accounts.secret_encryption import Seal
from ivr.accounts.sign_in import Accounts, NotSignedIn, create_account
from ivr.accounts.tables import accounts
from ivr.announcements.demo import demo_pins
from ivr.announcements.pins import Pins
from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.demo import load_demo
from ivr.directory.demo_accounts import DEMO_ACCOUNTS, demo_account_password, demo_accounts
from ivr.directory.lookup import Directory
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import endpoints
from ivr.errors import BadInput
from ivr.retiring import Retired, retire
from ivr.store.engine import Store
from tests.integration.databases import Filling

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def filling() -> Filling:
    """A demo's database that somebody used: one account has another password, one more is real, so is one phone."""

    async def fill(store: Store) -> None:
        async with store.unit() as unit:
            await load_demo(unit)
            await demo_pins(unit)
            await demo_accounts(unit, NOW)
            await keep_token(unit, "ovt_demo", "demo", ["read", "write"], NOW)
            await keep_token(unit, "ovt_real", "crm", ["read"], NOW)
            changed = update(accounts).where(accounts.c.name == "gestion")
            await unit.execute(changed.values(password_hash=hashed("une autre phrase entière")))
            for name, password in (("nathalie", "une phrase bien à elle"), ("paul", "demo-gestion")):
                await create_account(unit, name=name, role="ops", password_hash=hashed(password), at=NOW)
            changed_phone = update(endpoints).where(endpoints.c.name == "6003")
            await unit.execute(changed_phone.values(ha1=ha1("6003", "long and random")))
            other = update(endpoints).where(endpoints.c.name == "6002")
            await unit.execute(other.values(ha1=ha1("6002", "demo-6001")))

    return Filling(name="retiring", fill=fill)


async def test_everything_with_a_published_password_is_disabled_and_nothing_else(store: Store) -> None:
    signing = Accounts(store, lambda: NOW, Seal.passing())
    session = await signing.sign_in(name="ops", password="demo-ops", code="", source="127.0.0.1")
    found = await retire(store, NOW, token="ovt_demo")
    assert found.accounts == ("admin", "annie", "boreal", "estrie", "luc", "ops", "paul")
    assert "6003" not in found.phones
    assert {"6001", "6002", "6101", "7001", "7201"} <= set(found.phones)
    assert (found.pins, found.tokens) == (("7001", "7002"), 1)

    assert await signing.session(session.token) is None
    with pytest.raises(NotSignedIn):
        await signing.sign_in(name="admin", password="demo-admin", code="", source="192.0.2.1")
    await signing.sign_in(name="nathalie", password="une phrase bien à elle", code="", source="192.0.2.1")
    tokens = Tokens(store)
    assert await tokens.bearer("ovt_demo") is None
    assert await tokens.bearer("ovt_real") is not None
    book = await Directory(store).reload()
    assert [row.name for row in phone_rows(book)] == ["6003"], "Asterisk knows no other"
    technician = book.endpoints["7001"].technician_id
    assert technician is not None
    assert await Pins(store, lambda: NOW).state(technician) == "none"
    async with store.reading() as unit:
        noted = await account_statements.page(unit, before=None, limit=100)
    assert {"account admin", "phone 6001", "PIN 7001"} <= {row["subject"] for row in noted}
    async with store.reading() as unit:
        kept = [row.ha1 for row in await unit.execute(select(endpoints).where(endpoints.c.name != "6003"))]
    assert len(set(kept)) == len(kept), "each phone's own, and nobody's digest"
    assert all(one.startswith("retired-") and len(one) == 32 for one in kept)

    assert await retire(store, NOW) == Retired(), "and once is enough"


def test_the_published_passwords_are_known_and_no_account_is_given_one() -> None:
    assert {demo_account_password(name) for name, *_ in DEMO_ACCOUNTS} == PUBLISHED
    with pytest.raises(BadInput):
        check_password("demo-gestion", "paul")
