"""The public status page: no token needed, nothing of customers in it, two languages, a feed and JSON (OV-27)."""

from __future__ import annotations

from dataclasses import replace
from email.utils import format_datetime
from xml.etree import ElementTree

import httpx
import pytest

from api.app import provide
from tests.integration.api.conftest import Line
from tests.integration.api.test_incidents import FIRST, NEXT, opened, updated

HTML, ATOM, JSON = "/status/omnivigil/fr", "/status/omnivigil/fr/feed.atom", "/status/omnivigil/api/v2"
RSS = "/status/omnivigil/fr/feed.rss"
_ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture(autouse=True)
async def loaded(line: Line) -> None:
    await line.services.announcer.load()


async def test_readers_come_to_their_language(stranger: httpx.AsyncClient) -> None:
    for asked, language in (("en-CA,fr;q=0.5", "en"), ("de", "fr"), ("", "fr")):
        found = await stranger.get("/status", headers={"Accept-Language": asked}, follow_redirects=True)
        assert found.status_code == 200
        assert found.url.path == f"/status/omnivigil/{language}"
        assert f'<html lang="{language}-CA">' in found.text


async def test_all_is_well(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get(HTML)
    assert "Tous nos services sont opérationnels" in found.text
    assert "La téléphonie" in found.text
    assert "90 jours sans incident sur 90" in found.text
    assert "Aucun incident depuis 90 jours." in found.text


async def test_an_incident_is_seen_at_once_and_everywhere(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line
) -> None:
    one = await opened(
        client,
        title={"fr": "Panne à Québec", "en": "Outage in Quebec City"},
        services=["telephonie"],
        impact="critical",
        affected={"accounts": ["C-1001"], "numbers": ["4185550101"]},
    )
    await updated(client, one["id"], "confirmed", NEXT)
    french, english = (await stranger.get(HTML)).text, (await stranger.get("/status/omnivigil/en")).text
    for page, language in ((french, "fr"), (english, "en")):
        assert page.index(NEXT[language]) < page.index(FIRST[language])
    assert "Une panne majeure est en cours" in french
    assert "<strong>Confirmé</strong>" in french
    assert "Outage in Quebec City" in english
    one_page = await stranger.get(f"{HTML}/incidents/{one['id']}")
    assert NEXT["fr"] in one_page.text
    summary = (await stranger.get(f"{JSON}/summary.json")).json()
    assert summary["status"] == {"indicator": "critical", "description": "Major Service Outage"}
    assert [found["name"] for found in summary["incidents"]] == ["Outage in Quebec City"]
    assert {part["id"]: part["status"] for part in summary["components"]}["telephonie"] == "major_outage"
    feed = ElementTree.fromstring((await stranger.get(ATOM)).content)  # noqa: S314 - it is our own
    assert [entry.findtext("a:title", namespaces=_ATOM) for entry in feed.findall("a:entry", _ATOM)] == [
        "Confirmé\u00a0: Panne à Québec"
    ]
    [item] = ElementTree.fromstring((await stranger.get(RSS)).content).findall("channel/item")  # noqa: S314 - our own
    assert item.findtext("title") == "Confirmé\u00a0: Panne à Québec"
    assert NEXT["fr"] in (item.findtext("description") or "")
    assert item.findtext("pubDate") == format_datetime(line.now)
    # Whom it affects is nobody's business.
    for path in (HTML, ATOM, RSS, f"{JSON}/summary.json", f"{JSON}/incidents.json"):
        told = (await stranger.get(path)).text
        assert "C-1001" not in told
        assert "4185550101" not in told


async def test_what_is_resolved_is_history(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    one = await opened(client)
    await updated(client, one["id"], "resolved", NEXT)
    assert (await stranger.get(f"{JSON}/status.json")).json()["status"]["indicator"] == "none"
    assert (await stranger.get(f"{JSON}/incidents/unresolved.json")).json()["incidents"] == []
    assert [found["id"] for found in (await stranger.get(f"{JSON}/incidents.json")).json()["incidents"]] == [
        str(one["id"])
    ]
    assert NEXT["fr"] in (await stranger.get(HTML)).text


async def test_what_staff_write_is_text(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    await opened(client, title={"fr": "<script>alert(1)</script>", "en": "a & b"})
    page = (await stranger.get(HTML)).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    for path in (ATOM, RSS):
        feed = ElementTree.fromstring((await stranger.get(path)).content)  # noqa: S314 - it is our own
        assert "<script>" not in ElementTree.tostring(feed, encoding="unicode")
    [said] = [one.text or "" for one in feed.iter("description") if "<p>" in (one.text or "")]
    assert said.startswith("<p>Investigation (")


async def test_it_is_cached_and_safe(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get(HTML)
    assert found.headers["cache-control"] == "public, max-age=10"
    assert "script-src" not in found.headers["content-security-policy"]
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    again = await stranger.get(HTML, headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    told = await stranger.get(f"{JSON}/summary.json")
    assert told.headers["access-control-allow-origin"] == "*"
    again = await stranger.get(f"{JSON}/summary.json", headers={"If-None-Match": told.headers["etag"]})
    assert again.status_code == 304
    assert (await stranger.get("/status/style.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path", ["/status/nobody/fr", "/status/omnivigil/de", "/status/hotline-2024/en", f"{HTML}/incidents/99"]
)
async def test_there_is_no_such_page(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 404


async def test_what_a_client_says_in_host_is_repeated_to_nobody(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line
) -> None:
    """Documents are kept by whoever stands between us and the public: links lead to PUBLIC_URL, or are from here."""
    await opened(client)
    kept = [f"{JSON}/summary.json", ATOM, RSS, "/status/omnivigil/fr/maintenance.ics"]
    for path in kept:
        answer = await stranger.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 200
        assert "evil.example" not in answer.text
        assert "127.0.0.1" not in answer.text
    assert '"url":"/status/omnivigil"' in (await stranger.get(kept[0])).text
    atom = (await stranger.get(ATOM)).text
    assert "<id>urn:omnivigil:status:omnivigil/" in atom
    line.services = replace(line.services, notices=replace(line.services.notices, public_url="https://etat.example"))
    assert line.app is not None
    provide(line.app, line.services)
    assert '"url":"https://etat.example/status/omnivigil"' in (await stranger.get(kept[0])).text
    assert "<id>https://etat.example/status/omnivigil/" in (await stranger.get(ATOM)).text
