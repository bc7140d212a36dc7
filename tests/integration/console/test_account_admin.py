"""What administrators do with accounts and tokens, and what nobody can do."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from ivr.accounts import admin as account_admin
from ivr.accounts import api_tokens, second_factor_admin, store
from ivr.errors import BadInput, NotFound
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers


def _given(page: str) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert found, page
    return found[1]


async def test_a_password_that_was_given_opens_nothing_until_it_is_changed(browser: Browsers, line: Line) -> None:
    admin, ops = await browser("admin"), await browser("ops")
    answer = await admin.post("/console/accounts/ops/password")
    given = _given(answer.text)
    assert (await ops.get("/console/board")).headers["location"].startswith("/console/sign-in"), "sessions end"
    assert given not in (await admin.get("/console/accounts/ops")).text, "it is shown once"
    assert (await ops.sign_in("ops", given)).status_code == 303
    for path in ("/console/board", "/console/tickets", "/console"):
        assert (await ops.get(path)).headers["location"] == "/console/account", path
    assert (await ops.post("/console/incidents")).headers["location"] == "/console/account"
    assert (await ops.post("/console/account/password", old=given, new=given)).status_code == 422
    changed = await ops.post("/console/account/password", old=given, new="une phrase assez longue")
    assert changed.status_code == 200
    assert (await ops.get("/console/board")).status_code == 200
    async with line.services.store.reading() as unit:
        assert (await account_admin.get(unit, "ops")).last_sign_in_at == line.now


async def test_the_terminal_gives_a_password_to_whoever_administers_alone(browser: Browsers, line: Line) -> None:
    given = await second_factor_admin.reset_password(line.services.store, "Admin", who="root", at=line.now)
    admin = await browser()
    assert (await admin.sign_in("admin", given)).status_code == 303
    assert (await admin.get("/console/accounts")).headers["location"] == "/console/account"
    with pytest.raises(NotFound):
        await second_factor_admin.reset_password(line.services.store, "nobody", who="root", at=line.now)
    async with line.services.store.reading() as unit:
        (told,) = [one for one in await store.page(unit, before=None, limit=20) if one["who"] == "root"]
    assert told["action"] == "account.reset-password"


async def test_a_closed_account_opens_again_with_another_password(browser: Browsers) -> None:
    admin = await browser("admin")
    assert (await admin.post("/console/accounts/ops/reopen")).status_code == 422, "it is open"
    assert (await admin.post("/console/accounts/ops/disable")).status_code == 303
    given = _given((await admin.post("/console/accounts/ops/reopen")).text)
    assert (await (await browser()).sign_in("ops")).status_code == 422
    assert (await (await browser()).sign_in("ops", given)).status_code == 303


async def test_roles_and_phones_change_and_sessions_end_with_the_role(browser: Browsers) -> None:
    admin, annie = await browser("admin"), await browser("annie")
    assert (await admin.post("/console/accounts/annie", role="technician", endpoint="7002")).status_code == 303
    assert "7002" in (await annie.get("/console/account")).text
    assert (await admin.post("/console/accounts/annie", role="ops", endpoint="")).status_code == 303
    assert (await annie.get("/console/account")).status_code == 303
    for name, fields in {
        "annie": {"role": "partner"},
        "boreal": {"role": "ops"},
        "ops": {"role": "ops", "endpoint": "6001"},
        "gestion": {"role": "emperor"},
        "admin": {"role": "ops"},
    }.items():
        assert (await admin.post(f"/console/accounts/{name}", **fields)).status_code == 422, name
    for path in ("password", "disable", "second-factor/reset"):
        assert (await admin.post(f"/console/accounts/admin/{path}")).status_code == 422, path
        assert (await admin.post(f"/console/accounts/nobody/{path}")).status_code == 404, path


async def test_the_last_administrator_stays_even_when_two_close_one_another(line: Line) -> None:
    database = line.services.store
    with pytest.raises(BadInput, match="last administrator"):
        async with database.unit() as unit:
            await account_admin.close(unit, "admin", line.now)
    async with database.unit() as unit:
        await account_admin.change(unit, "gestion", role="administrator", endpoint=None, limited_to=None)

    async def lose(name: str) -> None:
        async with database.unit() as unit:
            if name == "admin":
                await account_admin.close(unit, name, line.now)
            else:
                await account_admin.change(unit, name, role="ops", endpoint=None, limited_to=None)

    ended = await asyncio.gather(lose("admin"), lose("gestion"), return_exceptions=True)
    assert [type(one) for one in ended if one is not None] == [BadInput]


async def test_sessions_are_seen_and_ended(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    here, there = await browser("ops", source="192.0.2.1"), await browser("ops", source="192.0.2.2")
    page = (await admin.get("/console/accounts/ops")).text
    assert "192.0.2.1" in page
    assert "192.0.2.2" in page
    async with line.services.store.reading() as unit:
        ops = await account_admin.get(unit, "ops")
        every = await account_admin.sessions(unit, ops.id, line.now)
        boss = await account_admin.get(unit, "admin")
        of_admin = await account_admin.sessions(unit, boss.id, line.now)
    mine = next(one.id for one in every if one.source == "192.0.2.1")
    assert (await there.post("/console/account/sessions/end", session=of_admin[0].id)).status_code == 303
    assert (await admin.get("/console/board")).status_code == 200, "another's session is not one's own to end"
    assert (await there.post("/console/account/sessions/end", session=mine)).status_code == 303
    assert (await here.get("/console/board")).status_code == 303
    assert (await there.get("/console/board")).status_code == 200
    assert (await admin.post("/console/accounts/ops/sessions/end")).status_code == 303
    assert (await there.get("/console/board")).status_code == 303


async def test_a_second_factor_is_taken_off_whoever_lost_theirs(browser: Browsers, line: Line) -> None:
    async with line.services.store.unit() as unit:
        row = await store.row_of(unit, "ops")
        assert row is not None
        sealed = line.services.seal.seal(row.id, "A" * 32)
        await store.change(unit, row.id, {"totp_secret": sealed, "totp_step": 1})
    assert (await (await browser()).sign_in("ops")).status_code == 422
    admin = await browser("admin")
    assert (await admin.post("/console/accounts/ops/second-factor/reset")).status_code == 303
    assert (await (await browser()).sign_in("ops")).status_code == 303


async def test_an_account_without_a_password_gets_one_that_is_shown_once(browser: Browsers) -> None:
    admin = await browser("admin")
    made = await admin.post("/console/accounts", name="nathalie", role="ops")
    given = _given(made.text)
    newcomer = await browser()
    assert (await newcomer.sign_in("nathalie", given)).status_code == 303
    assert (await newcomer.get("/console/board")).headers["location"] == "/console/account"


async def test_tokens_are_made_shown_once_and_revoked(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    made = await admin.post("/console/tokens", name="crm", scopes="read", days="30")
    given = _given(made.text)
    assert (await line.services.tokens.bearer(given)) == api_tokens.Bearer(name="crm", scopes=("read",))
    page = (await admin.get("/console/tokens")).text
    assert "crm" in page
    assert given not in page
    async with line.services.store.reading() as unit:
        (one,) = await api_tokens.every(unit)
    assert one.expires_at == line.now + timedelta(days=30)
    assert (await admin.post(f"/console/tokens/{one.id}/revoke")).status_code == 303
    assert (await admin.post(f"/console/tokens/{one.id}/revoke")).status_code == 404
    assert "crm" not in (await admin.get("/console/tokens")).text
    for fields in ({"name": "x"}, {"name": "x", "scopes": "all"}, {"name": "x", "scopes": "read", "days": "soon"}):
        assert (await admin.post("/console/tokens", **fields)).status_code == 422, fields
    assert (await (await browser("ops")).get("/console/tokens")).status_code == 403
