"""The pages that change a desk, in a browser: each looked at, and a change seen before, put in force, put back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SignIn
from tests.browser.looking import look, look_at
from tests.calls.line import Line

AT = "/console/menu/desk/omnivigil"
PARTS = ("hours", "menu", "texts", "queues", "rota", "file", "versions")
#: What stands on buttons and beside fields, by language; and the rest after a call that is typed.
WORDS = {
    "fr": ("Repos après un appel (secondes)", "Avant et après", "Mettre en service", "Comparer et remettre", "31"),
    "en": ("Rest after a call (seconds)", "Before and after", "Put in force", "Compare and put back", "32"),
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_desk_is_changed_seen_before_and_put_back_on_pages_that_everybody_can_use(
    language: str, line: Line, sign_in: SignIn
) -> None:
    field, preview, put, compare, seconds = WORDS[language]
    page = sign_in("admin", language=language)
    problems = []
    for part in PARTS:
        problems += look_at(page, f"{AT}/{part}", language, f"desk-{part}")

    page.goto(f"{AT}/queues")
    rest = page.get_by_label(field).first
    before = rest.input_value()
    rest.fill("soon")
    page.get_by_role("button", name=preview).click()
    expect(page.locator(".field-problem")).to_be_visible()
    expect(rest).to_have_value("soon")
    problems += look(page, language, "desk-wrong")
    rest.fill(seconds)
    page.get_by_role("button", name=preview).click()
    expect(page.locator(".diff .plus")).to_contain_text(seconds)
    problems += look(page, language, "desk-preview")
    page.get_by_role("button", name=put).click()
    page.wait_for_url(f"**{AT}/versions")
    assert line.api("GET", "/v1/desks/omnivigil/file")["values"]["queues"]["support"]["wrapup_s"] == seconds

    problems += look(page, language, "desk-versions-kept")
    page.get_by_role("link", name=compare).first.click()
    expect(page.locator(".diff .minus")).to_contain_text(seconds)
    page.get_by_role("button", name=put).click()
    page.wait_for_url(f"**{AT}/versions")
    assert line.api("GET", "/v1/desks/omnivigil/file")["values"]["queues"]["support"]["wrapup_s"] == before
    assert problems == []
