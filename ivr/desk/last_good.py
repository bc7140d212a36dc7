"""The desk files that are in force, as a copy in the state folder: it is whole, whatever is half-saved meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ivr.desk.load import DeskError

#: Beside the copied files: the folder that they were copied from.
_SOURCE = ".source"
#: A larger file is no desk, and no calendar of its closures, in bytes.
_MOST_BYTES = 5_000_000


@contextlib.contextmanager
def snapshot(folder: Path, into: Path, instead: Mapping[str, str] = MappingProxyType({})) -> Iterator[Path]:
    """The files as they are this moment, all of them: a file saved meanwhile changes nothing of it.

    `instead` has other texts for some of them, by name.
    One at a time, of all processes: a restart prepares beside a service that may reload. A DeskError from within names
    the file that the operator knows. Raises DeskError where there is no such folder, and OSError.
    """
    if not folder.is_dir():
        raise DeskError(
            file=folder, line=1, field="", problem="there is no such folder", mend="name the folder of desk files"
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    with into.with_name(f"{into.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with _copied(folder, into.with_name(f"{into.name}.new"), instead) as new:
            yield new


@contextlib.contextmanager
def _copied(folder: Path, new: Path, instead: Mapping[str, str]) -> Iterator[Path]:
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.stat().st_size <= _MOST_BYTES:
            shutil.copyfile(file, new / file.name)
    for file in sorted(folder.glob("*/*.ics")):
        (new / file.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(file, new / file.parent.name / file.name)
    for name, text in instead.items():
        (new / name).write_bytes(text.encode())
    (new / _SOURCE).write_text(str(folder), encoding="utf-8")
    try:
        yield new
    except DeskError as error:
        known = folder / error.file.name if error.file != new else folder
        told = DeskError(file=known, line=error.line, field=error.field, problem=error.problem, mend=error.mend)
        raise told from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def keep(taken: Path, into: Path) -> None:
    """Have what `snapshot` gave be the copy that is in force, within its block. Raises OSError."""
    old = into.with_name(f"{into.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if into.exists():
        into.rename(old)
    taken.rename(into)
    shutil.rmtree(old, ignore_errors=True)


def kept(folder: Path, into: Path) -> Path | None:
    """The copy of a folder's files, if there is one."""
    for there in (into, into.with_name(f"{into.name}.old")):
        with contextlib.suppress(OSError):
            if (there / _SOURCE).read_text(encoding="utf-8") == str(folder):
                return there
    return None
