"""The directory and the tokens, on a real file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from ivr.accounts.api_tokens import (
    Bearer,
    TokenNotFound,
    Tokens,
    create_token,
    end_of,
    every,
    keep_token,
    revoke,
)
from ivr.accounts.token_store import revoke_tokens
from ivr.directory.demo import demo_password, load_demo
from ivr.directory.lookup import Directory
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import customers
from ivr.store.engine import Store
from tests.integration.databases import Database

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
async def directory(store: Store) -> Directory:
    async with store.unit() as unit:
        await load_demo(unit)
    made = Directory(store)
    await made.reload()
    return made


class TestDemo:
    @pytest.mark.parametrize(
        ("phone", "number", "tier"),
        [("6001", "14185550101", "elite"), ("6002", "14185550102", "standard"), ("6003", "14185550103", None)],
    )
    async def test_ov3_phones_and_numbers_lead_to_customer_and_partner(
        self, directory: Directory, phone: str, number: str, tier: str | None
    ) -> None:
        by_phone, by_number = directory.identify(None, phone), directory.identify(number, None)
        assert by_phone.customer is not None
        assert by_phone.customer == by_number.customer
        assert by_phone.contact == by_number.contact
        assert (by_phone.partner.tier if by_phone.partner else None) == tier

    async def test_ov20_each_account_has_an_administrator(self, directory: Directory) -> None:
        accounts = set(directory.book.customers)
        assert {c.customer_id for c in directory.book.contacts.values() if c.kind == "administrateur"} == accounts

    async def test_technicians_answer_the_queues(self, directory: Directory) -> None:
        for endpoint in ("7001", "7002"):
            technician = directory.technician(endpoint)
            assert technician is not None
            assert technician.queues == ("support", "hl-logiciel", "hl-cloud")

    async def test_every_phone_has_the_published_password(self, directory: Directory) -> None:
        phones = directory.book.endpoints.values()
        assert len(phones) == 13
        assert all(phone.ha1 == ha1(phone.name, demo_password(phone.name)) for phone in phones)

    async def test_loading_it_again_changes_nothing_not_even_what_somebody_changed(
        self, directory: Directory, store: Store
    ) -> None:
        async with store.unit() as unit:
            await unit.execute(update(customers).where(customers.c.account == "C-1001").values(name="Autre nom"))
        before = await directory.reload()
        async with store.unit() as unit:
            await load_demo(unit)
        assert await directory.reload() == before


class TestLanguages:
    async def test_ov4_the_next_call_knows_it_and_so_does_the_next_run(
        self, directory: Directory, store: Store
    ) -> None:
        await directory.remember_language("15145550100", "en")
        assert directory.identify("15145550100", None).language == "en"
        after_restart = Directory(store)
        await after_restart.reload()
        assert after_restart.identify("15145550100", None).language == "en"

    async def test_ov4_it_outlives_an_outage(self, directory: Directory, store: Store, database_away: Away) -> None:
        with database_away():
            await directory.remember_language("15145550100", "en")
        assert directory.identify("15145550100", None).language == "en"
        await directory.reload()
        assert directory.identify("15145550100", None).language == "en"
        await directory.remember_language("15145550199", "fr")
        after_restart = Directory(store)
        await after_restart.reload()
        assert after_restart.identify("15145550100", None).language == "en"

    async def test_a_book_in_use_does_not_change_under_a_call_but_for_languages(self, directory: Directory) -> None:
        book = directory.book
        await directory.reload()
        assert directory.book is not book
        assert directory.book == book


class TestTokens:
    async def test_a_token_is_good_until_it_is_revoked(self, store: Store) -> None:
        moment = 0.0
        tokens = Tokens(store, lambda: moment)
        async with store.unit() as unit:
            token = await create_token(unit, "console", ["read"], NOW)
        assert await tokens.bearer(token) == Bearer(name="console", scopes=("read",))
        async with store.unit() as unit:
            assert await revoke_tokens(unit, "console", NOW) == 1
        moment = 4.9
        assert await tokens.bearer(token) is not None
        moment = 5.1
        assert await tokens.bearer(token) is None

    async def test_a_token_is_good_until_its_end(self, store: Store) -> None:
        moment, now = 0.0, NOW
        tokens = Tokens(store, lambda: moment, lambda: now)
        async with store.unit() as unit:
            token = await create_token(unit, "console", ["read"], NOW, expires_at=end_of(1, NOW))
        moment, now = 10.0, NOW + timedelta(days=1, seconds=-1)
        assert await tokens.bearer(token) is not None
        moment, now = 20.0, NOW + timedelta(days=1)
        assert await tokens.bearer(token) is None

    async def test_when_it_was_last_used_is_written_apart_and_kept_while_the_database_is_away(
        self, store: Store, database_held: Away
    ) -> None:
        tokens = Tokens(store, clock=lambda: NOW)
        async with store.unit() as unit:
            token = await create_token(unit, "crm", ["read"], NOW - timedelta(days=3))
            await create_token(unit, "idle", ["read"], NOW)
        assert await tokens.bearer(token) is not None
        with database_held():
            assert await tokens.bearer(token) is not None
        await tokens.note_uses()
        async with store.reading() as unit:
            found = {one.name: one for one in await every(unit)}
        assert (found["crm"].last_used_at, found["idle"].last_used_at) == (NOW, None)
        async with store.unit() as unit:
            assert await revoke(unit, found["crm"].id, NOW) == "crm"
            with pytest.raises(TokenNotFound):
                await revoke(unit, found["crm"].id, NOW)

    @pytest.mark.parametrize("wrong", ["", "ovt_", "x" * 5000, "é", "\udce9", "ovt_\x00"])
    async def test_others_are_nobodys(self, store: Store, wrong: str) -> None:
        assert await Tokens(store).bearer(wrong) is None

    async def test_the_token_itself_is_kept_nowhere(self, store: Store, database: Database) -> None:
        async with store.unit() as unit:
            token = await create_token(unit, "console", ["read"], NOW)
        rows = [row for table in database.tables() for row in database.sql(f"SELECT * FROM {table}")]  # noqa: S608
        assert any("console" in row for row in rows)
        assert not any(token in str(row) for row in rows)

    async def test_a_known_token_works_while_the_database_is_locked(self, store: Store, database_held: Away) -> None:
        async with store.unit() as unit:
            await keep_token(unit, "mine", "demo", ["read", "write"], NOW)
            await keep_token(unit, "mine", "demo", ["read"], NOW)
        tokens = Tokens(store)
        with database_held():
            assert await tokens.bearer("mine") == Bearer(name="demo", scopes=("read",))

    @pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "rite"]])
    async def test_unknown_scopes_are_refused(self, store: Store, scopes: list[str]) -> None:
        async with store.unit() as unit:
            with pytest.raises(ValueError, match="scopes are some of read, write"):
                await create_token(unit, "console", scopes, NOW)
