"""What the line keeps is closed to other users of the machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.host import private_files


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """As other tests expect it afterwards."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The bits of its rights."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_old_files_are_closed_and_new_ones_are_born_so(tmp_path: Path) -> None:
    """Whatever made them; programs that were unpacked there stay as they are."""
    state = tmp_path / "state"
    (state / "spool" / "messages").mkdir(parents=True)
    (state / "runtime" / "usr").mkdir(parents=True)
    old = state / "spool" / "messages" / "m.wav"
    old.write_bytes(b"voice")
    program = state / "runtime" / "usr" / "asterisk"
    program.write_bytes(b"")
    program.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    (state / "link").symlink_to(elsewhere)
    assert private_files.make_private(state) == 4  # the folder, spool, messages, m.wav
    assert private_files.make_private(state) == 0
    (state / "new").write_bytes(b"")
    assert [mode(path) for path in (state, old.parent, old, state / "new")] == [0o700, 0o700, 0o600, 0o600]
    assert (mode(program), mode(elsewhere)) == (0o755, 0o644)


def test_a_folder_that_all_share_is_not_closed(tmp_path: Path) -> None:
    """`--state /tmp` would lock everybody else out."""
    tmp_path.chmod(0o1777)
    with pytest.raises(BadInput, match="share"):
        private_files.make_private(tmp_path)
    assert mode(tmp_path) == 0o1777
