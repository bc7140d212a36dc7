"""HEAD is answered as GET is, without the body; a slash at the end leads to the page; JSON is at the root too."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.head_requests import Heads
from api.stream_limits import Streams
from tests.integration.api.conftest import Line
from tests.integration.api.test_incidents import opened

PUBLIC = (
    *("/", "/status", "/status/omnivigil", "/status/omnivigil/fr", "/status/omnivigil/en/feed.atom"),
    *("/status/omnivigil/fr/feed.rss", "/status/omnivigil/fr/maintenance.ics", "/status/omnivigil/api/v2/status.json"),
    *("/status/omnivigil/fr/subscribe", "/status/style.css", "/status/nobody/fr", "/api/v2/summary.json", "/docs"),
    *("/healthz", "/livez", "/metrics", "/console", "/console/sign-in", "/console/static/console.css", "/nothing"),
    "/v1/calls",
)
PRIVATE = ("/v1/calls", "/v1/desks", "/v1/tickets", "/v1/incidents", "/v1/queues", "/v1/tickets/999")
#: What tells when it was made, or another each time.
_MOMENTS = ("date", "set-cookie", "last-modified")


def said(answer: httpx.Response) -> tuple[int, dict[str, str]]:
    """The status and the headers."""
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in _MOMENTS}


async def test_head_is_as_get(client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line) -> None:
    await line.services.announcer.load()
    for asker, paths in ((stranger, PUBLIC), (client, PRIVATE)):
        for path in paths:
            got, head = await asker.get(path), await asker.head(path)
            assert head.content == b""
            assert said(head)[0] == said(got)[0], path
            if path != "/metrics":
                # Its figures grow by being asked for.
                assert said(head) == said(got), path
    for path in ("/v1/tickets/1/notes", "/status/omnivigil/fr/code"):
        assert (await client.head(path)).status_code in (404, 405), "what only takes POST"


async def test_a_page_is_not_fresher_for_head(stranger: httpx.AsyncClient, line: Line) -> None:
    await line.services.announcer.load()
    tag = (await stranger.head("/status/omnivigil/fr")).headers["etag"]
    again = await stranger.head("/status/omnivigil/fr", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_stream_is_not_opened_for_its_head(client: httpx.AsyncClient, line: Line) -> None:
    assert line.app is not None
    streams: Streams = line.app.state.streams
    listeners = line.services.bus.listeners
    async with asyncio.timeout(30):
        head = await client.head("/v1/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in head.headers
    assert line.services.bus.listeners == listeners
    streams.check("events", 1)
    async with client.stream("GET", "/v1/events") as got:
        assert said(got) == said(head)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/status/", "/status"),
        ("/status/omnivigil/fr/", "/status/omnivigil/fr"),
        ("/status/omnivigil/fr//?a=b%20c", "/status/omnivigil/fr?a=b%20c"),
        ("/console/é/", "/console/%C3%A9"),
    ],
)
async def test_a_slash_at_the_end_leads_to_the_page(stranger: httpx.AsyncClient, path: str, to: str) -> None:
    for answer in (await stranger.get(path), await stranger.head(path)):
        assert (answer.status_code, answer.headers["location"]) == (308, to)


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "//"])
async def test_a_slash_leads_to_no_other_host(path: str) -> None:
    sent: list[dict[str, object]] = []

    async def answered(scope: object, receive: object, send: object) -> None:
        sent.append({"type": "page"})

    async def note(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await Heads(answered)(scope, None, note)  # type: ignore[arg-type]
    assert sent == [{"type": "page"}]


async def test_the_main_desks_json_is_at_the_root_too(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, line: Line
) -> None:
    """Statuspage's clients are given a host and nothing else."""
    await line.services.announcer.load()
    await opened(client, services=["telephonie"])
    every = ("summary", "status", "components", "incidents", "scheduled-maintenances")
    some = ("incidents/unresolved", "scheduled-maintenances/active", "scheduled-maintenances/upcoming")
    for what in (*every, *some):
        there = await stranger.get(f"/status/omnivigil/api/v2/{what}.json")
        here = await stranger.get(f"/api/v2/{what}.json")
        assert (here.status_code, here.json()) == (200, there.json()), what
        assert here.headers["access-control-allow-origin"] == "*"
        assert (await stranger.head(f"/api/v2/{what}.json")).headers["etag"] == here.headers["etag"]
        other = await stranger.get(f"/api/v2/{what}.json", headers={"Host": "evil.example"})
        assert "evil.example" not in other.text
    for unknown in ("subscribers", "incidents/resolved", "scheduled-maintenances/past"):
        assert (await stranger.get(f"/api/v2/{unknown}.json")).status_code in (404, 422)
