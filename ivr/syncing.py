"""Brings to the disk for good what Asterisk writes alone: it does not wait for the disk, and a power cut may follow."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

log = structlog.get_logger()


async def keep_synced(folder: Path, every_s: float = 0.5) -> None:
    """Sync every file that is new in a folder (fsync), and the folder, until cancelled."""
    known: set[str] = set()
    while True:
        try:
            known = await asyncio.to_thread(sync_new, folder, known)
        except OSError as error:
            log.error("files of the dialplan are not synced now", folder=folder.name, error=str(error))
        await asyncio.sleep(every_s)


def sync_new(folder: Path, known: set[str]) -> set[str]:
    """Sync the files that are not `known`; all that there are. Raises OSError for a disk that fails."""
    there = {path.name for path in folder.iterdir()}
    new = there - known
    for name in new:
        try:
            _sync(folder / name)
        except FileNotFoundError:
            # The service has entered it by now.
            continue
    if new:
        _sync(folder)
    return there


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
