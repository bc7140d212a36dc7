"""What the line keeps is for its owner's eyes: no file of it is readable by other users of the machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog

from ivr.errors import BadInput

log = structlog.get_logger()

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: Unpacked programs, which hold nothing of ours and are many.
_PROGRAMS = frozenset({"runtime", "phones", "chromium", "postgresql"})
#: At most so many files are looked at when the line starts: a few seconds on a slow disk.
_MOST = 200_000


def make_private(state: Path) -> int:
    """Close the state folder to others, and what is in it from before; how many modes were changed.

    From now on whatever this process and those that it starts create is their owner's only. Raises BadInput when the
    folder is one that users share, such as /tmp.
    """
    os.umask(0o077)
    state.mkdir(parents=True, exist_ok=True)
    refuse_shared(state)
    found = state.stat()
    if found.st_uid != os.geteuid():
        log.warning("state folder owned by another user, who can read it", event_id="OV1302", uid=found.st_uid)
    changed = _close(state, found)
    folders, looked = [state], 0
    while folders and looked < _MOST:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink() or (folder == state and entry.name in _PROGRAMS):
                        continue
                    looked += 1
                    changed += _close(Path(entry.path), entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
        except OSError as error:
            log.warning("folder permissions not fixed", folder=folder.name, error=error.strerror)
    if folders:
        log.warning("file permissions to be fixed at the next start; folder closed", looked=looked)
    if changed:
        log.info("file permissions tightened", files=changed)
    return changed


def refuse_shared(state: Path) -> None:
    """Raises BadInput when the folder is one that users share, such as /tmp."""
    if state.stat().st_mode & stat.S_ISVTX:
        problem = f"{state} is a folder that all users share"
        raise BadInput(field="--state", problem=problem, mend="name a folder below it, which is then the line's own")


def _close(path: Path, found: os.stat_result) -> int:
    if not found.st_mode & _OTHERS:
        return 0
    try:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    except FileNotFoundError:
        return 0
    except OSError as error:
        log.warning("file permissions not fixed", file=path.suffix or "without suffix", error=error.strerror)
        return 0
    return 1
