"""Whose word on whom a request comes from is believed, by the server as the service makes it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from api.server import server_of
from ivr.prepare import line_secrets
from ivr.settings import Settings


async def _source(*headers: str) -> tuple[str, str]:
    """The client's address and scheme as the application sees them, of a request from this machine."""
    seen: list[tuple[str, str]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = server_of(app, Settings.http, os.environ)  # type: ignore[arg-type]
    server.config.port = 0
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join(["GET / HTTP/1.1", "Host: x", *headers, "Connection: close", "", ""]).encode())
    await reader.read()
    writer.close()
    server.end()
    await serving
    return seen[0]


FORWARDED = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")


async def test_nobody_is_believed_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """From this machine neither: any local process could say so, and get around what counts per address."""
    monkeypatch.delenv("OMNIVIGIL_PROXIES", raising=False)
    assert await _source(*FORWARDED) == ("127.0.0.1", "http")
    monkeypatch.setenv("OMNIVIGIL_PROXIES", "192.0.2.1")
    assert await _source(*FORWARDED) == ("127.0.0.1", "http")


async def test_a_named_proxy_is_and_only_for_the_last_whom_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMNIVIGIL_PROXIES", "127.0.0.1, 10.0.0.0/24")
    assert await _source(*FORWARDED) == ("203.0.113.7", "https")
    chain = "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.9"
    assert (await _source(chain))[0] == "203.0.113.7", "what comes before is the client's own word"


def test_a_line_of_before_gets_the_secrets_it_lacks_and_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"ami_service": "kept"}))
    known = line_secrets(tmp_path)
    assert known["ami_service"] == "kept"
    assert {"agi", "hep"} <= known.keys()
    assert known["agi"] != known["hep"]
    assert line_secrets(tmp_path) == known
