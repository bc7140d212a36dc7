"""What every answer carries, and how many streams there may be."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import httpx
import pytest

from api.app import provide
from api.stream_limits import Streams, TooManyOfYours, TooManyStreams
from tests.integration.api.conftest import Line

#: Refusals of every guard among them.
PATHS = [
    ("GET", "/healthz", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/nothing", 404),
    ("GET", "/v1/calls", 401),
    ("POST", "/healthz", 405),
    ("POST", "/v1/tickets", 401),
    ("GET", "/status/omnivigil/fr", 200),
    ("GET", "/status/nobody/fr", 404),
    ("GET", "/console/sign-in", 200),
    ("GET", "/console/board", 303),
    ("POST", "/console/sign-in", 403),
    ("GET", "/console/static/console.css", 200),
    ("GET", "/console/static/nothing", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_every_answer_says_what_browsers_may_not_do(
    stranger: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await stranger.request(method, path)
    assert answer.status_code == status
    _safe(answer)
    assert "strict-transport-security" not in answer.headers, "the public may come without TLS"


def _safe(answer: httpx.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"]


async def test_with_a_token_nothing_is_kept_on_the_way(client: httpx.AsyncClient) -> None:
    for path in ("/v1/calls", "/v1/tickets", "/v1/desks"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        _safe(answer)


async def test_an_error_of_ours_carries_them_too(
    stranger: httpx.AsyncClient, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    assert line.app is not None
    provide(line.app, replace(line.services, health=broken))  # type: ignore[arg-type]
    answer = await stranger.get("/healthz")
    assert answer.status_code == 500
    _safe(answer)


async def test_browsers_insist_on_tls_where_the_public_comes_by_it(stranger: httpx.AsyncClient, line: Line) -> None:
    assert line.app is not None
    notices = replace(line.services.notices, public_url="https://etat.example")
    provide(line.app, replace(line.services, notices=notices))
    answer = await stranger.get("/status/omnivigil/fr")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_the_page_to_try_the_api_on_asks_nothing_of_others(stranger: httpx.AsyncClient) -> None:
    """A token is pasted into it."""
    page = await stranger.get("/docs")
    assert "://" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name, kind in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"), ("start.js", None)):
        assert f'"/docs/{name}"' in page.text
        part = await stranger.get(f"/docs/{name}")
        assert part.status_code == 200
        assert kind is None or part.headers["content-type"].startswith(kind)
    assert (await stranger.get("/docs/../app.py")).status_code == 404
    assert (await stranger.get("/docs/other.js")).status_code == 422


def test_streams_are_few_for_one_session_and_in_all() -> None:
    streams = Streams(5)
    with contextlib.ExitStack() as opened:
        for _ in range(3):
            streams.check("annie", 3)
            assert opened.enter_context(streams.open("annie", 3))
        with pytest.raises(TooManyOfYours):
            streams.check("annie", 3)
        assert not opened.enter_context(streams.open("annie", 3)), "many may have asked at once"
        for _ in range(2):
            assert opened.enter_context(streams.open("luc", 3))
        with pytest.raises(TooManyStreams):
            streams.check("ops", 3)
    streams.check("annie", 3)
    assert not streams._open
