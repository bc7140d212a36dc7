"""Brings to the disk for good what Asterisk writes alone: it does not wait for the disk, and a power cut may follow."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

log = structlog.get_logger()

#: A file that has not changed for so long, in seconds, is whole and not looked at any more.
_WHOLE_S = 60.0


class FileState(NamedTuple):
    """How a file is."""

    #: Seconds since 1970.
    changed: float
    size: int


#: By name.
Known = Mapping[str, FileState]


async def keep_synced(folder: Path, every_s: float = 0.5) -> None:
    """Sync what is new in a folder's files (fsync), and the folder, until cancelled."""
    known: Known = {}
    told = ""
    while True:
        try:
            known = await asyncio.to_thread(sync_new, folder, known, time.time())
        except OSError as error:
            # Twice a second for as long as the disk fails: the same is told once.
            if str(error) != told:
                told = str(error)
                log.error("fsync of dialplan files failing", event_id="OV1509", folder=folder.name, error=told)
        else:
            if told:
                told = ""
                log.info("fsync of dialplan files works again", folder=folder.name)
        await asyncio.sleep(every_s)


def sync_new(folder: Path, known: Known, now: float) -> Known:
    """Sync the files that are not as they were `known` to be; how all are. Raises OSError for a disk that fails."""
    there = {}
    for path in folder.iterdir():
        name = path.name
        before = known.get(name)
        if before is not None and before.changed < now - _WHOLE_S:
            there[name] = before
            continue
        # The service may have entered it by now.
        with suppress(FileNotFoundError):
            there[name] = found = _state(path)
            if found != before:
                _sync(path)
    if there.keys() - known.keys():
        _sync(folder)
    return there


def _state(path: Path) -> FileState:
    found = path.stat()
    return FileState(changed=found.st_mtime, size=found.st_size)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
