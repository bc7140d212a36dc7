"""Every page in both languages: looked at by axe-core (WCAG 2.2 AA), on a desk's screen and a phone's."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import SignIn
from tests.calls.line import REPOSITORY, Line

_AXE = Path(__file__).parent / "axe" / "axe.min.js"
_SHOTS = REPOSITORY / "var" / "screenshots"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_HEARD = "menu?at=2026-12-25T10:00&caller=4185550100&press=2"
#: Account, and the pages it looks at.
PAGES = {
    "annie": (
        "desk",
        "board",
        "tickets",
        "tickets/100001",
        "traces",
        "menu?at=2026-12-25T10:00&caller=4185550100&press=2",
    ),
    "ops": (
        "incidents",
        "incidents/1",
        "incidents/1/report",
        "maintenances",
        "maintenances/1",
        "announcements",
        "account",
    ),
    "gestion": ("reports",),
    "admin": ("accounts", "warned", "audit"),
    "boreal": ("portal", "portal/tickets/100001", "nowhere"),
}


#: What the public sees, below a language.
PUBLIC = ("", "incidents/1", "maintenances/1", "subscribe", "confirm?token=none", "leave?token=none")


@pytest.fixture(scope="module", autouse=True)
def _something_to_see(line: Line) -> None:
    ticket = {
        "kind": "problem",
        "account_number": "C-1001",
        "account_name": "Clinique du Cap",
        "requester_name": "Julie Tremblay <b>gras</b>",
        "requester_phone": "418 555-0101",
        "service": "Téléphonie",
        "observed": "Les appels se coupent après une minute.\nDepuis lundi.",
        "priority": "haute",
        "level": 1,
    }
    line.api("POST", "/v1/tickets", json=ticket)
    line.api("POST", "/v1/tickets", json=ticket | {"account_number": "C-1002", "account_name": "Eastern Outfitters"})
    texts = {"fr": "Une panne touche la téléphonie à Québec.", "en": "Telephony is down in Quebec City."}
    body = {"desk": "omnivigil", "stage": "confirmed", "texts": texts, "services": ["telephonie"]}
    line.api("POST", "/v1/incidents", json=body)
    work = {
        "desk": "omnivigil",
        "kind": "planned",
        "services": ["messagerie"],
        "starts_at": "2026-12-05T01:00:00-05:00",
    }
    words = {"fr": "La messagerie sera mise à jour.", "en": "Voicemail will be upgraded."}
    line.api("POST", "/v1/maintenances", json=work | {"texts": words, "ends_at": "2026-12-05T04:00:00-05:00"})
    _SHOTS.mkdir(parents=True, exist_ok=True)


def _serious(page: Page) -> list[str]:
    # Added by the driver, as the pages' own policy forbids it to anybody else.
    page.evaluate(_AXE.read_text())
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", _RULES)
    return [
        f"{one['id']}: {node['html'][:150]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _looked_at(page: Page, path: str, language: str, file: str) -> list[str]:
    """What is wrong with a page, on a desk's screen and on a phone's; both are kept as pictures."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(path)
    assert (page.locator("html").get_attribute("lang") or "").startswith(language)
    page.wait_for_timeout(300)
    page.screenshot(path=_SHOTS / f"{file}.{language}.png", full_page=True)
    problems = [f"{path}: {one}" for one in _serious(page)]
    page.set_viewport_size({"width": 375, "height": 700})
    page.screenshot(path=_SHOTS / f"{file}.{language}.phone.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [*problems, f"{path}: {wide} px wide on a phone"] if wide > 375 else problems


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", list(PAGES))
def test_pages_are_accessible_and_fit_a_phone(name: str, language: str, sign_in: SignIn) -> None:
    page = sign_in(name, language=language)
    problems = []
    for path in PAGES[name]:
        problems += _looked_at(page, f"/console/{path}", language, path.split("?")[0].replace("/", "-"))
    assert problems == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_sign_in_page_is_accessible(language: str, sign_in: SignIn) -> None:
    page = sign_in("ops", language=language)
    page.get_by_role("button", name="Quitter" if language == "fr" else "Sign out").click()
    assert _looked_at(page, "/console/sign-in", language, "sign-in") == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_public_pages_are_accessible_and_fit_a_phone(language: str, chromium: Browser, line: Line) -> None:
    """As readers without an account, and without a script, see them."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{line.http}", bypass_csp=True)
    page, problems = context.new_page(), []
    for path in PUBLIC:
        file = f"status-{path.replace('/', '-').replace('?', '-')}".rstrip("-")
        problems += _looked_at(page, f"/status/omnivigil/{language}/{path}".rstrip("/"), language, file)
    context.close()
    assert problems == []
