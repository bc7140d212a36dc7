"""The roll: who is logged in to which queue, also over a crash of Asterisk.

Asterisk keeps its queues' members itself, and writes them once a second: who logged in, out or took a break just before
it is killed did not. So the database has them too, from the events that tell of it. When another Asterisk runs than the
one they were seen in, what it lacks is done again. Of one that has run all the time its own word is the truth.

Then every phone of theirs that Asterisk does not know to be there is asked at once. By itself it asks one after the
other, within half a minute, and callers would be sent to the message box meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Delete, delete, select

from ivr.asterisk.ami import RECONNECTED, AmiRefused, Fields, ManagerInterface
from ivr.asterisk.queue_members import AmiQueueMembers, Member, member_of
from ivr.errors import Unavailable
from ivr.queueing.tables import queue_roll
from ivr.store.engine import Store, Unit
from ivr.ticks import rest_unless

log = structlog.get_logger()

#: Seconds between two looks at whether there is something to write that could not be written.
_EVERY_S = 5.0
_REACHABLE = ("idle", "in use", "busy", "ringing", "ring and in use", "on hold")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One technician in one queue, as the database has it."""

    queue: str
    endpoint: str
    name: str
    paused: bool
    paused_reason: str
    asterisk: str


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The logins and breaks that a new Asterisk lacks."""

    logins: tuple[Entry, ...]
    breaks: tuple[Entry, ...]


def lost(entries: list[Entry], members: list[Member], asterisk: str) -> Lost:
    """Compare the database with Asterisk, which was started at `asterisk`. Pure."""
    there = {(one.queue, one.endpoint): one for one in members}
    earlier = [one for one in entries if one.asterisk != asterisk]
    logins = tuple(one for one in earlier if (one.queue, one.endpoint) not in there)
    breaks = tuple(
        one
        for one in earlier
        if (member := there.get((one.queue, one.endpoint))) is not None and member.paused != one.paused
    )
    return Lost(logins=logins, breaks=breaks)


class Roll:
    """Keeps it."""

    def __init__(self, store: Store, ami: ManagerInterface, members: AmiQueueMembers) -> None:
        self._store, self._ami, self._members = store, ami, members
        #: What changed and is not written: the member, or None for one who is logged out.
        self._changed: dict[tuple[str, str], Member | None] = {}
        self._asterisk: str | None = None
        self._wake = asyncio.Event()

    def enter(self, event: Fields) -> None:
        """Enter one event from Asterisk; others than logins, log-outs and breaks are passed over."""
        kind = event.get("event", "")
        if event is RECONNECTED:
            self._asterisk = None
        elif kind in ("QueueMemberAdded", "QueueMemberPause", "QueueMemberRemoved"):
            member = member_of(event)
            if kind == "QueueMemberRemoved":
                self._changed[member.queue, member.endpoint] = None
            else:
                self._changed[member.queue, member.endpoint] = member
        else:
            return
        self._wake.set()

    async def run(self) -> None:
        """Keep it until cancelled."""
        while True:
            self._wake.clear()
            try:
                if self._asterisk is None:
                    await self.call()
                await self.write()
            except (Unavailable, AmiRefused) as error:
                log.warning("queue login check postponed", error=str(error))
            await rest_unless(self._wake, _EVERY_S)

    async def call(self) -> None:
        """Compare with Asterisk, do again what a crash undid, and ask the phones. Raises Unavailable, AmiRefused."""
        changed, self._changed = self._changed, {}
        try:
            self._asterisk = await self._call(changed)
        except BaseException:
            self._changed = changed | self._changed
            raise

    async def _call(self, changed: dict[tuple[str, str], Member | None]) -> str:
        """Return when the Asterisk that there is now was started. `changed` is not written yet."""
        status = await self._ami.action("CoreStatus")
        asterisk = f"{status.get('corestartupdate', '')} {status.get('corestartuptime', '')}"[:40]
        members = list(await self._members.list(None))
        # First: it needs no database.
        await self._ask({one.endpoint for one in members if one.status not in _REACHABLE})
        async with self._store.reading() as unit:
            known = {(one.queue, one.endpoint): one for one in await _entries(unit)}
        for key, member in changed.items():
            known.pop(key, None)
            if member is not None:
                known[key] = Entry(**_values(member, ""))
        found = lost(list(known.values()), members, asterisk)
        for one in found.logins:
            await self._again(one, login=True)
        for one in found.breaks:
            await self._again(one, login=False)
        if found.logins or found.breaks:
            log.warning(
                "queue logins restored after an Asterisk crash", logins=len(found.logins), breaks=len(found.breaks)
            )
        await self._ask({one.endpoint for one in found.logins})
        members = list(await self._members.list(None))
        async with self._store.unit() as unit:
            await unit.execute(delete(queue_roll))
            for member in members:
                await _put(unit, member, asterisk)
        return asterisk

    async def _again(self, one: Entry, *, login: bool) -> None:
        try:
            if login:
                await self._members.add(one.queue, one.endpoint, one.name)
            if one.paused or not login:
                await self._members.pause(one.queue, one.endpoint, one.paused, one.paused_reason)
        except AmiRefused as error:
            # A queue that the desk files have no more.
            log.warning(
                "technician's queue login not restored", endpoint=one.endpoint, queue=one.queue, error=str(error)
            )

    async def _ask(self, endpoints: set[str]) -> None:
        for endpoint in sorted(endpoints):
            try:
                await self._ami.action("PJSIPQualify", {"Endpoint": endpoint})
            except AmiRefused:
                # No phone of that name, or none registered.
                continue

    async def write(self) -> None:
        """Write what changed. Raises StoreUnavailable."""
        if not self._changed or self._asterisk is None:
            return
        changed, self._changed = self._changed, {}
        try:
            async with self._store.unit() as unit:
                for (queue, endpoint), member in changed.items():
                    await unit.execute(_where(queue, endpoint))
                    if member is not None:
                        await _put(unit, member, self._asterisk)
        except BaseException:
            self._changed = changed | self._changed
            raise


def _where(queue: str, endpoint: str) -> Delete:
    return delete(queue_roll).where(queue_roll.c.queue == queue, queue_roll.c.endpoint == endpoint)


async def _entries(unit: Unit) -> list[Entry]:
    return [Entry(**row) for row in (await unit.execute(select(queue_roll))).mappings()]


def _values(one: Member, asterisk: str) -> dict[str, Any]:
    return {
        "queue": one.queue[:40],
        "endpoint": one.endpoint[:40],
        "name": one.name[:200],
        "paused": one.paused,
        "paused_reason": one.paused_reason[:200],
        "asterisk": asterisk,
    }


async def _put(unit: Unit, one: Member, asterisk: str) -> None:
    await unit.execute(unit.insert(queue_roll).values(_values(one, asterisk)).on_conflict_do_nothing())
