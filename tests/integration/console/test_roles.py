"""Every page of the console against every role: nobody sees what is not theirs."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from api.console.guard import ANYBODY, roles_of
from api.console.router import SECTIONS
from ivr.accounts.model import ROLES
from tests.console_words import missing_words
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers

#: An account of each role.
ACCOUNTS = {"technician": "annie", "ops": "ops", "manager": "gestion", "partner": "boreal", "administrator": "admin"}
_PARAMETERS = {
    "{kind}": "accounts",
    "{token_id}": "999999",
    "{number}": "999999",
    "{incident_id}": "999999",
    "{maintenance_id}": "999999",
    "{trace_id}": "0" * 32,
    "{message_id}": "999999",
    "{mail_id}": "999999",
    "{nth}": "1",
    "{desk}": "omnivigil",
    "{language}": "fr",
    "{what}": "levels",
    "{name}": "nobody",
    "{person_id}": "999999",
}
ROUTES = [route for section in SECTIONS for route in section.router.routes if isinstance(route, APIRoute)]


def _address(route: APIRoute) -> str:
    path = route.path
    for name, value in _PARAMETERS.items():
        path = path.replace(name, value)
    return path


def test_every_page_says_who_may_open_it() -> None:
    for route in ROUTES:
        assert roles_of(route.endpoint), route.path
        assert roles_of(route.endpoint) <= {*ROLES, ANYBODY}, route.path


def test_every_word_is_there_in_both_languages() -> None:
    assert missing_words() == []


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_opens_its_pages_and_no_others(role: str, browser: Browsers, line: Line) -> None:
    someone = await browser(ACCOUNTS[role])
    for route in ROUTES:
        roles = roles_of(route.endpoint)
        if (route.path.endswith("/stream") and role in roles) or route.name in ("sign_out", "sign_in"):
            continue
        method = next(iter(set(route.methods or ()) - {"HEAD"}))
        answer = await someone.http.request(
            method, _address(route), headers={"X-CSRF-Token": someone.csrf}, data={} if method == "POST" else None
        )
        where = f"{role} {method} {route.path}: {answer.status_code}"
        if role in roles or ANYBODY in roles:
            assert answer.status_code in (200, 204, 303, 404, 422), f"{where} {answer.text[:2000]}"
        else:
            assert answer.status_code == (404 if role == "partner" else 403), where


async def test_nobody_opens_nothing_and_changes_nothing(browser: Browsers) -> None:
    nobody = await browser()
    for route in ROUTES:
        if ANYBODY in roles_of(route.endpoint):
            continue
        method = next(iter(set(route.methods or ()) - {"HEAD"}))
        answer = await nobody.http.request(method, _address(route))
        assert answer.status_code == 303, route.path
        assert answer.headers["location"].startswith("/console/sign-in")


async def test_a_change_without_the_forms_token_is_refused(browser: Browsers) -> None:
    for role, name in ACCOUNTS.items():
        someone = await browser(name)
        for route in ROUTES:
            if "POST" in (route.methods or ()) and role in roles_of(route.endpoint):
                uploads = route.path.endswith(("/recordings", "/import/preview"))
                files = {"fr": b"RIFF"} if uploads else None
                answer = await someone.http.post(_address(route), data={"csrf": "forged"}, files=files)
                assert answer.status_code == 403, route.path


async def test_pages_allow_no_script_or_style_but_their_own(browser: Browsers) -> None:
    admin = await browser("admin")
    for path in ("/console/board", "/console/tickets", "/console/audit", "/console/nowhere"):
        policy = (await admin.get(path)).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
