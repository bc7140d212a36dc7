"""Reports over the API, on the public page and in the console's forms: written, published, sent once (OV-28)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ivr.notify.config import NoticeConfig, Smtp
from ivr.notify.tables import outbox
from ivr.reports.service import erase
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_incidents import OVER, opened, updated

PUBLIC = "https://etat.example"
WRITTEN = {"sections": {"fr": {"corrective": "Deux liens."}, "en": {"corrective": "Two links."}}}


@pytest.fixture(autouse=True)
async def configured(line: Line) -> None:
    await line.services.announcer.load()
    smtp = Smtp(host="127.0.0.1", port=9, security="none", sender="etat@example.com", sender_name="OMNIVIGIL")
    line.services = replace(line.services, notices=NoticeConfig(smtp=smtp, public_url=PUBLIC))
    assert line.app is not None
    line.app.state.services = line.services


async def resolved(client: httpx.AsyncClient) -> str:
    """The address of the report on an incident that is over."""
    one = await opened(client, title={"fr": "Panne", "en": "Outage"}, services=["telephonie"])
    await updated(client, one["id"], "resolved", OVER)
    return f"/v1/incidents/{one['id']}/report"


async def mails(line: Line) -> list[Any]:
    async with line.services.store.reading() as unit:
        query = select(outbox).where(outbox.c.kind == "email").order_by(outbox.c.id)
        return list((await unit.execute(query)).mappings())


async def wanted(client: httpx.AsyncClient, line: Line, url: str, address: str = "nom@exemple.ca") -> str:
    """Asked for and confirmed on the public page; the key."""
    page = url.replace("/v1/incidents", "/status/omnivigil/fr/incidents")
    assert "un courriel vient de lui être envoyé" in (await client.post(page, data={"address": address})).text
    found = re.search(rf"{PUBLIC}{page}/confirm\?key=([\w-]+)", (await mails(line))[-1]["body"])
    assert found
    assert "Oui, envoyez-le-moi" in (await client.get(f"{page}/confirm", params={"key": found[1]})).text
    assert "C’est noté" in (await client.post(f"{page}/confirm", data={"key": found[1]})).text
    return found[1]


class TestWriting:
    async def test_from_draft_to_publication(self, client: httpx.AsyncClient, line: Line) -> None:
        url = await resolved(client)
        drafted = (await client.get(url)).json()
        assert (drafted["state"], drafted["version"], drafted["due_on"]) == ("draft", 0, "2026-12-02")
        assert "Panne" in drafted["sections"]["fr"]["description"]
        problem = refused(await client.post(f"{url}/publish", json={}), 422, field="sections.fr.corrective")
        assert "write it" in str(problem["mend"])
        edited = (await client.put(url, json=WRITTEN | {"version": 0})).json()
        assert (edited["version"], edited["updated_by"]) == (1, "console")
        assert edited["sections"]["en"]["description"] == drafted["sections"]["en"]["description"]
        published = (await client.post(f"{url}/publish", json={"version": 1})).json()
        assert (published["state"], published["version"]) == ("published", 2)
        assert "Deux liens." in (await client.get(f"{url}.html")).text
        pdf = await client.get(f"{url}.pdf", params={"language": "en"})
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.content.startswith(b"%PDF-")
        refused(await client.get(f"{url}.pdf", params={"language": "de"}), 422, field="language")

    async def test_two_at_once(self, client: httpx.AsyncClient) -> None:
        url = await resolved(client)
        first = await client.put(url, json=WRITTEN | {"version": 0})
        second = await client.put(url, json=WRITTEN | {"version": 0})
        assert (first.status_code, second.status_code) == (200, 409)
        assert "last_change_by: console" in second.json()["detail"]

    async def test_not_before_it_is_over(self, client: httpx.AsyncClient) -> None:
        one = await opened(client)
        url = f"/v1/incidents/{one['id']}/report"
        assert (await client.get(url)).json()["due_on"] is None
        await client.put(url, json=WRITTEN)
        refused(await client.post(f"{url}/publish", json={}), 422, field="incident_id")
        assert (await client.get("/v1/incidents/4711/report")).status_code == 404


class TestAsking:
    async def test_who_asked_gets_it_once_and_reads_it_with_their_link(
        self, client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line
    ) -> None:
        url = await resolved(client)
        page = url.replace("/v1/incidents", "/status/omnivigil/fr/incidents")
        public = (await stranger.get(page.removesuffix("/report"))).text
        assert "10 jours ouvrables" in public
        key = await wanted(stranger, line, url)
        assert (await client.get(url)).json()["requests"] == 1
        assert await line.services.reports.once() == 0
        assert (await stranger.get(page, params={"key": key})).status_code == 404
        await client.put(url, json=WRITTEN)
        await client.post(f"{url}/publish", json={})
        assert [await line.services.reports.once() for _ in range(3)] == [1, 0, 0]
        sent = (await mails(line))[-1]
        assert sent["subject"] == "OMNIVIGIL : rapport d’incident – Panne"
        assert f"{PUBLIC}{page}?key={key}" in sent["body"]
        assert "Deux liens." in (await stranger.get(page, params={"key": key})).text
        pdf = await stranger.get(f"{page}.pdf", params={"key": key})
        assert (pdf.content[:5], pdf.headers["referrer-policy"]) == (b"%PDF-", "no-referrer")
        refused = await stranger.get(page, params={"key": "guessed"})
        assert (refused.status_code, "Ce lien n’est plus valable" in refused.text) == (404, True)
        # Who asks afterwards gets it too.
        await wanted(stranger, line, url, "autre@exemple.ca")
        assert await line.services.reports.once() == 1

    async def test_staff_ask_for_somebody(self, client: httpx.AsyncClient, line: Line) -> None:
        url = await resolved(client)
        answer = await client.post(f"{url}/requests", json={"address": "Nom@Exemple.ca", "language": "en"})
        assert (answer.status_code, answer.json()["requests"]) == (202, 1)
        await client.post(f"{url}/requests", json={"address": "nom@exemple.ca"})
        refused(await client.post(f"{url}/requests", json={"address": "nom"}), 422, field="address")
        await client.put(url, json=WRITTEN)
        await client.post(f"{url}/publish", json={})
        assert await line.services.reports.once() == 1
        assert [(mail["recipient"], mail["language"]) for mail in await mails(line)] == [("nom@exemple.ca", "en")]

    async def test_nobody_is_bombed(self, stranger: httpx.AsyncClient, client: httpx.AsyncClient, line: Line) -> None:
        url = await resolved(client)
        page = url.replace("/v1/incidents", "/status/omnivigil/fr/incidents")
        answers = [await stranger.post(page, data={"address": "nom@exemple.ca"}) for _ in range(4)]
        assert len({answer.text for answer in answers}) == 1
        assert len(await mails(line)) == 1
        codes = [(await stranger.post(page, data={"address": f"n{n}@exemple.ca"})).status_code for n in range(8)]
        assert codes[-1] == 429
        forged = await stranger.post(page, data={"address": "x@exemple.ca"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert forged.status_code == 403
        assert (await stranger.post(page, data={"address": "<b>"})).status_code in (422, 429)

    async def test_what_was_not_confirmed_is_forgotten(
        self, stranger: httpx.AsyncClient, client: httpx.AsyncClient, line: Line
    ) -> None:
        url = await resolved(client)
        page = url.replace("/v1/incidents", "/status/omnivigil/fr/incidents")
        await stranger.post(page, data={"address": "nom@exemple.ca"})
        async with line.services.store.unit() as unit:
            assert await erase(unit, NOW + timedelta(hours=24)) == 0
            assert await erase(unit, NOW + timedelta(hours=26)) == 1


class TestReminders:
    async def test_once_when_three_days_are_left_and_once_when_it_is_late(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        url = await resolved(client)
        for day in range(20):
            line.now = NOW + timedelta(days=day)
            await line.services.reports.once()
        subjects = [mail["subject"] for mail in await mails(line)]
        number = url.split("/")[3]
        assert subjects == [
            f"OMNIVIGIL : le rapport de l’incident {number} est dû le 2 décembre 2026",
            f"OMNIVIGIL : le rapport de l’incident {number} est en retard",
        ]
        # It is still the facts that are drafted, and may be written over.
        assert (await client.put(url, json=WRITTEN | {"version": 0})).status_code == 200

    async def test_none_of_what_is_published(self, client: httpx.AsyncClient, line: Line) -> None:
        url = await resolved(client)
        await client.put(url, json=WRITTEN)
        await client.post(f"{url}/publish", json={})
        line.now = NOW + timedelta(days=20)
        await line.services.reports.once()
        assert await mails(line) == []
