"""Files that the dialplan writes are brought to the disk, each once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr.syncing import sync_new


def test_each_new_file_is_synced_once_and_its_folder_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    known = sync_new(tmp_path, set())
    assert synced == []
    (tmp_path / "a.trace").write_text("v1")
    known = sync_new(tmp_path, known)
    assert synced == ["a.trace", tmp_path.name]
    known = sync_new(tmp_path, known)
    assert len(synced) == 2
    (tmp_path / "a.trace").unlink()
    assert sync_new(tmp_path, known) == set()
