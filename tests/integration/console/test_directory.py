"""The directory's pages: found, entered, changed, removed; what is wrong is told, and nothing is half done."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from ivr.accounts import admin as account_admin
from ivr.directory import queries, service
from ivr.directory.entries import Kind, read_entry
from ivr.directory.queries import Found
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import endpoints
from ivr.errors import NotFound
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browser, Browsers

HERE = "/console/directory"
_MARKUP = "<img src=x onerror=alert(1)>"


async def _entry(line: Line, kind: Kind, key: str) -> Found | None:
    async with line.services.store.reading() as unit:
        return await queries.get(unit, "main", kind, key)


async def _etag(line: Line, kind: Kind, key: str) -> str:
    found = await _entry(line, kind, key)
    assert found is not None
    return found.etag


async def _save(admin: Browser, kind: str, /, **fields: Any) -> httpx.Response:
    return await admin.post(f"{HERE}/{kind}/save", **fields)


async def test_everything_is_found_by_name_number_account_and_phone(browser: Browsers) -> None:
    admin = await browser("admin")
    for asked, told in {
        "clinique": "C-1001 · Clinique du Cap",
        "C-1002": "Eastern Outfitters",
        "418 555-0101": "418 555-0101",
        "6001": "phones/entry?key=6001",
        "annie": "Annie Roy",
        "boréal": "Réseaux Boréal",
    }.items():
        assert told in (await admin.get(HERE, params={"q": asked})).text, asked
    assert "Rien ne correspond" in (await admin.get(HERE, params={"q": "nulle part"})).text
    for kind in ("partners", "accounts", "contacts", "numbers", "phones", "staff"):
        assert (await admin.get(f"{HERE}/{kind}/list")).status_code == 200, kind


async def test_a_customer_is_entered_with_contact_number_and_phone_and_seen_whole(
    browser: Browsers, line: Line
) -> None:
    admin = await browser("admin")
    made = await _save(admin, "accounts", key="C-9", name="Essai inc.", language="fr", partner="boreal")
    assert (made.status_code, made.headers["location"]) == (303, f"{HERE}/accounts/entry?key=C-9")
    made = await _save(
        admin, "contacts", account="C-9", name="Zoé Çelik", kind="administrateur", phones="418 555-0188\r\n514 555-0189"
    )
    assert made.headers["location"] == f"{HERE}/accounts/entry?key=C-9"
    contact = await _entry(line, "contacts", "c-9-zoe-celik")
    assert contact is not None
    assert contact.view()["phones"] == ["+14185550188", "+15145550189"]
    await _save(admin, "numbers", key="418 555-0188", account="C-9", contact="c-9-zoe-celik")
    phone = await _save(admin, "phones", key="6900", kind="customer", account="C-9", devices="2")
    assert phone.status_code == 200
    secret = re.search(r'<code class="secret">([^<]+)</code>', phone.text)
    assert secret is not None
    async with line.services.store.reading() as unit:
        rows = await unit.execute(endpoints.select().where(endpoints.c.name == "6900"))
        assert rows.one().ha1 == ha1("6900", secret[1])
    assert "<svg" in phone.text
    file = re.search(r'href="data:application/xml;base64,([^"]+)"', phone.text)
    assert file is not None
    told = ElementTree.fromstring(base64.b64decode(file[1]))  # noqa: S314 - made a moment ago
    assert secret[1] in {one.text for one in told.iter()}
    whole = (await admin.get(f"{HERE}/accounts/entry", params={"key": "C-9"})).text
    for one in ("Zoé Çelik", "418 555-0188", "6900", "Réseaux Boréal"):
        assert one in whole, one
    assert secret[1] not in whole
    again = await admin.post(f"{HERE}/phones/secret", key="6900")
    assert again.status_code == 200
    assert secret[1] not in again.text


async def test_every_wrong_field_is_told_by_its_label_and_nothing_is_entered(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    typed = {"key": "C-9", "name": "A\u202eB", "phone": "beaucoup", "language": "de", "partner": "personne"}
    answer = await admin.http.post(
        f"{HERE}/accounts/save", data=typed, headers={"HX-Request": "true", "X-CSRF-Token": admin.csrf}
    )
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#problem"
    assert set(re.findall(r'data-field="([^"]+)"', answer.text)) == {"name", "phone", "language"}
    assert "<strong>Téléphone</strong>" in answer.text
    answer = await _save(admin, "accounts", key="C-9", name="Essai", partner="personne")
    assert "il n’y a pas de partenaire personne" in answer.text
    assert await _entry(line, "accounts", "C-9") is None
    for kind, fields in {
        "accounts": {"key": "C-1001", "name": "Une autre"},
        "phones": {"key": "611", "kind": "technician", "devices": "2"},
        "numbers": {"key": "12", "account": "C-1001"},
        "staff": {"name": "Nadia", "phone": "6001"},
        "partners": {"name": "Réseaux Boréal", "tier": "standard"},
    }.items():
        assert (await _save(admin, kind, **fields)).status_code == 422, kind
    assert (await _save(admin, "accounts", key="x" * 300, name="x")).status_code == 422
    assert (await admin.get(f"{HERE}/accounts/entry", params={"key": "nobody"})).status_code == 404
    assert (await admin.get(HERE, params={"provider": "somebody"})).status_code == 422


async def test_who_comes_second_sees_both_values_and_loses_nothing(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    etag = await _etag(line, "accounts", "C-1001")
    first = await _save(admin, "accounts", key="C-1001", etag=etag, name="Clinique du Cap", address="1, rue Une")
    assert first.status_code == 303
    typed = {"key": "C-1001", "etag": etag, "name": "Clinique du Cap", "address": "2, rue Deux"}
    for headers in ({}, {"HX-Request": "true"}):
        second = await admin.http.post(
            f"{HERE}/accounts/save", data=typed, headers={"X-CSRF-Token": admin.csrf, **headers}
        )
        assert second.status_code == 409
        assert "1, rue Une" in second.text
        assert "2, rue Deux" in second.text
    now = await _etag(line, "accounts", "C-1001")
    assert now.strip('"') in second.text, "with it, saving again is meant"
    assert (await _save(admin, "accounts", **(typed | {"etag": now}))).status_code == 303


async def test_what_is_in_use_stays_and_is_named(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    page = (await admin.get(f"{HERE}/accounts/remove", params={"key": "C-1001"})).text
    assert "téléphone 6001" in page
    refused = await admin.post(f"{HERE}/accounts/remove", key="C-1001")
    assert refused.status_code == 409
    assert "téléphone 6001" in refused.text
    contact = re.search(r"contacts/entry\?key=([a-z0-9-]+)", (await admin.get(f"{HERE}/contacts/list")).text)
    assert contact is not None
    for number in ("+14185550101", "+14185550102", "+14185550103"):
        await admin.post(f"{HERE}/numbers/remove", key=number)
    for phone in ("6001", "6002", "6003"):
        gone = await admin.post(f"{HERE}/phones/remove", key=phone)
        assert gone.status_code == 303
    for number in ("+14185550101", "+14185550102", "+14185550103"):
        await admin.post(f"{HERE}/numbers/remove", key=number)
    last = await admin.post(f"{HERE}/contacts/remove", key=contact[1])
    assert last.status_code == 409
    assert "au moins un contact administrateur" in last.text
    etag = await _etag(line, "accounts", "C-1003")
    assert (await admin.post(f"{HERE}/accounts/remove", key="C-1003", etag='"old"')).status_code == 409
    assert (await admin.post(f"{HERE}/accounts/remove", key="C-1003", etag=etag)).status_code == 303
    assert await _entry(line, "accounts", "C-1003") is None


async def test_what_was_entered_is_shown_as_text(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    async with line.services.store.unit() as unit:
        for kind, key, values in (
            ("accounts", "C-9", {"name": _MARKUP, "address": _MARKUP}),
            ("contacts", "zoe", {"account": "C-9", "name": _MARKUP}),
            ("phones", "6900", {"account": "C-9", "display": _MARKUP}),
        ):
            entry = read_entry(kind, values)  # type: ignore[arg-type]
            await service.put(unit, "main", kind, key, entry, by="ana", at=line.now)  # type: ignore[arg-type]
    for path in ("accounts/entry?key=C-9", "contacts/list", "phones/list", "phones/remove?key=6900", "?q=C-9"):
        page = await admin.get(f"{HERE}/{path}" if "?q" not in path else HERE + path)
        assert page.status_code == 200, path
        assert "<img" not in page.text, path


async def test_whether_phones_are_registered_is_told(browser: Browsers, line: Line) -> None:
    async def registered(names: Any) -> dict[str, bool]:
        return {name: name == "6001" for name in names if name != "6003"}

    object.__setattr__(line.services, "registered", registered)
    admin = await browser("admin")
    for phone, told in {"6001": "branché", "6002": "débranché", "6003": "inconnu"}.items():
        assert f">{told}<" in (await admin.get(f"{HERE}/phones/entry", params={"key": phone})).text, phone


DUTY = {
    "name": "Nadia Benali",
    "phone": "7900",
    "login": "nadia",
    "queues": "support",
    "queues_penalty_support": "1",
    "languages": "fr",
}


async def test_a_technician_is_put_on_duty_in_one_form(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    assert 'value="7003"' in (await admin.get("/console/duty")).text, "the next phone that is free"
    made = await admin.post("/console/duty", **DUTY)
    assert made.status_code == 200
    secret, password = re.findall(r'<code class="secret">([^<]+)</code>', made.text)
    assert secret != password
    staff = await _entry(line, "staff", "nadia-benali")
    assert staff is not None
    assert staff.view() | {"skills": []} == {
        "key": "nadia-benali",
        "name": "Nadia Benali",
        "phone": "7900",
        "external_number": None,
        "queues": [{"queue": "support", "penalty": 1}],
        "languages": ["fr"],
        "skills": [],
        "account": "nadia",
    }
    newcomer = await browser()
    assert (await newcomer.sign_in("nadia", password)).status_code == 303


@pytest.mark.parametrize("change", [{"login": "annie"}, {"phone": "7001"}, {"queues": "nowhere"}, {"name": "x" * 300}])
async def test_of_what_is_wrong_on_duty_nothing_is_made(change: dict[str, str], browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    assert (await admin.post("/console/duty", **(DUTY | change))).status_code == 422
    assert await _entry(line, "phones", "7900") is None
    assert await _entry(line, "staff", "nadia-benali") is None
    with pytest.raises(NotFound):
        async with line.services.store.reading() as unit:
            await account_admin.get(unit, "nadia")


async def test_a_device_is_given_an_address_and_its_mac_stays(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    etag = await _etag(line, "phones", "6001")
    fields = {"key": "6001", "kind": "customer", "account": "C-1001", "devices": "2", "mac": "00:15:65:12:34:56"}
    assert (await _save(admin, "phones", etag=etag, **fields)).status_code == 303
    found = await _entry(line, "phones", "6001")
    assert found is not None
    assert found.view()["mac"]
    page = (await admin.post(f"{HERE}/phones/configuration", key="6001")).text
    assert re.search(r"/provision/[A-Za-z0-9_-]{20,}/", page)
    assert "<svg" in page
    assert (await admin.post(f"{HERE}/phones/configuration", key="nobody")).status_code == 404


async def test_every_form_is_there_empty_and_filled(browser: Browsers) -> None:
    admin = await browser("admin")
    for kind, key in {
        "partners": "boreal",
        "accounts": "C-1001",
        "numbers": "+14185550101",
        "phones": "6001",
    }.items():
        assert (await admin.get(f"{HERE}/{kind}/new")).status_code == 200, kind
        assert (await admin.get(f"{HERE}/{kind}/entry", params={"key": key})).status_code == 200, kind
    for kind in ("contacts", "staff"):
        assert (await admin.get(f"{HERE}/{kind}/new", params={"account": "C-1001"})).status_code == 200, kind
        first = re.search(rf"{kind}/entry\?key=([a-z0-9-]+)", (await admin.get(f"{HERE}/{kind}/list")).text)
        assert first is not None
        assert (await admin.get(f"{HERE}/{kind}/entry", params={"key": first[1]})).status_code == 200, kind
