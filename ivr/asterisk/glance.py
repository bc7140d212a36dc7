"""What Asterisk does now, looked at once by a command beside the line: its calls, and who is in which queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ivr.asterisk.rescue import block, logged_in, send
from ivr.errors import Unavailable
from ivr.settings import Address

_LIMIT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class InQueue:
    """A technician's phone in a queue."""

    queue: str
    #: As the queue has it, such as PJSIP/7001.
    interface: str
    name: str
    paused: bool


@dataclass(frozen=True, kw_only=True)
class Glance:
    """How many calls there are, by what links their legs, and who is logged in."""

    calls: int
    members: tuple[InQueue, ...]


async def glance(ami: Address, secret: str) -> Glance:
    """Look by a connection of its own, as the manager's account that only looks. Raises Unavailable."""
    try:
        return await asyncio.wait_for(_glance(ami, secret), _LIMIT_S)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unavailable(component="Asterisk's manager", error=repr(error)) from error


async def _glance(ami: Address, secret: str) -> Glance:
    async with logged_in(ami, "witness", secret) as (reader, writer):
        await send(writer, Action="CoreShowChannels")
        legs = [row async for row in _rows(reader, "CoreShowChannelsComplete")]
        await send(writer, Action="QueueStatus")
        members = [row async for row in _rows(reader, "QueueStatusComplete") if row.get("Event") == "QueueMember"]
    return Glance(
        calls=len({leg.get("Linkedid") for leg in legs if leg.get("Channel", "").startswith("PJSIP/")}),
        members=tuple(
            InQueue(
                queue=row.get("Queue", ""),
                interface=row.get("StateInterface") or row.get("Location", ""),
                name=row.get("Name", ""),
                paused=row.get("Paused") == "1",
            )
            for row in members
        ),
    )


async def _rows(reader: asyncio.StreamReader, last: str) -> AsyncIterator[dict[str, str]]:
    while (row := await block(reader)).get("Event") != last:
        if row.get("Response") == "Error":
            raise Unavailable(component="Asterisk's manager", answer=row.get("Message"))
        yield row
