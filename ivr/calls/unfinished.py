"""Calls of whose end nothing is known: Asterisk was killed with them, and its own record is written at the end only.

The dialplan notes each call as it begins, in one line of `begun.csv`. What is on record with its end, or goes on, needs
no more; a call that neither Asterisk nor anybody else knows any more is entered as `asterisk-killed`. Notes are erased
as soon as their call is on record, for they hold the caller's number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ivr.asterisk.ami import AmiRefused
from ivr.asterisk.contract import BegunCall, UserField
from ivr.calls import cdr_store
from ivr.calls.adoption import Identify
from ivr.calls.cdr_import import CallLine, leg_of, row_of, timeline_of
from ivr.calls.log import CallLog
from ivr.errors import Unavailable
from ivr.isolation import apart
from ivr.store.engine import Store
from ivr.ticks import rest

log = structlog.get_logger()

#: What the dialplan appends to.
FILE = "begun.csv"
#: The file is set aside at this age, in seconds; by then whoever is writing to it has finished.
_ASIDE_S = 60.0
#: A call is not missed before this age, in seconds; one that is missed, for so long, has no other record to come.
_YOUNG_S = 5.0
_MISSED_S = 8.0
#: Calls in one look at the database.
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Killed(CallLine):
    """A call that ended with Asterisk; how long it lasted is not known."""

    @property
    def outcome(self) -> tuple[str, str]:
        return "failed", "asterisk-killed"


def parse(text: str, shift: timedelta) -> list[Killed]:
    """The calls that a file tells of; what is no line of the dialplan's is passed over.

    `shift` is how far the service's clock is from Asterisk's.
    """
    calls = []
    for line in text.splitlines():
        if (begun := BegunCall.read(line)) is None:
            continue
        at = datetime.fromtimestamp(begun.began, UTC) + shift
        calls.append(
            Killed(
                linkedid=begun.uniqueid,
                uniqueid=begun.uniqueid,
                channel=begun.channel,
                number=begun.number,
                userfield=UserField(desk=begun.desk).text(),
                start=at,
                end=at,
                answered_channel="",
                last_application="",
            )
        )
    return calls


class Begun:
    """Looks through the notes. `channels` gives the uniqueids of Asterisk's channels, and raises Unavailable."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        folder: Path,
        store: Store,
        calls: CallLog,
        channels: Callable[[], Awaitable[Collection[str]]],
        *,
        shift: timedelta,
        identify: Identify,
        desks: Collection[str],
        counted: Callable[[str, str], None] = lambda desk, result: None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._store, self._calls, self._channels = folder, store, calls, channels
        self._shift, self._identify, self._desks, self._counted = shift, identify, desks, counted
        self._wall, self._monotonic = wall, monotonic
        #: Calls that nobody knows, and since when.
        self._missed: dict[str, float] = {}

    async def run(self, every_s: float = 5.0) -> None:
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self.once()
            except (Unavailable, AmiRefused, OSError) as error:
                log.warning("check for calls cut off by an Asterisk crash postponed", error=str(error))
            await rest(2.0 if self._missed else every_s)

    async def once(self) -> int:
        """Enter the calls whose end nobody will tell; how many. Raises Unavailable, AmiRefused, OSError."""
        files = await asyncio.to_thread(self._read)
        noted = {one.linkedid: one for found in files.values() for one in found}
        left, entered = await self._settle([one for one in noted.values() if one.desk in self._desks])
        await asyncio.to_thread(self._erase, files, left)
        self._missed = {name: since for name, since in self._missed.items() if name in left}
        if entered:
            log.warning("calls cut off by an Asterisk crash recorded", calls=entered)
        return entered

    def _read(self) -> dict[Path, list[Killed]]:
        """The calls of each file, after the one that is appended to was set aside when it is old enough."""
        current = self._folder / FILE
        with contextlib.suppress(FileNotFoundError):
            found = parse(current.read_text(encoding="utf-8", errors="replace"), timedelta())
            if found and self._wall() - found[0].start.timestamp() >= _ASIDE_S:
                aside = self._folder / f"begun-{int(self._wall() * 1000)}.aside"
                current.rename(aside)
                os.utime(aside, (self._wall(), self._wall()))
        files = {}
        for path in sorted(self._folder.glob("begun*")):
            with contextlib.suppress(FileNotFoundError):
                files[path] = parse(path.read_text(encoding="utf-8", errors="replace"), self._shift)
        return files

    def _erase(self, files: dict[Path, list[Killed]], left: Collection[str]) -> None:
        """Keep of the files that were set aside what is not settled yet."""
        for path, found in files.items():
            if path.name == FILE or self._wall() - path.stat().st_mtime < _YOUNG_S:
                continue
            kept = [one for one in found if one.linkedid in left]
            if not kept:
                path.unlink(missing_ok=True)
            elif len(kept) < len(found):
                partial = path.with_suffix(".partial")
                partial.write_text("".join(map(self._line, kept)), encoding="utf-8")
                partial.rename(path)

    def _line(self, one: Killed) -> str:
        began = int((one.start - self._shift).timestamp())
        begun = BegunCall(uniqueid=one.linkedid, channel=one.channel, began=began, desk=one.desk, number=one.number)
        return f"{begun.text()}\n"

    async def _settle(self, noted: list[Killed]) -> tuple[set[str], int]:
        """Those that are not settled yet, and how many were entered."""
        left: set[str] = set()
        entered = 0
        channels: Collection[str] | None = None
        for start in range(0, len(noted), _BATCH):
            batch = noted[start : start + _BATCH]
            async with self._store.reading() as unit:
                known = await cdr_store.known(unit, [one.linkedid for one in batch])
            for one in batch:
                if known.get(one.linkedid) is False:
                    continue
                left.add(one.linkedid)
                young = self._wall() - (one.start - self._shift).timestamp() < _YOUNG_S
                if young or self._calls.id_of(one.linkedid) is not None:
                    continue
                if channels is None:
                    channels = await self._channels()
                if one.linkedid in channels:
                    self._missed.pop(one.linkedid, None)
                elif self._monotonic() - self._missed.setdefault(one.linkedid, self._monotonic()) >= _MISSED_S:
                    with apart("call cut off by an Asterisk crash not recorded", one.linkedid):
                        await self._enter(one)
                        entered += 1
                    left.discard(one.linkedid)
        return left, entered

    async def _enter(self, one: Killed) -> None:
        result, reason = one.outcome
        async with self._store.unit() as unit:
            await unit.alone("recovery of calls")
            known = (await cdr_store.known(unit, [one.linkedid])).get(one.linkedid)
            if known is None:
                await cdr_store.add(unit, row_of(one, self._identify), timeline_of(one), leg_of(one))
            elif known:
                await cdr_store.lost_with_asterisk(unit, one.linkedid, one.end, result, reason)
            else:
                return
            unit.afterwards(lambda: self._counted(one.desk, result))
