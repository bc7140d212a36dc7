"""Files that the dialplan writes are brought to the disk, each once."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.host import fsync as process_fsync
from ivr.host.fsync import Known, keep_synced, sync_new


def test_each_new_file_is_synced_once_and_its_folder_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real, now = os.fsync, time.time()

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    known = sync_new(tmp_path, {}, now)
    assert synced == []
    (tmp_path / "a.trace").write_text("v1")
    known = sync_new(tmp_path, known, now)
    assert synced == ["a.trace", tmp_path.name]
    known = sync_new(tmp_path, known, now)
    assert len(synced) == 2
    # A recording grows while it is made.
    with (tmp_path / "a.trace").open("a") as file:
        file.write("2")
    known = sync_new(tmp_path, known, now)
    assert synced[2:] == ["a.trace"]
    # What has long been whole is not looked at again.
    with (tmp_path / "a.trace").open("a") as file:
        file.write("3")
    assert sync_new(tmp_path, known, now + 100) == known
    assert len(synced) == 3
    (tmp_path / "a.trace").unlink()
    assert sync_new(tmp_path, known, now) == {}


async def test_a_folder_that_fails_is_told_once_and_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried twice a second for as long as that lasts."""
    tries, over = itertools.count(1), asyncio.Event()

    def tried(folder: Path, known: Known, now: float) -> Known:
        if (count := next(tries)) < 4:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(folder))
        if count == 6:
            loop.call_soon_threadsafe(over.set)
        return known

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(process_fsync, "sync_new", tried)
    with capture_logs() as said:
        task = asyncio.create_task(keep_synced(tmp_path, every_s=0))
        await asyncio.wait_for(over.wait(), 10)
        task.cancel()
    assert [(one["log_level"], one["folder"]) for one in said] == [("error", tmp_path.name), ("info", tmp_path.name)]
