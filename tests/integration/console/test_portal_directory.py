"""Partners look after contacts and phones of their own customers, and of no other's by any request (OV-20, OV-36)."""

from __future__ import annotations

import re

from ivr.directory import queries
from ivr.directory.entries import Kind
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers

HERE = "/console/portal/directory"


async def _view(line: Line, kind: Kind, key: str) -> dict[str, object]:
    async with line.services.store.reading() as unit:
        found = await queries.get(unit, "main", kind, key)
    return {**found.view(), "etag": found.etag} if found is not None else {}


async def test_a_partner_enters_changes_and_removes_contacts_and_phones(browser: Browsers, line: Line) -> None:
    boreal = await browser("boreal")
    assert "directory/customer?key=C-1001" in (await boreal.get("/console/portal")).text
    made = await boreal.post(f"{HERE}/contacts/save", account="C-1001", name="Zoé", kind="administrateur", phones="")
    assert made.headers["location"] == f"{HERE}/customer?key=C-1001"
    zoe = await _view(line, "contacts", "c-1001-zoe")
    assert zoe["kind"] == "administrateur", "a partner makes administrators (OV-20)"
    phone = await boreal.post(f"{HERE}/phones/save", key="6910", account="C-1001", caller_id="418 555-0101")
    secret = re.search(r'<code class="secret">([^<]+)</code>', phone.text)
    assert secret is not None
    again = await boreal.post(f"{HERE}/phones/secret", key="6910")
    assert again.status_code == 200
    assert secret[1] not in again.text
    for path in ("customer?key=C-1001", "phones/entry?key=6910", "contacts/entry?key=c-1001-zoe"):
        assert (await boreal.get(f"{HERE}/{path}")).status_code == 200, path
    for kind in ("phones", "contacts"):
        assert (await boreal.get(f"{HERE}/{kind}/new?account=C-1001")).status_code == 200, kind
    before = await _view(line, "phones", "6910")
    fields = {"key": "6910", "account": "C-1001", "etag": before["etag"], "display": "Accueil", "call_limit": "99"}
    assert (await boreal.post(f"{HERE}/phones/save", **fields)).status_code == 303
    after = await _view(line, "phones", "6910")
    assert (after["display"], after["caller_id"], after["devices"]) == ("Accueil", None, 2)
    assert after["call_limit"] is None, "limits are not theirs"
    assert (await boreal.post(f"{HERE}/phones/save", **fields)).status_code == 409
    for kind, key in (("phones", "6910"), ("contacts", "c-1001-zoe")):
        assert (await boreal.post(f"{HERE}/{kind}/remove", key=key)).status_code == 303, kind


async def test_anothers_customer_is_not_there_by_any_request(browser: Browsers, line: Line) -> None:
    estrie = await browser("estrie")
    theirs = await _view(line, "phones", "6001")
    contact = theirs["contact"]
    for path in (
        "customer?key=C-1001",
        "customer?key=C-1003",
        "phones/entry?key=6001",
        "phones/entry?key=7001",
        "phones/entry?key=6101",
        f"contacts/entry?key={contact}",
        "phones/new?account=C-1001",
        "contacts/new?account=nobody",
    ):
        assert (await estrie.get(f"{HERE}/{path}")).status_code == 404, path
    for path, fields in (
        ("phones/save", {"key": "6901", "account": "C-1001"}),
        ("contacts/save", {"account": "C-1001", "name": "Intrus"}),
        ("phones/save", {"key": "6001", "account": "C-1002", "etag": theirs["etag"]}),
        ("phones/save", {"key": "6001", "account": "C-1001", "etag": theirs["etag"]}),
        ("phones/secret", {"key": "6001"}),
        ("phones/secret", {"key": "7001"}),
        ("phones/remove", {"key": "6001", "etag": theirs["etag"]}),
        ("contacts/remove", {"key": contact}),
        ("accounts/save", {"key": "C-1002", "name": "Mine"}),
        ("numbers/save", {"key": "+14185550188", "account": "C-1002"}),
    ):
        assert (await estrie.post(f"{HERE}/{path}", **fields)).status_code in (404, 422), path
    assert await _view(line, "phones", "6001") == theirs
    assert await _view(line, "phones", "6901") == {}
    assert await _view(line, "accounts", "C-1001") != {}


async def test_a_partner_takes_no_phone_over_and_shows_no_number_of_anothers(browser: Browsers, line: Line) -> None:
    estrie = await browser("estrie")
    taken = await estrie.post(f"{HERE}/phones/save", key="6001", account="C-1002")
    assert taken.status_code == 422
    for number in ("418 555-0101", "514 555-0199"):
        answer = await estrie.post(f"{HERE}/phones/save", key="6911", account="C-1002", caller_id=number)
        assert answer.status_code == 422, number
        assert "numéro de ce client" in answer.text
    assert await _view(line, "phones", "6911") == {}
    as_staff = await estrie.post(f"{HERE}/phones/save", key="6911", account="C-1002", kind="technician")
    assert as_staff.status_code == 200
    assert (await _view(line, "phones", "6911"))["kind"] == "customer"
