"""Requests that are on disk because the database is away, until they can be entered."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

import structlog

from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from ivr.tickets.intake import Intake
from ivr.tickets.intake_commit import enter
from ivr.ticks import rest

log = structlog.get_logger()


class Spoolable(Protocol):
    """A request that can be on disk."""

    @property
    def key(self) -> str: ...

    def to_json(self) -> bytes: ...


class Spool:
    """A folder with one file per request. What `put` has returned for survives a power cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refused = folder / "refused"
        self.draining = asyncio.Lock()
        self._unfinished: set[asyncio.Task[Any]] = set()

    def _path(self, key: str) -> Path:
        # The key may hold what a file's name cannot.
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    async def put(self, intake: Spoolable) -> None:
        """Write a request to disk for good. Raises OSError when the disk does not take it."""
        await asyncio.to_thread(self._write, self._path(intake.key), intake.to_json())

    def _write(self, path: Path, text: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        try:
            with partial.open("wb") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            partial.rename(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)
        _sync_folder(self._folder.parent)

    async def waiting(self) -> list[Path]:
        """The requests' files, the oldest first."""
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[Path]:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue
        return [path for _, path in sorted(found)]

    async def remove(self, path: Path) -> None:
        """A request is in the database."""
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def refuse(self, path: Path) -> None:
        """A request cannot be entered: kept aside, for a person to look at."""
        await asyncio.to_thread(self._set_aside, path)

    def _set_aside(self, path: Path) -> None:
        self._refused.mkdir(exist_ok=True)
        path.rename(self._refused / path.name)
        _sync_folder(self._refused)

    def hold(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Return a task that is finished even when its caller has stopped waiting."""
        task = asyncio.create_task(work, name=name)
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            expected = isinstance(error, Unavailable | OSError)
            log.warning("spooled request not entered yet", task=task.get_name(), exc_info=None if expected else error)

    async def close(self, deadline_s: float = 3.0) -> None:
        """Let what has been begun come to its end."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=deadline_s)


async def drain(spool: Spool, store: Store, *, bus: EventBus | None = None) -> int:
    """Enter the spooled requests, each exactly once; how many were. Stops quietly while the database is away."""
    entered = 0
    async with spool.draining:
        for path in await spool.waiting():
            try:
                intake = Intake.from_json(await asyncio.to_thread(path.read_bytes))
                async with store.unit() as unit:
                    ticket = await enter(unit, intake, bus=bus)
                await spool.remove(path)
            except Unavailable as error:
                log.warning("spooled requests waiting: database unavailable", error=str(error))
                return entered
            except OSError as error:
                # Entering it again does no harm.
                log.warning("spooled request not readable or removable; retrying", file=path.name, error=str(error))
                continue
            except Exception:
                log.exception("spooled request rejected; set aside", event_id="OV1607", file=path.name)
                await spool.refuse(path)
                continue
            log.info("spooled request entered", ticket=ticket.number, reference=intake.reference)
            entered += 1
    return entered


async def keep_draining(spool: Spool, store: Store, *, bus: EventBus | None = None, every_s: float = 2.0) -> None:
    """Enter what is spooled, at start and whenever there is something, until cancelled."""
    while True:
        await drain(spool, store, bus=bus)
        await rest(every_s)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
