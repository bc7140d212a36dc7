"""Turns the line's logs over by size and by age, and keeps the old ones for a time and within a size.

Strangers can make Asterisk write as much as they like; what they make it write never fills the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ivr.errors import OmnivigilError
from ivr.ticks import rest

log = structlog.get_logger()

#: A log begins again at this size, in bytes, and after this time, in seconds.
LARGEST = 10_000_000
OLDEST_S = 86_400.0
#: The old ones of a log have at most so many bytes together, compressed: text shrinks to about a twentieth.
KEPT = 40_000_000
#: Sizes are looked at this often, in seconds: some MB at a thousand refused calls a second.
_LOOK_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Old:
    """A log that was turned over; its time in seconds since 1970, its size in bytes."""

    path: Path
    at: float
    size: int


def due(size: int, began: float, now: float) -> bool:
    """Return whether a log is to begin anew.

    An empty one never is. Times in seconds since 1970; it may have been set back.
    """
    return size > LARGEST or (size > 0 and abs(now - began) > OLDEST_S)


def surplus(old: Iterable[Old], now: float, keep_s: float) -> list[Old]:
    """Which old logs have to go: those beyond their time, and the oldest of what is too much together."""
    gone, kept = [], 0
    for one in sorted(old, key=lambda one: one.at, reverse=True):
        kept += one.size
        if kept > KEPT or now - one.at > keep_s:
            gone.append(one)
    return gone


class Logs:
    """The logs of one state folder. `reopen` has Asterisk open its own again; raises OmnivigilError when it is away."""

    def __init__(self, folder: Path, reopen: Callable[[], Awaitable[object]], *, keep_days: int) -> None:
        self._service = folder / "service.log"
        self._asterisks = (folder / "asterisk" / "messages", folder / "asterisk" / "security")
        self._reopen, self.keep_days = reopen, keep_days
        #: Asterisk may still write to logs that were renamed; at first those of a service that was killed meanwhile.
        self._renamed = True
        #: Bytes of each log, with its old ones.
        self.sizes: dict[str, int] = {}

    async def run(self) -> None:
        """Turn over what is due until cancelled."""
        while True:
            try:
                await self.once(time.time())
            except OSError as error:
                log.warning("log rotation postponed", error=error.strerror)
            await rest(_LOOK_S)

    async def once(self, now: float) -> None:
        """Turn over what is due; compress and drop what is old. `now` in seconds since 1970. Raises OSError."""
        await asyncio.to_thread(self._turn, now)
        if self._renamed:
            try:
                await self._reopen()
                self._renamed = False
            except OmnivigilError:
                # It comes back, and opens them at its start; until then nothing that is renamed is touched.
                pass
        await asyncio.to_thread(self._tidy, now)

    def _turn(self, now: float) -> None:
        for path in self._asterisks:
            if self._is_due(path, now):
                path.rename(_stamped(path, now))
                self._renamed = True
        if self._is_due(self._service, now):
            turn_own(self._service, _stamped(self._service, now))

    def _is_due(self, path: Path, now: float) -> bool:
        """By the time at which it began, which a file beside it has."""
        mark = path.with_name(f".{path.name}.began")
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        began = mark.stat().st_mtime if mark.exists() else now
        is_due = path.is_file() and due(size, began, now)
        if is_due or not mark.exists():
            mark.touch()
            os.utime(mark, (now, now))
        return is_due

    def _tidy(self, now: float) -> None:
        # Nobody reads the queue's log, and Asterisk writes it no more.
        for path in list(self._asterisks[0].parent.glob("queue_log*")):
            path.unlink(missing_ok=True)
        for path in (self._service, *self._asterisks):
            for old in _old(path):
                if old.path.suffix != ".gz" and (path == self._service or not self._renamed):
                    _compress(old)
            found = _old(path)
            gone = surplus(found, now, self.keep_days * 86_400.0)
            for one in gone:
                one.path.unlink(missing_ok=True)
            kept = sum(one.size for one in found) - sum(one.size for one in gone)
            self.sizes[path.name] = kept + (path.stat().st_size if path.is_file() else 0)


def turn_own(path: Path, to: Path) -> None:
    """Rename the log that this process writes to, and go on in a new one. Nothing, where it writes elsewhere.

    Raises OSError, and then goes on in the old one.
    """
    ours = [fd for fd in (1, 2) if os.path.samestat(os.fstat(fd), path.stat())]
    if not ours:
        return
    new = os.open(path.with_name(path.name + ".new"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        path.rename(to)
        path.with_name(path.name + ".new").rename(path)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for fd in ours:
            os.dup2(new, fd)
    finally:
        os.close(new)


def _stamped(path: Path, now: float) -> Path:
    """Return where a log goes; several of one second have names of their own."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    found = path.with_name(f"{path.name}.{stamp}")
    nth = 0
    while found.exists() or found.with_name(found.name + ".gz").exists():
        nth += 1
        found = path.with_name(f"{path.name}.{stamp}-{nth}")
    return found


def _old(path: Path) -> list[Old]:
    found = []
    for one in path.parent.glob(f"{path.name}.[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            stat = one.stat()
            found.append(Old(path=one, at=stat.st_mtime, size=stat.st_size))
    return found


def _compress(old: Old) -> None:
    """Keep its time. Where there is no room for it, it stays as it is until it has to go."""
    partial, done = (
        old.path.with_name(f"{name}{old.path.name}{end}") for name, end in ((".", ".partial"), ("", ".gz"))
    )
    try:
        with old.path.open("rb") as whole, gzip.open(partial, "wb", compresslevel=6) as small:
            shutil.copyfileobj(whole, small, 1 << 18)
        os.utime(partial, (old.at, old.at))
        partial.rename(done)
        old.path.unlink()
    except OSError:
        partial.unlink(missing_ok=True)
