"""Connections that do not say what they want, or take nothing, and too many of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.connection_limits import DoorLimits
from api.server import ApiServer

HALF = b"GET / HTTP/1.1\r\nHost: line.example\r\nX-More: "
WHOLE = b"GET / HTTP/1.1\r\nHost: line.example\r\n\r\n"


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says ok; at /large, more than fits on the way."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[tuple[ApiServer, int]]:
    """The server behind a door with these limits, and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = ApiServer(config, limits=DoorLimits(**{"connections": 20, "reserve": 0} | limits))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield server, listening.getsockname()[1]
    finally:
        server.end()
        await task
        listening.close()


async def _connected(port: int, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def _ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the server ended the connection."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(20):
            while more := await reader.read(65536):
                got += more
    return got


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not so():  # noqa: ASYNC110 - what the server does is told to nobody
            await asyncio.sleep(0.01)


async def _status(port: int) -> bytes:
    reader, writer = await _connected(port, WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await _ended(reader)
    writer.close()
    return answer.split(b"\r\n")[0]


@pytest.mark.parametrize("begun", [b"", b"G", HALF, WHOLE + HALF])
async def test_a_request_that_does_not_end_is_ended(begun: bytes) -> None:
    async with serving(head_s=0.3, idle_s=0.3) as (server, port):
        reader, writer = await _connected(port, begun)
        await _ended(reader)
        assert server.door.connections == 0
        writer.close()


async def test_a_head_that_comes_bit_by_bit_has_no_more_time() -> None:
    async with serving(head_s=0.5) as (server, port):
        reader, writer = await _connected(port, HALF)

        async def trickle() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        await _ended(reader)
        trickling.cancel()
        writer.close()
        assert server.door.connections == 0


async def test_a_body_that_nobody_asked_for_holds_no_connection() -> None:
    """The answer to GET is given at once; what then trickles in is nobody's."""
    async with serving(head_s=0.3, idle_s=0.3) as (server, port):
        reader, writer = await _connected(port, WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000\r\n\r\n"))
        writer.write(b"x")
        assert b"200 OK" in await _ended(reader)
        writer.close()
        assert server.door.connections == 0


async def test_who_takes_nothing_of_an_answer_is_left() -> None:
    async with serving(stuck_s=0.3) as (server, port):
        with contextlib.closing(socket.socket()) as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.setblocking(False)
            await asyncio.get_running_loop().sock_connect(greedy, ("127.0.0.1", port))
            greedy.sendall(WHOLE.replace(b"GET /", b"GET /large"))
            await _until(lambda: server.door.connections == 1)
            await _until(lambda: server.door.connections == 0)


async def test_too_many_make_room_for_who_comes_now() -> None:
    async with serving(head_s=60) as (server, port):
        half = [await _connected(port, HALF) for _ in range(60)]
        assert await _status(port) == b"HTTP/1.1 200 OK"
        assert server.door.connections <= 20
        for _, writer in half:
            writer.close()


async def test_without_room_the_answer_is_503() -> None:
    """Who is being answered is not sent away for others."""
    async with serving(connections=3) as (_, port):
        taking = [await _connected(port, WHOLE.replace(b"GET /", b"GET /large")) for _ in range(3)]
        for reader, _ in taking:
            await reader.readexactly(10)
        assert await _status(port) == b"HTTP/1.1 503 Service Unavailable"
        for _, writer in taking:
            writer.transport.abort()


async def test_what_is_no_http_after_a_request_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (_, port):
        reader, writer = await _connected(port, WHOLE.replace(b"GET /", b"GET /large") + b"\x00\x01\r\n\r\n")
        await reader.readexactly(10)
        writer.transport.abort()
        assert await _status(port) == b"HTTP/1.1 200 OK"
    assert "Fatal error" not in caplog.text


async def test_an_address_that_is_taken_is_an_error_and_no_end_of_the_process() -> None:
    async with serving() as (_, port):
        config = uvicorn.Config(_app, port=port, log_config=None, lifespan="off")
        with pytest.raises(OSError, match="in use"):
            await ApiServer(config).serve()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_it_listens_where_it_is_told(host: str) -> None:
    server = ApiServer(uvicorn.Config(_app, host=host, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await _until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(WHOLE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    server.end()
    await task


async def test_what_is_no_http_is_told_safely() -> None:
    async with serving() as (_, port):
        reader, writer = await _connected(port, b"\x16\x03\x01\x02\x00\r\n\r\n")
        answer = (await _ended(reader)).lower()
        writer.close()
    assert answer.startswith(b"http/1.1 400")
    assert b"x-content-type-options: nosniff" in answer


@pytest.fixture
def files() -> Iterator[None]:
    """Room for the test's own ends of the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("files")
async def test_a_thousand_half_sent_requests_leave_descriptors_for_calls() -> None:
    """As with `ulimit -n 1024`, the usual limit: by the server's own loop, which is uvloop's."""
    program = textwrap.dedent(
        """
        import resource, socket, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
        import uvicorn, uvloop
        from api.server import ApiServer

        async def app(scope, receive, send):
            files = [open("/dev/null") for _ in range(600)]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"%d" % len(files)})
            for one in files:
                one.close()

        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        server = ApiServer(uvicorn.Config(app, lifespan="off", log_level="warning", backlog=4096))
        uvloop.run(server.serve(sockets=[listening]))
        """
    )
    process = subprocess.Popen(  # noqa: ASYNC220 - it is ended by its own handle
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONPATH": "."},
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.to_thread(process.stdout.readline))
        half = [await _connected(port, HALF) for _ in range(1100)]
        for _ in range(5):
            assert await _status(port) == b"HTTP/1.1 200 OK"
        assert process.poll() is None
        for _, writer in half:
            writer.transport.abort()
        assert await _status(port) == b"HTTP/1.1 200 OK"
    finally:
        process.kill()
        process.communicate()
