"""Behind a real nginx that tells another name in Host: every address of pages, feeds and JSON leads somewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin
from xml.etree import ElementTree

import httpx
import pytest

from api.app import provide
from ivr.accounts.api_tokens import keep_token
from ivr.directory.demo import load_demo
from ivr.directory.demo_accounts import demo_accounts
from ivr.store.engine import Store
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_incidents import opened
from tests.integration.asterisk.real import free_port
from tests.integration.console.conftest import Browser
from tests.integration.databases import Filling
from tests.nginx import nginx
from tests.plain_http import NO_TLS

#: The path of the public address, and what nginx is told of it.
PLACES = {
    "root": ("", "location / {{ proxy_pass {line}; }}"),
    "path-passed-on": ("/soutien", "location /soutien/ {{ proxy_pass {line}; proxy_buffering off; }}"),
    "path-taken-away": ("/soutien", "location /soutien/ {{ proxy_pass {line}/; proxy_buffering off; }}"),
}
FIRST = ["summary", "status", "components", "incidents", "incidents/unresolved", "scheduled-maintenances"]
MORE = ["scheduled-maintenances/active", "scheduled-maintenances/upcoming"]


@pytest.fixture(scope="session")
def filling() -> Filling:
    """The demo directory, its accounts and a token."""

    async def fill(store: Store) -> None:
        async with store.unit() as unit:
            await load_demo(unit)
            await demo_accounts(unit, NOW)
            await keep_token(unit, "writer", "console", ["read", "write"], NOW)

    return Filling(name="console_token", fill=fill)


@pytest.fixture(params=PLACES)
async def public(request: pytest.FixtureRequest, line: Line, tmp_path: Path) -> AsyncIterator[str]:
    """The line's public address: an incident and a maintenance are on it."""
    path, locations = PLACES[request.param]
    port = free_port()
    url = f"http://127.0.0.1:{port}{path}"
    assert line.app is not None
    line.services = replace(line.services, notices=replace(line.services.notices, public_url=url))
    provide(line.app, line.services)
    await line.services.announcer.load()
    # Making the API's description is not what is tried here, and would be made of another test's address.
    if hasattr(line.app.state, "description"):
        del line.app.state.description
    with contextlib.ExitStack() as stack:
        found = nginx(tmp_path / "nginx", locations.format(line=line.url), port)
        await asyncio.to_thread(stack.enter_context, found)
        yield url


async def test_every_address_leads_somewhere(public: str, line: Line) -> None:
    headers = {"Authorization": "Bearer writer"}
    async with httpx.AsyncClient(base_url=line.url, headers=headers, timeout=30, verify=NO_TLS) as client:
        one = await opened(client, services=["telephonie"])
        planned = {
            "desk": "omnivigil",
            "title": {"fr": "Mise à jour", "en": "Update"},
            "texts": {"fr": "Nous mettons à jour.", "en": "We update."},
            "starts_at": "2026-11-19T05:00:00Z",
            "ends_at": "2026-11-19T06:00:00Z",
        }
        made = await client.post("/v1/maintenances", json=planned)
        assert made.status_code == 201, made.text
    page = "/status/omnivigil"
    begin = [f"{public}{path}" for path in ("/status", "/console/", "/docs")]
    begin += [f"{public}{root}/api/v2/{what}.json" for root in ("", page) for what in [*FIRST, *MORE]]
    async with httpx.AsyncClient(timeout=60, verify=NO_TLS, follow_redirects=True) as reader:
        seen = await _crawl(reader, begin, public)
    for language in ("fr", "en"):
        for leaf in ("", f"/incidents/{one['id']}", "/maintenances/1", "/feed.atom", "/feed.rss", "/maintenance.ics"):
            assert f"{public}{page}/{language}{leaf}" in seen
    assert {f"{public}{page}/incidents/{one['id']}", f"{public}{page}/maintenances/1"} <= seen, "the short links"
    assert f"{public}/docs/swagger-ui.css" in seen
    assert f"{public}/console/static/console.css" in seen


@pytest.mark.parametrize("name", ["admin", "boreal"])
async def test_the_console_works_there(public: str, name: str) -> None:
    async with httpx.AsyncClient(base_url=public, timeout=60, verify=NO_TLS) as http:
        browser = Browser(http)
        shown = await http.get("/console/board", follow_redirects=True)
        assert str(shown.url).startswith(f"{public}/console/sign-in?next=")
        signed_in = await browser.sign_in(name)
        assert signed_in.status_code == 303, signed_in.text
        assert signed_in.headers["location"].startswith(public.removeprefix(f"http://{http.base_url.netloc.decode()}"))
        assert all(cookie.path.startswith(f"{http.base_url.path}console") for cookie in http.cookies.jar)
        http.follow_redirects = True
        seen = await _crawl(http, [f"{public}/console"], public, besides=("/sign-out", "/stream", "/language/"))
        assert len(seen) > 5
        english = await http.get("/console/language/en", params={"next": "/console/account"})
        assert str(english.url) == f"{public}/console/account"
        assert '<html lang="en' in english.text
        out = await browser.post("/console/sign-out")
        assert str(out.url) == f"{public}/console/sign-in"


async def _crawl(http: httpx.AsyncClient, begin: list[str], public: str, besides: tuple[str, ...] = ()) -> set[str]:
    """Every address that is reached from these, all of them answered."""
    seen: set[str] = set()
    wanted = list(begin)
    while wanted:
        url = wanted.pop()
        if url in seen or any(one in url for one in besides):
            continue
        seen.add(url)
        answer = await http.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code}"
        for address in _addresses(answer):
            found = urldefrag(urljoin(str(answer.url), address)).url
            assert found.startswith(f"{public}/"), f"{url} leads to {address}"
            wanted.append(found)
    return seen


def _addresses(answer: httpx.Response) -> Iterator[str]:
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "text/html":
        links = _Links()
        links.feed(answer.text)
        yield from links.found
    elif kind == "application/json" and "/api/v2/" in str(answer.url):
        yield from _of_json(json.loads(answer.text))
    elif kind in ("application/atom+xml", "application/rss+xml"):
        for part in ElementTree.fromstring(answer.content).iter():  # noqa: S314 - it is our own
            name = part.tag.rpartition("}")[2]
            if name in ("id", "guid", "link"):
                yield part.get("href") or part.text or ""
    elif kind == "text/calendar":
        yield from re.findall(r"^URL[^:]*:(\S+)", answer.text.replace("\r\n ", ""), re.MULTILINE)


def _of_json(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("url", "shortlink"):
                yield inner
            yield from _of_json(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(inner)


class _Links(HTMLParser):
    """What a page loads, leads to, or is sent to by GET."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value for name in ("href", "src") if (value := given.get(name)) and not _not_web(value)]
        if tag == "form" and given.get("method") == "get" and (action := given.get("action")):
            self.found.append(action)


def _not_web(address: str) -> bool:
    return address.startswith(("data:", "mailto:", "tel:", "#"))
