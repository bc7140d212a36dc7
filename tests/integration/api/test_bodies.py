"""Bodies that nobody should send."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import guard
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line
from tests.thorough import examples

JSON = {"Content-Type": "application/json"}


async def post(client: httpx.AsyncClient, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return await client.post("/v1/tickets", content=content, headers=headers or JSON)


class TestSize:
    async def test_one_mebibyte_is_the_most(self, client: httpx.AsyncClient) -> None:
        within = b'{"observed": "x"' + b" " * (guard.LARGEST - 17) + b"}"
        assert len(within) == guard.LARGEST
        assert (await post(client, within)).status_code == 201
        refused(await post(client, within + b" "), 413, field="body")

    @pytest.mark.parametrize("mebibytes", [2, 10])
    async def test_a_larger_one_is_refused_with_a_reason_that_arrives(
        self, client: httpx.AsyncClient, mebibytes: int
    ) -> None:
        refused(await post(client, b"x" * mebibytes * 1024 * 1024), 413, field="body")

    async def test_one_that_does_not_say_how_large_it_is(self, client: httpx.AsyncClient) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b" " * 65536

        refused(await post(client, parts()), 413, field="body")

    async def test_one_that_never_comes(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "_BODY_S", 0.2)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(line.url.rpartition(":")[2]))
        writer.write(
            b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer writer\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()

    async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", int(line.url.rpartition(":")[2]))
        writer.write(
            b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer writer\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await client.get("/v1/tickets")).json()["items"] == []


class TestKind:
    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=iso-8859-1",
            "application/json; charset=utf-16",
            "json",
            "",
        ],
    )
    async def test_what_is_not_json_in_utf8_is_refused(self, client: httpx.AsyncClient, kind: str) -> None:
        refused(await post(client, b"{}", {"Content-Type": kind}), 415, field="Content-Type")

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json; charset="utf-8"']
    )
    async def test_what_is_said_in_other_ways_is_taken(self, client: httpx.AsyncClient, kind: str) -> None:
        assert (await post(client, b"{}", {"Content-Type": kind})).status_code == 201

    async def test_what_is_compressed_is_refused(self, client: httpx.AsyncClient) -> None:
        headers = JSON | {"Content-Encoding": "gzip"}
        refused(await post(client, gzip.compress(b"{}"), headers), 415, field="Content-Encoding")

    @pytest.mark.parametrize(
        "content",
        [
            '{"observed": "Montréal"}'.encode("latin-1"),
            '{"observed": "x"}'.encode("utf-16"),
            '{"observed": "x"}'.encode("utf-16-le"),
            '{"observed": "x"}'.encode("utf-32"),
            b'{"observed": "\xed\xa0\x80"}',
        ],
    )
    async def test_other_encodings_are_refused(self, client: httpx.AsyncClient, content: bytes) -> None:
        refused(await post(client, content), 400, field="body")

    async def test_french_in_utf8_comes_back(self, client: httpx.AsyncClient) -> None:
        text = "« L’écho » à Montréal, œuf, 🇨🇦"
        made = await client.post("/v1/tickets", json={"observed": text})
        assert made.json()["observed"] == text

    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"{'a': 1}",
            b"\xef\xbb\xbf",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"nonsense",
            b'{"level": ' + b"9" * 5000 + b"}",
        ],
    )
    async def test_what_is_no_json_is_refused(self, client: httpx.AsyncClient, content: bytes) -> None:
        refused(await post(client, content), 400, field="body")

    @pytest.mark.parametrize("escaped", [rb"\ud800", rb"\udfff\ud800", rb"\u0000"])
    async def test_text_that_no_database_takes_is_refused(self, client: httpx.AsyncClient, escaped: bytes) -> None:
        refused(await post(client, b'{"observed": "' + escaped + b'"}'), 422, field="observed")

    @pytest.mark.parametrize("content", [b"[]", b"1", b'"x"', b"null", b"true", b""])
    async def test_what_is_no_object_is_refused(self, client: httpx.AsyncClient, content: bytes) -> None:
        refused(await post(client, content), 422, field="body")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=15), inner, max_size=4),
    max_leaves=8,
)
NAMES = ["observed", "examples", "level", "priority", "mac", "requester_email", "kind", "desk", "call_id", "version"]


@settings(
    max_examples=examples(50, 500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), ANYTHING, max_size=5) | ANYTHING)
async def test_no_body_makes_it_fail(line: Line, body: Any) -> None:
    content = json.dumps(body)
    assert line.app is not None
    transport = httpx.ASGITransport(app=line.app)
    headers = JSON | {"Authorization": "Bearer writer"}
    async with httpx.AsyncClient(transport=transport, base_url="http://line", headers=headers) as client:
        for method, path in (
            ("POST", "/v1/tickets"),
            ("PATCH", "/v1/tickets/100001"),
            ("PUT", "/v1/queues/support/members/7001/pause"),
        ):
            response = await client.request(method, path, content=content)
            assert response.status_code < 500
            if response.status_code >= 400:
                refused(response, response.status_code)
