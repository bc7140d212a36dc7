"""Clients of the line's streams, who note when they first read of each caller who joined the queue."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from bench.running import PASSING_AREA

#: The callers, by their numbers as E.164 digits, of whom one message of a stream tells.
CallersIn = Callable[[bytes], frozenset[str]]

_ON_BOARD = re.compile(rb"%s (\d{3})-(\d{4})" % PASSING_AREA.encode())
_IN_EVENT = re.compile(rb'"ani":"(\d+)"')


# Every board gets the same text: it is searched once.
@functools.lru_cache(maxsize=64)
def callers_on_board(message: bytes) -> frozenset[str]:
    """Who stands in line, when the message is that part of the board."""
    if not message.startswith(b"event: places\n"):
        return frozenset()
    return frozenset(f"1{PASSING_AREA}{found[1].decode()}{found[2].decode()}" for found in _ON_BOARD.finditer(message))


def callers_in_event(message: bytes) -> frozenset[str]:
    """Who has joined the queue, when the message is an event that tells so."""
    if b"event: call.queued\n" not in message:
        return frozenset()
    return frozenset(found[1].decode() for found in _IN_EVENT.finditer(message))


@dataclass(kw_only=True)
class Client:
    """One client: when it first read of each caller (seconds since 1970), and how much it read."""

    first: dict[str, float] = field(default_factory=dict)
    octets: int = 0

    async def read(self, session: aiohttp.ClientSession, url: str, callers_in: CallersIn) -> None:
        """Read until cancelled. Raises aiohttp.ClientError when the stream is refused or breaks."""
        async with session.get(url) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_any():
                now = time.time()
                self.octets += len(chunk)
                *messages, rest = (rest + chunk).split(b"\n\n")
                for message in messages:
                    for caller in callers_in(message):
                        self.first.setdefault(caller, now)
        raise aiohttp.ClientPayloadError(f"{url} ended")


@contextlib.asynccontextmanager
async def clients(
    count: int,
    url: str,
    callers_in: CallersIn,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> AsyncIterator[list[Client]]:
    """So many clients who read. Raises the first one's error when one did not read to the end of the block."""
    async with aiohttp.ClientSession(
        headers=headers,
        cookies=cookies,
        timeout=aiohttp.ClientTimeout(total=None),
        connector=aiohttp.TCPConnector(limit=0),
    ) as session:
        found = [Client() for _ in range(count)]
        tasks = [asyncio.create_task(one.read(session, url, callers_in)) for one in found]
        try:
            yield found
        finally:
            broken = [error for task in tasks if task.done() and (error := task.exception()) is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if broken:
            raise broken[0]
