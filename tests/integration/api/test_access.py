"""Who is let in."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import httpx
import pytest

from api.app import provide
from ivr.accounts.api_tokens import Tokens
from ivr.store.engine import open_store
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line
from tests.plain_http import NO_TLS

Away = Callable[[], AbstractContextManager[None]]


def operations(line: Line) -> list[tuple[str, str]]:
    """Every operation of the API's description, with its parameters filled in."""
    assert line.app is not None
    paths = line.app.openapi()["paths"]
    filled = {"{number}": "100001", "{message_id}": "1"}
    found = []
    for path, methods in paths.items():
        for name, value in filled.items():
            path = path.replace(name, value)
        found += [(method.upper(), path) for method in methods]
    return found


async def test_nothing_below_v1_is_open(line: Line, stranger: httpx.AsyncClient) -> None:
    asked = [(method, path) for method, path in operations(line) if path.startswith("/v1")]
    assert len(asked) >= 17
    for method, path in [*asked, ("GET", "/v1"), ("GET", "/v1/nothing"), ("POST", "/v1/../v1/tickets")]:
        response = await stranger.request(method, path)
        refused(response, 401, field="Authorization")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_only_health_figures_and_the_public_status_are_open(line: Line) -> None:
    beside = {path for _, path in operations(line) if not path.startswith("/v1")}
    assert beside == {
        "/healthz",
        "/readyz",
        "/livez",
        "/metrics",
        *(path for path in beside if path.startswith("/status/")),
    }


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Basic d3JpdGVyOg==",
        "writer",
        "Bearer nobody",
        "Bearer writer reader",
        "Bearer " + "x" * 5000,
    ],
)
async def test_other_tokens_are_refused(stranger: httpx.AsyncClient, header: str) -> None:
    refused(await stranger.get("/v1/tickets", headers={"Authorization": header}), 401)


async def test_signs_of_no_alphabet_are_refused(stranger: httpx.AsyncClient) -> None:
    refused(await stranger.get("/v1/tickets", headers=[(b"Authorization", b"Bearer \xff\xe9")]), 401)


async def test_two_tokens_are_none(stranger: httpx.AsyncClient) -> None:
    two = [("Authorization", "Bearer writer"), ("Authorization", "Bearer reader")]
    refused(await stranger.get("/v1/tickets", headers=two), 401)


async def test_the_scheme_is_written_in_any_case(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/v1/tickets", headers={"Authorization": "bEARER writer"})).status_code == 200


async def test_a_token_that_may_read_may_not_write(line: Line, stranger: httpx.AsyncClient) -> None:
    stranger.headers["Authorization"] = "Bearer reader"
    assert (await stranger.get("/v1/tickets")).status_code == 200
    for method, path in operations(line):
        if method not in ("GET", "HEAD"):
            response = await stranger.request(method, path, json={})
            refused(response, 403, field="Authorization")
            # The directory and desk files have scopes of their own.
            scope = "directory:write" if path.startswith("/v1/directory/") else "write"
            scope = "desks:write" if re.match(r"/v1/desks/[^/]+/file\b", path) else scope
            assert f'scope="{scope}"' in response.headers["www-authenticate"], path


async def test_an_unknown_token_while_the_database_is_away_is_not_called_wrong(line: Line) -> None:
    away = open_store("sqlite+aiosqlite:////nonexistent/x.sqlite3")
    assert line.app is not None
    provide(line.app, replace(line.services, store=away, tokens=Tokens(away)))
    async with httpx.AsyncClient(base_url=line.url, verify=NO_TLS) as client:
        response = await client.get("/v1/tickets", headers={"Authorization": "Bearer writer"})
        refused(response, 503)
        assert response.headers["retry-after"] == "2"
    await away.close()


class TestHealth:
    async def test_anyone_may_ask_and_is_told_each_component(self, stranger: httpx.AsyncClient) -> None:
        response = await stranger.get("/healthz")
        assert response.status_code == 200
        assert response.json() == {"status": "ok", "components": {"asterisk": "ok"}}
        assert (await stranger.head("/healthz")).status_code == 200

    async def test_alive_ready_and_degraded_are_told_apart(self, line: Line, stranger: httpx.AsyncClient) -> None:
        """Who is degraded takes calls; who takes none lives on."""
        line.health = replace(line.health, degraded=True, components={"database": "cannot write: read-only"})
        for path in ("/healthz", "/readyz"):
            response = await stranger.get(path)
            assert (response.status_code, response.json()["status"]) == (200, "degraded")
        line.health = replace(line.health, taking_calls=False)
        assert (await stranger.get("/readyz")).status_code == 503
        assert (await stranger.get("/livez")).json() == {"status": "alive"}
        assert (await stranger.head("/livez")).status_code == 200

    async def test_before_calls_are_taken_it_is_503(self, line: Line, stranger: httpx.AsyncClient) -> None:
        components = {"asterisk": "connecting", "database": "ok"}
        line.health = replace(line.health, taking_calls=False, components=components)
        response = await stranger.get("/healthz")
        assert response.status_code == 503
        assert response.json() == {"status": "unavailable", "components": components}


class TestAddresses:
    async def test_unknown_ones(self, client: httpx.AsyncClient) -> None:
        for path in ("/", "/v1/nothing", "/v1/tickets/", "/v1/tickets/100001/x"):
            refused(await client.get(path), 404)

    async def test_wrong_methods(self, client: httpx.AsyncClient) -> None:
        response = await client.delete("/v1/tickets")
        refused(response, 405)
        assert response.headers["allow"] == "GET, HEAD, POST"

    async def test_the_description_tells_of_tokens_and_problems(self, stranger: httpx.AsyncClient) -> None:
        described = (await stranger.get("/openapi.json")).json()
        assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
        refusals = described["paths"]["/v1/tickets"]["post"]["responses"]["422"]["content"]
        assert refusals == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert "mend" in described["components"]["schemas"]["Problem"]["properties"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01garbage\r\n\r\n",
        b"GET /healthz HTTP/99\r\n\r\n",
        b"GET /" + b"x" * 1_000_000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000_000,
        b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
async def test_what_is_no_http_is_answered_or_cut_off_and_disturbs_nobody(
    line: Line, stranger: httpx.AsyncClient, sent: bytes
) -> None:
    answer = await _answer(line, sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert (await stranger.get("/healthz")).status_code == 200


async def test_a_version_that_is_not_yet_is_answered_in_ours(line: Line) -> None:
    """RFC 9110, section 2.5; or cut off, when the client is gone before the answer is made."""
    answer = await _answer(line, b"GET /healthz HTTP/9.9\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200")


async def _answer(line: Line, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(line.url.rpartition(":")[2]))
    answer = b""
    with contextlib.suppress(ConnectionError):
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(30):
            answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer
