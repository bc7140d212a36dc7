"""Desk files changed on the console's pages: seen before, put in force, kept as versions, put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.desk_editing.files import find
from tests.fakes.desk_files import World
from tests.html_forms import fields
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browser, Browsers

AT = "/console/menu/desk/omnivigil"


async def opened(admin: Browser, part: str) -> dict[str, str]:
    page = await admin.get(f"{AT}/{part}")
    assert page.status_code == 200, page.text
    return fields(page.text)


@pytest.mark.parametrize("part", ["hours", "menu", "texts", "queues", "rota", "file"])
async def test_a_form_that_nobody_changed_changes_nothing(world: World, browser: Browsers, part: str) -> None:
    admin = await browser("admin")
    form = await opened(admin, part)
    shown = await admin.post(f"{AT}/{part}/preview", **form)
    assert shown.status_code == 200, shown.text
    assert shown.text.count("Rien.") == 2
    assert "La même chose qu’avant." in shown.text


async def test_hours_are_seen_before_put_in_force_with_their_text_and_put_back(world: World, browser: Browsers) -> None:
    admin = await browser("admin")
    await world.files().look()
    form = await opened(admin, "hours")
    form |= {"hours/friday": "08:00-11:00", "exceptions/@0/date": "2026-12-24", "exceptions/@0/reason/#there": "on"}
    form |= {"exceptions/@0/reason/fr": "Veille de Noël", "exceptions/@0/reason/en": "Christmas Eve", "spoken": "on"}
    shown = await admin.post(f"{AT}/hours/preview", **form)
    assert shown.status_code == 200, shown.text
    assert "<h4>Avant</h4>" in shown.text
    assert "les heures diffèrent à partir d’ici" in shown.text
    assert '<span class="plus">+  friday: [&#34;08:00-11:00&#34;]' in shown.text
    assert world.given == []

    put = fields(shown.text) | {"why": "Noël"}
    assert (await admin.post(f"{AT}/hours/put", **put)).status_code == 303
    desk = world.desks["omnivigil"]
    assert (str(desk.hours.friday[0]), str(desk.exceptions[0].date)) == ("08:00-11:00", "2026-12-24")
    assert "et le vendredi, de 8 heures à 11 heures" in desk.texts["closed-hours"]["fr"]
    assert "Friday, from 8 a.m. to 11 a.m." in desk.texts["closed-hours"]["en"]
    text = find(Path(str(world.settings.desks)), "omnivigil").text
    assert "# Dates that differ from their weekday" in text
    versions = (await admin.get(f"{AT}/versions")).text
    assert "admin (console)" in versions
    assert "Noël" in versions

    back = await admin.get(f"{AT}/versions/1")
    assert '<span class="minus">-  friday: [&#34;08:00-11:00&#34;]' in back.text
    assert (await admin.post(f"{AT}/version/put", **fields(back.text))).status_code == 303
    assert world.desks["omnivigil"].hours.friday == world.desks["omnivigil"].hours.monday
    assert "version 1" in (await admin.get(f"{AT}/versions")).text


async def test_departments_queues_texts_and_the_rota_have_fields(world: World, browser: Browsers) -> None:
    admin = await browser("admin")
    form = await opened(admin, "queues")
    new = "queues/@1/"
    form |= {"queues/@0/wrapup_s": "40", f"{new}#key": "ventes"}
    put = fields((await admin.post(f"{AT}/queues/preview", **form)).text)
    assert (await admin.post(f"{AT}/queues/put", **put)).status_code == 303
    form = await opened(admin, "menu")
    form |= {"departments/@0/queue": "ventes", "departments/@0/phones": "", "departments/@6/#key": "noc"}
    form |= {"departments/@6/name/fr": "Réseau", "departments/@6/name/en": "Network", "departments/@6/phones": "7107"}
    form |= {"departments/@6/email": "noc@omnivigil.com", "menu/keys/@6/#key": "7", "menu/keys/@6": "noc"}
    put = fields((await admin.post(f"{AT}/menu/preview", **form)).text)
    assert (await admin.post(f"{AT}/menu/put", **put)).status_code == 303
    form = await opened(admin, "texts")
    name = next(name for name, value in form.items() if value == "welcome").removesuffix("#key")
    form |= {f"{name}fr": "Bonjour,\r\nici OMNIVIGIL.", f"{name}en": ""}
    refused = await admin.post(f"{AT}/texts/preview", **form)
    assert refused.status_code == 422
    assert "le texte manque en anglais" in refused.text
    assert "ici OMNIVIGIL." in refused.text
    form |= {f"{name}en": "Hello 😀, WIFI."}
    shown = await admin.post(f"{AT}/texts/preview", **form)
    assert "which no voice says" in shown.text
    assert "holds WIFI" in shown.text
    assert (await admin.post(f"{AT}/texts/put", **fields(shown.text))).status_code == 303
    form = await opened(admin, "rota")
    form["oncall/people/@0/phone"] = "14185550170"
    put = fields((await admin.post(f"{AT}/rota/preview", **form)).text)
    assert (await admin.post(f"{AT}/rota/put", **put)).status_code == 303
    desk = world.desks["omnivigil"]
    assert (desk.queues["support"].wrapup_s, desk.queues["support"].callback is not None) == (40, True)
    assert (desk.departments["ventes"].queue, desk.menu.keys["7"]) == ("ventes", "noc")
    assert desk.texts["welcome"]["fr"] == "Bonjour,\nici OMNIVIGIL."
    assert desk.oncall is not None
    assert desk.oncall.people["annie"].phone == "14185550170"


async def test_what_is_wrong_stands_beside_its_field_with_what_was_typed(world: World, browser: Browsers) -> None:
    admin = await browser("admin")
    form = await opened(admin, "hours") | {"hours/monday": "<b>8 à midi</b>", "hours/tuesday": "12:00-08:00"}
    refused = await admin.post(f"{AT}/hours/preview", **form)
    assert refused.status_code == 422
    assert 'value="&lt;b&gt;8 à midi&lt;/b&gt;" autocomplete="off" aria-invalid="true"' in refused.text
    assert refused.text.count("écrivez-le ainsi\u00a0: 08:00-12:00") == 2
    assert "Heures · Mardi · 1" in refused.text
    whole = await opened(admin, "file") | {"text": "id: omnivigil\nname: \u202eX"}
    refused = await admin.post(f"{AT}/file/preview", **whole)
    assert refused.status_code == 422
    assert "U+202E" in refused.text
    # A file that an editor has half saved can be mended as text.
    path = find(Path(str(world.settings.desks)), "omnivigil").path
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("departments:\n", "departments: {\n"), encoding="utf-8")
    assert '<textarea name="text"' in (await admin.get(f"{AT}/hours")).text
    form = await opened(admin, "file") | {"text": good.replace("wrapup_s: 15", "wrapup_s: 30")}
    shown = await admin.post(f"{AT}/file/preview", **form)
    assert (await admin.post(f"{AT}/file/put", **fields(shown.text))).status_code == 303
    assert world.wrapup_s == 30


async def test_the_second_of_two_editors_sees_both_and_then_decides(world: World, browser: Browsers) -> None:
    first, second = await browser("admin"), await browser("admin")
    forms = [await opened(one, "queues") for one in (first, second)]
    forms[0]["queues/@0/wrapup_s"], forms[1]["queues/@0/wrapup_s"] = "30", "45"
    shown = [
        fields((await one.post(f"{AT}/queues/preview", **form)).text)
        for one, form in zip((first, second), forms, strict=True)
    ]
    assert (await first.post(f"{AT}/queues/put", **shown[0])).status_code == 303
    told = await second.post(f"{AT}/queues/put", **shown[1])
    assert told.status_code == 409
    assert "Quelqu’un a modifié le fichier entre-temps" in told.text
    assert "admin, " in told.text
    assert '<span class="minus">-    wrapup_s: 30' in told.text
    assert '<span class="plus">+    wrapup_s: 45' in told.text
    assert world.wrapup_s == 30
    assert (await second.post(f"{AT}/queues/put", **fields(told.text))).status_code == 303
    assert world.wrapup_s == 45


async def test_only_administrators_change_desks_and_the_shipped_file_says_how_to_have_ones_own(
    line: Line, world: World, browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, status in (("ops", 403), ("annie", 403), ("boreal", 404)):
        other = await browser(name)
        assert (await other.get(f"{AT}/hours")).status_code == status
        assert (await other.post(f"{AT}/queues/put", etag="x")).status_code == status
    admin = await browser("admin")
    for path in ("nonsense", "versions/9"):
        assert (await admin.get(f"{AT}/{path}")).status_code == 404
    assert (await admin.get("/console/menu/desk/..%2fsecrets/file")).status_code == 404
    monkeypatch.setattr("ivr.desk_editing.files.BUILT_IN", Path(str(world.settings.desks)))
    form = await opened(admin, "queues") | {"queues/@0/wrapup_s": "30"}
    shown = await admin.post(f"{AT}/queues/preview", **form)
    assert "./omnivigil up --desks COPIE" in shown.text
    assert "<button disabled>Mettre en service</button>" in shown.text
    refused = await admin.post(f"{AT}/queues/put", **fields(shown.text))
    assert refused.status_code == 422
    assert (world.wrapup_s, world.switched) == (15, 0)
