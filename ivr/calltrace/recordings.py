"""Recordings of calls, where the desk file wants them: kept while the call can be reported, and then only if it was."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ivr.calltrace import store as statements
from ivr.clock import Clock
from ivr.desk.schema import CallTrace
from ivr.errors import Unavailable
from ivr.store.engine import Store

log = structlog.get_logger()

#: A report may be on its way into the database for so long, after the last moment at which it could be made.
_ON_ITS_WAY = timedelta(minutes=10)
#: The ids that our own Asterisk gives to calls, and nothing else, name files.
_OURS = re.compile(r"ov-\d{9,11}\.\d{1,12}")


def erase_at(ended: datetime, reported: datetime | None, rules: CallTrace) -> datetime:
    """Return when a recording has to go; at once where the desk file wants none (any more)."""
    if rules.audio is None:
        return ended
    if reported is None:
        return ended + timedelta(minutes=rules.within_min) + _ON_ITS_WAY
    return reported + timedelta(days=rules.audio.keep_days)


class Recordings:
    """One folder; a call's recording bears its id."""

    def __init__(self, folder: Path, store: Store, rules: CallTrace, clock: Clock, shift: timedelta) -> None:
        self._folder, self._store, self.rules = folder, store, rules
        self._clock, self._shift = clock, shift

    @property
    def folder(self) -> Path:
        """Return where the recordings are."""
        return self._folder

    def of(self, linkedid: str) -> Path | None:
        """The call's recording, when there is one."""
        path = self._folder / f"{linkedid}.wav"
        if _OURS.fullmatch(linkedid) and path.is_file():
            return path
        return None

    async def run(self, every_s: float = 60.0) -> None:
        """Erase what is due, until cancelled. What was reported while we were away is entered before that."""
        while True:
            # Never shorter, as a rest until a common beat can be: what was reported has to be entered first.
            await asyncio.sleep(every_s)
            try:
                await self.erase()
            except (Unavailable, OSError) as error:
                # Whether a call was reported is not known now: nothing is erased unasked.
                log.warning("erasure of call recordings postponed", error=str(error))

    async def erase(self) -> int:
        """Erase what is due; how many."""
        ended = await asyncio.to_thread(self._ended)
        async with self._store.reading() as unit:
            reported = await statements.last_reports(unit, list(ended))
        now = self._clock()
        due = [one for one, at in ended.items() if erase_at(at, reported.get(one), self.rules) <= now]
        for linkedid in due:
            await asyncio.to_thread((self._folder / f"{linkedid}.wav").unlink, missing_ok=True)
        if due:
            log.info("call recordings erased", count=len(due))
        return len(due)

    def _ended(self) -> dict[str, datetime]:
        """Return when each call's recording was last written to."""
        found = {}
        for path in self._folder.glob("*.wav"):
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC) + self._shift
            found[path.stem] = written
        return found
