"""Takes callers out of a service that is gone: from wherever its last command left them to the dialplan's own way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ivr.errors import Unavailable
from ivr.settings import Address

#: Seconds for the whole rescue; callers are waiting.
_LIMIT_S = 4.0


async def rescue(ami: Address, secret: str) -> int:
    """Send every channel that is in an AGI conversation to the `rescue` context; returns how many.

    A plain connection of its own, opened for this and closed: what keeps the service from working must
    not keep its callers from being helped. Raises Unavailable when Asterisk does not answer.
    """
    try:
        return await asyncio.wait_for(_rescue(ami, secret), _LIMIT_S)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Unavailable(component="Asterisk's manager", error=repr(error)) from error


async def _rescue(ami: Address, secret: str) -> int:
    async with logged_in(ami, "supervisor", secret) as (reader, writer):
        await send(writer, Action="CoreShowChannels")
        stuck = []
        while (row := await block(reader)).get("Event") != "CoreShowChannelsComplete":
            if row.get("Application") == "AGI":
                stuck.append(row["Channel"])
        for channel in stuck:
            await send(writer, Action="Redirect", Channel=channel, Context="rescue", Exten="s", Priority="1")
            await block(reader)
        return len(stuck)


@contextlib.asynccontextmanager
async def logged_in(
    ami: Address, account: str, secret: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A plain connection to the manager, without events, until the block ends. Raises Unavailable, OSError."""
    reader, writer = await asyncio.open_connection(ami.host, ami.port)
    try:
        await reader.readline()
        await send(writer, Action="Login", Username=account, Secret=secret, Events="off")
        if (answer := await block(reader)).get("Response") != "Success":
            raise Unavailable(component="Asterisk's manager", answer=answer.get("Message"))
        yield reader, writer
    finally:
        writer.close()


async def send(writer: asyncio.StreamWriter, **fields: str) -> None:
    """One action; its values have no line breaks."""
    writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")
    await writer.drain()


async def block(reader: asyncio.StreamReader) -> dict[str, str]:
    """One answer or event."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
    pairs = (line.partition(": ") for line in text.splitlines() if line)
    return {name: value for name, _, value in pairs}
