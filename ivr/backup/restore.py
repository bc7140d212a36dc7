"""Looks a backup through, and makes a line of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ivr.backup import archive, database, files
from ivr.backup.archive import Damaged, Manifest
from ivr.errors import BadInput, OmnivigilError

_ROOM: Final = 50_000_000


class RestoreFailed(OmnivigilError):
    """The backup could not be restored."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A backup that is whole, and what its rows tell of files that are not in it."""

    manifest: Manifest
    missing: tuple[str, ...]


async def check(path: Path) -> Found:
    """Look through a backup and write nothing that stays: every byte, the database, and the files its rows name.

    Raises BadInput, Damaged, RestoreFailed for a disk without room for the database.
    """
    with tempfile.TemporaryDirectory(prefix="omnivigil-check-") as folder:
        at = Path(folder)

        def place(name: str, size: int) -> Path | None:
            if name.startswith("database/"):
                return at / name
            return None

        return await asyncio.to_thread(_read, path, at, place)


async def restore(path: Path, *, state: Path, url: str | None, database_only: bool = False) -> Found:
    """Make a backup into a line in the new state folder `state`, and in the empty PostgreSQL database at `url`.

    With `database_only` the state folder stays, and gets its database; there must be none. Nothing is in its place
    before all of it has been looked through. Raises BadInput that names the option, Damaged, StoreUnavailable,
    RestoreFailed.
    """
    _refuse_what_is_there(state, database_only)
    base = state if database_only else state.parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=".restoring-", dir=base))
    except OSError as error:
        mend = "name a folder on a writable disk"
        raise BadInput(field="--state", problem=f"{base} cannot be written: {error.strerror}", mend=mend) from error
    try:
        return await _restore(path, folder, state, url, database_only)
    except OSError as error:
        raise RestoreFailed(state=str(state), problem=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_what_is_there(state: Path, database_only: bool) -> None:
    if not state.parent.is_dir():
        raise BadInput(field="--state", problem=f"{state.parent} is not a folder", mend="make it first")
    if database_only:
        if not state.is_dir():
            raise BadInput(field="--state", problem=f"{state} is not there", mend="name the line's state folder")
        if left := sorted(one.name for one in state.glob(f"{files.DATABASE}*")):
            mend = "stop the line and move them away"
            raise BadInput(field="--state", problem=f"{', '.join(left)} would be written over", mend=mend)
    elif state.exists() and (not state.is_dir() or any(state.iterdir())):
        mend = "name a new folder; a line that is there is never written over"
        raise BadInput(field="--state", problem=f"{state} is not empty", mend=mend)


async def _restore(path: Path, folder: Path, state: Path, url: str | None, database_only: bool) -> Found:
    written = 0

    def place(name: str, size: int) -> Path | None:
        nonlocal written
        if database_only and not name.startswith("database/"):
            return None
        written += size
        if shutil.disk_usage(folder).free < size + _ROOM:
            problem = f"the backup needs more than {written // 1_000_000} MB"
            raise BadInput(field="--state", problem=problem, mend="name a folder on a disk with more room")
        return folder / name

    found = await asyncio.to_thread(_read, path, folder, place)
    manifest, ready = found.manifest, folder / "state"
    given = database.kind_of(url) if url is not None else "sqlite"
    if given != manifest.database:
        if manifest.database == "postgresql":
            mend = "give --database-url with an empty database"
        else:
            mend = "leave --database-url out, and OMNIVIGIL_DATABASE_URL unset"
        raise BadInput(field="--database-url", problem=f"the backup is of {manifest.database}", mend=mend)
    if not manifest.files and not database_only:
        mend = "give --database-only and the state folder that the database belongs to"
        raise BadInput(field="FILE", problem="the database alone is in it", mend=mend)
    ready.mkdir(mode=0o700, exist_ok=True)
    if manifest.database == "sqlite":
        target = (state if database_only else ready) / files.DATABASE
        database.put_in_place(folder / "database" / database.SQLITE_FILE, target)
    elif url is not None:
        await database.fill(url, manifest, folder / "database")
    # Of many files it is quicker than one after the other.
    await asyncio.to_thread(os.sync)
    if not database_only:
        # Takes the place of an empty folder, and of nothing else.
        ready.rename(state)
    return found


def _read(path: Path, folder: Path, place: archive.Place) -> Found:
    manifest = archive.read(path, place, _allowed)
    database.refuse_newer(manifest)
    if manifest.database not in ("sqlite", "postgresql"):
        raise Damaged(file=str(path), problem=f"{manifest.database} is no database of a line")
    if manifest.database == "sqlite":
        try:
            revision = database.sound_sqlite(folder / "database" / database.SQLITE_FILE)
        except sqlite3.Error as error:
            raise Damaged(file=str(path), problem=str(error)) from error
        if revision != manifest.revision:
            raise Damaged(file=str(path), problem=f"its tables are of revision {revision}, not {manifest.revision}")
    missing = _missing(manifest, folder / "database") if manifest.files else ()
    return Found(manifest=manifest, missing=tuple(sorted(missing)))


def _allowed(name: str) -> bool:
    kind, _, below = name.partition("/")
    if kind == "database":
        return "/" not in below and (below == database.SQLITE_FILE or below.endswith(".copy"))
    # Nothing that is run, or that `up` believes to have made itself, comes out of a file.
    return below != files.DATABASE and files.belongs(PurePosixPath(below))


def _missing(manifest: Manifest, folder: Path) -> Iterator[str]:
    """Files that rows name and that the backup has not."""
    names = {one.name for one in manifest.members}
    stems = {name.rsplit(".", 1)[0] for name in names}
    for (file,) in database.rows(manifest, folder, "messages", ("file",)):
        if file and f"state/spool/messages/{file}" not in names:
            yield f"spool/messages/{file}"
    for key, outcome in database.rows(manifest, folder, "inbound_mails", ("key", "outcome")):
        if outcome != "ignored" and f"state/mails/{key}.eml" not in names:
            yield f"mails/{key}.eml"
    for ended, *several in database.rows(manifest, folder, "announcements", ("ended_at", "sounds", "brief_sounds")):
        for sounds in several if ended is None else ():
            for sound in (json.loads(sounds or "null") or {}).values():
                if f"state/announcements/{sound}" not in stems:
                    yield f"announcements/{sound}"
