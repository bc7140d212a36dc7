"""Voice messages that the dialplan recorded while the service was away: each becomes a ticket, once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivr.asterisk.contract import NOTE_SUFFIX, MessageFile, number_in
from ivr.errors import Unavailable
from ivr.ticks import rest

log = structlog.get_logger()

#: A recording that has not grown for this long, in seconds, is finished, and no conversation is about to enter it.
_SETTLED_S = 20.0

#: A note of a caller's number whose message never came, in seconds.
_NOTE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Unclaimed:
    """A recording, by its name and the note beside it."""

    path: Path
    desk: str
    department: str
    language: str
    #: None when the caller was not asked.
    urgent: bool | None
    number: str
    uniqueid: str


def parse(path: Path) -> Unclaimed | None:
    """Return what a recording's name and its note tell; None when it is not one of the dialplan's. Raises OSError."""
    found = MessageFile.read(path.stem)
    if found is None:
        return None
    number = found.number
    with contextlib.suppress(FileNotFoundError):
        number = number or number_in(note_of(path).read_text("ascii", "replace"))
    return Unclaimed(
        path=path,
        desk=found.desk,
        department=found.department,
        language=found.language,
        urgent={"urgent": True, "ordinary": False}.get(found.urgency),
        number=number,
        uniqueid=found.uniqueid,
    )


def note_of(recording: Path) -> Path:
    """Return the file in which the dialplan keeps a caller's number until the message is entered."""
    return recording.with_suffix(NOTE_SUFFIX)


class Claims:
    """Looks through the folder of messages and has `enter` take in what has no ticket."""

    def __init__(self, folder: Path, enter: Callable[[Unclaimed], Awaitable[bool]], known: set[str]) -> None:
        self._folder = folder
        self._enter = enter
        #: Names of recordings that need no second look; at first those with a ticket.
        self.known = known

    async def run(self, every_s: float = 5.0) -> None:
        """Claim, again and again, until cancelled."""
        while True:
            await self.once()
            await rest(every_s)

    async def once(self) -> int:
        """Enter the settled recordings that have no ticket; how many."""
        entered = 0
        for path in await asyncio.to_thread(self._settled):
            try:
                recording = await asyncio.to_thread(parse, path)
                if recording is not None and await self._enter(recording):
                    log.warning("offline voice message entered", file=path.name)
                    entered += 1
                await asyncio.to_thread(note_of(path).unlink, missing_ok=True)
            except (Unavailable, OSError) as error:
                log.warning("offline voice message not entered yet; retrying", file=path.name, error=str(error))
                continue
            except Exception:
                log.exception(
                    "offline voice message rejected; a person must look at it", event_id="OV1605", file=path.name
                )
            self.known.add(path.stem)
        return entered

    def _settled(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        now = time.time()
        for note in self._folder.glob(f"*{NOTE_SUFFIX}"):
            if now - note.stat().st_mtime > _NOTE_S and not note.with_suffix(".wav").exists():
                note.unlink()
        return [
            path
            for path in sorted(self._folder.glob("*.wav"))
            if path.stem not in self.known and now - path.stat().st_mtime > _SETTLED_S
        ]
