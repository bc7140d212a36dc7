"""The directory from a spreadsheet in the console: seen first, then carried out, all or nothing."""

from __future__ import annotations

import re
from datetime import timedelta

from ivr.directory import queries
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browser, Browsers

HERE = "/console/import"
_ACCOUNTS = "compte;nom\nC-9;Essai inc.\nC-1001;Clinique du Cap-Blanc\n".encode("windows-1252")
_PHONES = b"name,account\n6900,C-9\n"


async def _send(admin: Browser, **files: bytes) -> str:
    sent = [("files", (f"{name}.csv", data, "text/csv")) for name, data in files.items()]
    answer = await admin.http.post(f"{HERE}/preview", data={"csrf": admin.csrf}, files=sent)
    assert answer.status_code in (200, 422), answer.status_code
    return answer.text


async def _name_of(line: Line, account: str) -> str | None:
    async with line.services.store.reading() as unit:
        found = await queries.get(unit, "main", "accounts", account)
    return getattr(found.entry, "name", None) if found is not None else None


def _plan(page: str) -> str:
    found = re.search(r'name="plan" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


async def test_what_was_seen_is_carried_out_once(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    page = await _send(admin, accounts=_ACCOUNTS, phones=_PHONES)
    assert "C-9" in page
    assert await _name_of(line, "C-9") is None, "a preview changes nothing"
    plan = _plan(page)
    done = await admin.post(f"{HERE}/apply", plan=plan)
    assert done.status_code == 200
    assert "phones-secrets.csv" in done.text
    assert await _name_of(line, "C-9") == "Essai inc."
    assert await _name_of(line, "C-1001") == "Clinique du Cap-Blanc"
    assert (await admin.post(f"{HERE}/apply", plan=plan)).status_code == 404
    assert "Rien ne change" in await _send(admin, accounts=_ACCOUNTS)


async def test_every_wrong_cell_is_told_and_nothing_is_kept(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    page = await _send(admin, accounts=b"account,name,partner\nC-9,,\nC-8,Huit,personne\n")
    assert "accounts.csv, ligne 2, colonne « name »" in page.replace("\u00a0", " ")
    assert "accounts.csv, ligne 3" in page
    assert 'name="plan"' not in page
    assert (await admin.post(f"{HERE}/preview")).status_code in (415, 422)


async def test_a_preview_is_its_own_session_s_and_does_not_last(browser: Browsers, line: Line) -> None:
    admin = await browser("admin")
    plan = _plan(await _send(admin, accounts=_ACCOUNTS))
    line.now += timedelta(minutes=16)
    assert (await admin.post(f"{HERE}/apply", plan=plan)).status_code == 404
    plan = _plan(await _send(admin, accounts=_ACCOUNTS))
    saved = await admin.post("/console/directory/accounts/save", key="C-7", name="Entre-temps")
    assert saved.status_code == 303
    refused = await admin.post(f"{HERE}/apply", plan=plan)
    assert refused.status_code == 422
    assert "modifié entre-temps" in refused.text
    assert await _name_of(line, "C-9") is None


async def test_empty_lists_are_given(browser: Browsers) -> None:
    admin = await browser("admin")
    page = (await admin.get(HERE)).text
    files = re.findall(r"template\?file=([a-z.]+)", page)
    assert len(files) > 5
    for file in files:
        assert (await admin.get(f"{HERE}/template", params={"file": file})).status_code == 200, file
    assert (await admin.get(f"{HERE}/template", params={"file": "../x"})).status_code == 404
