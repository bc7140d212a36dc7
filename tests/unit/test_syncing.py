"""Files that the dialplan writes are brought to the disk, each once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ivr.syncing import sync_new


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
