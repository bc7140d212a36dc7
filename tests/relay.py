"""A TCP relay in the way of a connection: it can lead elsewhere, or swallow what passes, as some firewalls do."""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    """Relays every connection to `target`, a port of this machine; use as an asynchronous context manager.

    While `swallows` is true connections stay open and nothing passes, in either direction.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.swallows = False
        #: Where it listens.
        self.port = 0
        #: How many connections were made.
        self.taken = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self._writers.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.append(back)
        for source, sink in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._pass(source, sink)))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await source.read(65536):
                if not self.swallows:
                    sink.write(some)
        # An end that is swallowed is not told either.
        if not self.swallows:
            sink.close()
