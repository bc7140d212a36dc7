"""Which files of a state folder a backup holds: all but what `up` makes again and what is not the line's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from ivr.backup.archive import private_folder

#: Asterisk's own database: members of queues, contacts of phones.
ASTDB: Final = PurePosixPath("asterisk/lib/astdb.sqlite3")
DATABASE: Final = "omnivigil.sqlite3"

#: Folders that `up` fills anew, or that tests and others keep beside the line. Whatever is not named here is backed up,
#: so that what a later version keeps cannot be forgotten.
_ANEW: Final = frozenset(
    {
        "asterisk",
        "backups",
        "cache",
        "chromium",
        "log",
        "on-air",
        "phones",
        "postgresql",
        "run",
        "runtime",
        "screenshots",
        "sounds",
    }
)


def belongs(path: PurePosixPath) -> bool:
    """Return whether a file below the state folder is one that a backup holds, by its name."""
    if path == ASTDB:
        return True
    first, last = path.parts[0], path.name
    if len(path.parts) == 1:
        return not first.startswith((".", DATABASE)) and not first.endswith(".log")
    return first not in _ANEW and not first.startswith(".") and not last.endswith(".partial")


def walk(state: Path) -> Iterator[PurePosixPath]:
    """The plain files of a state folder that a backup holds, without either database."""
    for entry in sorted(os.scandir(state), key=lambda one: one.name):
        top = PurePosixPath(entry.name)
        if entry.is_file(follow_symlinks=False):
            if belongs(top):
                yield top
        elif entry.is_dir(follow_symlinks=False) and belongs(top / "any") and not _is_line(Path(entry.path)):
            for folder, _, names in os.walk(entry.path):
                below = PurePosixPath(Path(folder).relative_to(state).as_posix())
                for name in sorted(names):
                    path = Path(folder) / name
                    if belongs(below / name) and path.is_file() and not path.is_symlink():
                        yield below / name


def _is_line(folder: Path) -> bool:
    """Return whether it is another line's state folder, as the demo's is within the usual one."""
    return (folder / "run").is_dir() or (folder / DATABASE).exists()


def hold(state: Path, into: Path) -> None:
    """Have every file of the state folder in `into` as well, as a link: it stays there should it be removed.

    What is there from before is left as it is.
    """
    for path in walk(state):
        target = into / path
        if target.exists():
            continue
        private_folder(target.parent)
        try:
            os.link(state / path, target, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError:
            # On a disk that knows no links, and for a file that is on another.
            shutil.copy2(state / path, target)
