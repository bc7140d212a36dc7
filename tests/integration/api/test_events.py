"""Server-sent events on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent, aconnect_sse

from api.routers import events as router
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_calls import begin


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, last: str | None = None
) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    headers = {b"Last-Event-ID": last.encode("latin-1")} if last is not None else {}
    source: EventSource
    async with aconnect_sse(client, "GET", "/v1/events", headers=headers) as source:
        yield source.aiter_sse()


async def next_one(stream: AsyncIterator[ServerSentEvent]) -> ServerSentEvent:
    async with asyncio.timeout(30):
        return await anext(stream)


async def until_nobody_listens(line: Line) -> None:
    async with asyncio.timeout(30):
        while line.services.bus.listeners:  # noqa: ASYNC110 - the server sees the end of a connection by itself
            await asyncio.sleep(0.01)


def data(event: ServerSentEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.data)
    return found


async def test_a_call_is_told_as_it_happens(line: Line, client: httpx.AsyncClient) -> None:
    calls = line.services.calls
    async with listening(client) as stream:
        begin(line)
        calls.queued("a", NOW, queue="support")
        calls.answered("a", NOW, endpoint="7001")
        told = [await next_one(stream) for _ in range(3)]
        assert [event.event for event in told] == ["call.started", "call.queued", "call.answered"]
        card = data(told[2])
        assert card["identity"]["customer"]["name"] == "Clinique du Cap"
        assert card["identity"]["partner"]["name"] == "Réseaux Boréal"
        assert card["open_tickets"] == []
        assert card["at"] == "2026-11-18T15:00:00Z"


async def test_who_comes_back_misses_nothing(line: Line, client: httpx.AsyncClient) -> None:
    async with listening(client) as stream:
        begin(line, "a")
        seen = await next_one(stream)
    begin(line, "b")
    begin(line, "c")
    async with listening(client, seen.id) as stream:
        assert [data(await next_one(stream))["id"] for _ in range(2)] == ["b", "c"]
        begin(line, "d")
        assert data(await next_one(stream))["id"] == "d"


@pytest.mark.parametrize("last", ["1", "00000000-1", "nonsense", "00000000-99999999999999999999", "é"])
async def test_who_comes_back_to_another_run_is_told_to_begin_anew(
    line: Line, client: httpx.AsyncClient, last: str
) -> None:
    begin(line, "a")
    async with listening(client, last) as stream:
        assert (await next_one(stream)).event == "reset"
        begin(line, "b")
        assert data(await next_one(stream))["id"] == "b"


async def test_who_comes_back_too_late_is_told_to_begin_anew(line: Line, client: httpx.AsyncClient) -> None:
    bus = line.services.bus
    first = bus.publish("call.started", NOW, {})
    for _ in range(1001):
        bus.publish("call.started", NOW, {})
    async with listening(client, f"{bus.run}-{first.id}") as stream:
        assert (await next_one(stream)).event == "reset"


async def test_who_leaves_is_forgotten(line: Line, client: httpx.AsyncClient) -> None:
    async with listening(client):
        assert line.services.bus.listeners == 1
    await until_nobody_listens(line)


async def test_many_listen_and_the_service_stops_all_the_same(line: Line, client: httpx.AsyncClient) -> None:
    async with listening(client) as first, listening(client) as second:
        begin(line)
        line.services.bus.close()
        for stream in (first, second):
            assert [event.event async for event in stream] == ["call.started"]


async def test_a_client_that_does_not_read_holds_up_nobody(line: Line, client: httpx.AsyncClient) -> None:
    # Little room, so that what is not read soon waits at the server.
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", int(line.url.rpartition(":")[2])))
    _, writer = await asyncio.open_connection(sock=deaf, limit=1024)
    writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(30):
        while not line.services.bus.listeners:  # noqa: ASYNC110 - the server takes the request by itself
            await asyncio.sleep(0.01)
    async with listening(client) as stream:
        for n in range(5000):
            line.services.bus.publish("call.started", NOW, {"id": n, "filler": "x" * 5000})
            assert data(await next_one(stream))["id"] == n
        # The one that does not read is cut off, so that it cannot miss anything without knowing.
        assert line.services.bus.listeners == 1
    writer.close()
    await writer.wait_closed()


async def test_silence_is_broken_by_a_sign_of_life(
    line: Line, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "_PING_S", 0.05)
    async with client.stream("GET", "/v1/events") as response, asyncio.timeout(30):
        assert response.headers["content-type"].startswith("text/event-stream")
        async for text in response.aiter_lines():
            if text.startswith(":"):
                break


async def test_text_from_callers_cannot_become_an_event(line: Line, client: httpx.AsyncClient) -> None:
    async with listening(client) as stream:
        line.services.bus.publish("ticket.created", NOW, {"name": "x\n\nevent: reset\ndata: {}\r\n\u2028"})
        event = await next_one(stream)
        assert (event.event, data(event)["name"]) == ("ticket.created", "x\n\nevent: reset\ndata: {}\r\n\u2028")


async def test_there_are_not_more_than_can_be_served(
    line: Line, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "_MOST_LISTENERS", 1)
    async with listening(client):
        refused(await client.get("/v1/events"), 503)
