"""Every page in both languages: looked at by axe-core (WCAG 2.2 AA), on a desk's screen and a phone's."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

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
    "ops": ("incidents", "incidents/1", "incidents/1/report", "announcements", "account"),
    "gestion": ("reports",),
    "admin": ("accounts", "audit"),
    "boreal": ("portal", "portal/tickets/100001", "nowhere"),
}


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


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", list(PAGES))
def test_pages_are_accessible_and_fit_a_phone(name: str, language: str, sign_in: SignIn) -> None:
    _SHOTS.mkdir(parents=True, exist_ok=True)
    page = sign_in(name, language=language)
    problems = []
    for path in PAGES[name]:
        file = path.split("?")[0].replace("/", "-")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"/console/{path}")
        assert page.locator("html").get_attribute("lang") == language
        page.wait_for_timeout(300)
        page.screenshot(path=_SHOTS / f"{file}.{language}.png", full_page=True)
        problems += [f"{path}: {one}" for one in _serious(page)]
        page.set_viewport_size({"width": 375, "height": 700})
        page.screenshot(path=_SHOTS / f"{file}.{language}.phone.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > 375:
            problems.append(f"{path}: {wide} px wide on a phone")
    assert problems == []


def test_the_sign_in_page_is_accessible(sign_in: SignIn) -> None:
    page = sign_in("ops")
    page.context.clear_cookies()
    page.goto("/console/sign-in")
    page.screenshot(path=_SHOTS / "sign-in.fr.png")
    assert _serious(page) == []
