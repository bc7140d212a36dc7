"""Forms that operations fill in a browser: what is wrong is told, and the form stays as it was typed."""

from __future__ import annotations

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import SignIn
from tests.browser.looking import look
from tests.calls.line import Line

#: As a spreadsheet of a Windows machine here writes it.
_BAD = "partenaire;compte;numéro\nTélécom Estrie;;\n;C-9999;\n;;332211\nPersonne;C-1001;418 555-0103\n"
_GOOD = "partenaire;compte;numéro\nTélécom Estrie;;\n;C-1001;\n;;418 555-0103\n"


def _csv(text: str) -> FilePayload:
    return {"name": "touchés.csv", "mimeType": "text/csv", "buffer": text.encode("windows-1252")}


def _faults(page: Page) -> list[str]:
    expect(page.locator("#problem")).to_contain_text("3 champs sont à corriger")
    return page.locator("#problem li").all_inner_texts()


def test_every_fault_of_a_csv_is_told_and_none_of_it_is_taken(line: Line, sign_in: SignIn) -> None:
    """OV-27: when an incident is opened, and when it is said anew whom one affects."""
    ops = sign_in("ops")
    ops.goto("/console/incidents")
    before = line.api("GET", "/v1/incidents")["items"]
    ops.get_by_label("la messagerie").check()
    ops.locator("summary", has_text="Touchés").click()
    ops.get_by_label("Fichier CSV").set_input_files(_csv(_BAD))
    expect(ops.locator("[name=csv]")).to_have_value(_BAD)
    ops.get_by_role("button", name="Ouvrir et annoncer").click()
    faults = _faults(ops)
    assert [one.partition("\u00a0:")[0] for one in faults] == [
        "ligne 3, compte",
        "ligne 4, numéro",
        "ligne 5, partenaire",
    ]
    assert "C-9999" in faults[0]
    assert look(ops, "fr", "incidents-faults") == []
    assert line.api("GET", "/v1/incidents")["items"] == before
    ops.get_by_label("Fichier CSV").set_input_files(_csv(_GOOD))
    ops.get_by_role("button", name="Ouvrir et annoncer").click()
    ops.wait_for_url("**/console/incidents/*")
    touched = ops.locator("dt:text-is('Touchés') + dd")
    expect(touched).to_have_text("Télécom Estrie, C-1001, 418 555-0103")
    ops.get_by_label("Fichier CSV").set_input_files(_csv(_BAD))
    ops.get_by_role("button", name="Enregistrer").click()
    _faults(ops)
    ops.reload()
    expect(touched).to_have_text("Télécom Estrie, C-1001, 418 555-0103")
    number = ops.url.rpartition("/")[2]
    texts = {"fr": "C’est réglé.", "en": "It is over."}
    line.api("POST", f"/v1/incidents/{number}/updates", json={"stage": "resolved", "texts": texts})


def test_what_a_maintenance_says_is_drafted_and_no_language_is_left_out(line: Line, sign_in: SignIn) -> None:
    """OV-29: the draft follows what is chosen; without one of the texts nothing is announced, and one is offered."""
    ops = sign_in("ops")
    ops.goto("/console/maintenances")
    before = line.api("GET", "/v1/maintenances")["items"]
    french, english = ops.locator("[name=text_fr]"), ops.locator("[name=text_en]")
    planned = english.input_value()
    ops.get_by_label("la messagerie").check()
    expect(english).not_to_have_value(planned)
    draft = english.input_value()
    assert "voicemail" in draft.lower()
    ops.get_by_label("Type").select_option("emergency")
    expect(english).not_to_have_value(draft)
    draft = english.input_value()
    french.fill("La messagerie sera arrêtée une heure.")
    english.fill("  ")
    ops.locator("[name=starts_at]").fill("2026-12-06T01:00")
    ops.locator("[name=ends_at]").fill("2026-12-06T02:00")
    ops.get_by_role("button", name="Annoncer", exact=True).click()
    expect(ops.locator("#problem")).to_contain_text(draft)
    assert look(ops, "fr", "maintenances-missing") == []
    assert line.api("GET", "/v1/maintenances")["items"] == before
    expect(french).to_have_value("La messagerie sera arrêtée une heure.")
    english.fill(draft)
    ops.get_by_role("button", name="Annoncer", exact=True).click()
    ops.wait_for_url("**/console/maintenances/*")
    expect(ops.locator("main")).to_contain_text("La messagerie sera arrêtée une heure.")
    ops.get_by_role("button", name="Annuler l’entretien").click()
    expect(ops.locator("h1")).to_contain_text("annulé", ignore_case=True)
