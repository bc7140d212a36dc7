"""The administrators' pages in a browser: the directory, putting somebody on duty, accounts and tokens."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from sipsim.phones import PhoneFarm

from tests.browser.conftest import SignIn
from tests.browser.looking import look, look_at
from tests.calls.conftest import registered
from tests.calls.line import Line

#: Pages that are looked at as they are, by how their pictures are called.
PAGES = {
    "directory": "directory?q=boréal",
    "directory-accounts": "directory/accounts/list",
    "directory-phones": "directory/phones/list",
    "directory-customer": "directory/accounts/entry?key=C-1001",
    "directory-partner": "directory/partners/entry?key=boreal",
    "directory-phone": "directory/phones/entry?key=6001",
    "directory-new-staff": "directory/staff/new",
    "directory-in-use": "directory/accounts/remove?key=C-1001",
    "duty": "duty",
    "import": "import",
    "account-of": "accounts/ops",
    "tokens": "tokens",
}
#: What stands on buttons and beside fields, by language.
WORDS = {
    "fr": {
        "add": "Ajouter",
        "save": "Enregistrer",
        "account": "Numéro de compte",
        "name": "Nom",
        "telephone": "Téléphone",
        "remove": "Retirer",
        "duty": "Mettre un technicien en service",
        "make": "Créer",
        "for": "Pour qui",
        "wrong": "n’est pas un numéro de téléphone",
    },
    "en": {
        "add": "Add",
        "save": "Save",
        "account": "Account number",
        "name": "Name",
        "telephone": "Telephone",
        "remove": "Remove",
        "duty": "Put a technician on duty",
        "make": "Make",
        "for": "For whom",
        "wrong": "is not a telephone number",
    },
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_administrators_pages_are_accessible_and_fit_a_phone(
    language: str, line: Line, farm: PhoneFarm, sign_in: SignIn
) -> None:
    page = sign_in("admin", language=language)
    registered(farm, "6001")
    page.goto("/console/directory/phones/entry?key=6001")
    expect(page.locator(".badge.free")).to_be_visible()
    problems = []
    for file, path in PAGES.items():
        problems += look_at(page, f"/console/{quote(path, safe='/?=')}", language, file)
    assert problems == []


#: And what a partner has of its own customers.
PORTAL = {
    "portal-customer": "customer?key=C-1001",
    "portal-contact": "contacts/new?account=C-1001",
    "portal-phone": "phones/entry?key=6001",
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_a_partner_has_of_its_customers_is_accessible(language: str, line: Line, sign_in: SignIn) -> None:
    page = sign_in("boreal", language=language)
    problems = []
    for file, path in PORTAL.items():
        problems += look_at(page, f"/console/portal/directory/{path}", language, file)
    assert problems == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_customer_is_entered_changed_by_two_and_removed(language: str, line: Line, sign_in: SignIn) -> None:
    word, key = WORDS[language], f"B-{language}"
    page = sign_in("admin", language=language)
    page.goto("/console/directory/accounts/new")
    page.get_by_label(word["account"], exact=True).fill(key)
    page.get_by_label(word["name"], exact=True).fill("Essai inc.")
    page.get_by_label(word["telephone"], exact=True).fill("beaucoup")
    page.get_by_role("button", name=word["add"], exact=True).click()
    expect(page.locator(".field-problem")).to_contain_text(word["wrong"])
    expect(page.get_by_label(word["telephone"], exact=True)).to_be_focused()
    assert look(page, language, "directory-wrong") == []
    page.get_by_label(word["telephone"], exact=True).fill("418 555-0188")
    page.get_by_role("button", name=word["add"], exact=True).click()
    page.wait_for_url(f"**/accounts/entry?key={key}")
    _changed_by_another(sign_in("admin", language=language), key, word)
    page.locator("[name=address]").fill("2, rue Deux")
    page.get_by_role("button", name=word["save"], exact=True).click()
    expect(page.locator("#problem")).to_contain_text("1, rue Une")
    expect(page.locator("#problem")).to_contain_text("2, rue Deux")
    assert look(page, language, "directory-conflict") == []
    page.get_by_role("button", name=word["save"], exact=True).click()
    expect(page.locator("#problem")).to_be_empty()
    expect(page.locator("[name=address]")).to_have_value("2, rue Deux")
    page.goto(f"/console/directory/accounts/remove?key={key}")
    assert look(page, language, "directory-remove") == []
    page.get_by_role("button", name=word["remove"], exact=True).click()
    page.wait_for_url("**/accounts/list")


def _changed_by_another(page: Page, key: str, word: dict[str, str]) -> None:
    page.goto(f"/console/directory/accounts/entry?key={key}")
    page.locator("[name=address]").fill("1, rue Une")
    page.get_by_role("button", name=word["save"], exact=True).click()
    expect(page.locator("[name=address]")).to_have_value("1, rue Une")
    page.wait_for_load_state()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_somebody_is_put_on_duty_and_what_is_shown_once_is_readable(language: str, line: Line, sign_in: SignIn) -> None:
    word = WORDS[language]
    page = sign_in("admin", language=language)
    page.goto("/console/duty")
    page.get_by_label(word["name"], exact=True).fill(f"Nadia {language}")
    page.locator("[name=login]").fill(f"nadia-{language}")
    page.get_by_role("button", name=word["duty"], exact=True).click()
    expect(page.locator(".secret")).to_have_count(2)
    expect(page.locator("svg.qr")).to_be_visible()
    assert look(page, language, "duty-done") == []
    given = page.locator(".secret").last.inner_text()
    page.goto("/console/tokens")
    page.get_by_label(word["for"], exact=True).fill("crm")
    page.get_by_role("button", name=word["make"], exact=True).click()
    expect(page.locator(".secret")).to_contain_text("ovt_")
    assert look(page, language, "token-made") == []
    page.get_by_role("button", name="Quitter" if language == "fr" else "Sign out").click()
    page.locator("[name=name]").fill(f"nadia-{language}")
    page.locator("[name=password]").fill(given)
    page.locator("main form button").click()
    page.wait_for_url("**/console/account")
    assert look(page, language, "account-must-change") == []
