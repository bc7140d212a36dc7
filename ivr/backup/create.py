"""Makes a backup of a line, whether it runs or not."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from ivr.backup import database, files
from ivr.backup.archive import BackupFailed, Manifest, Writer, private_folder
from ivr.backup.database import Snapshot
from ivr.errors import BadInput
from ivr.migrations.run import known_revisions, revision_of
from ivr.settings import Settings
from ivr.store.engine import Store

log = structlog.get_logger()

#: Backups that `up` makes before it migrates; so many are kept.
BEFORE_MIGRATIONS: Final = 5
_FOLDER: Final = "backups"


def version() -> str:
    """Of this program."""
    try:
        return metadata.version("omnivigil")
    except metadata.PackageNotFoundError:
        # It runs from its repository; the tables' revision tells more.
        return "0.1.0"


async def make(path: Path, *, state: Path, url: str, now: datetime, database_only: bool = False) -> Manifest:
    """Write a backup of the line with this state folder and database to `path`.

    What was acknowledged before it began is in it, once: the files are held first, so that a request that goes from the
    spool into the database meanwhile is in both (its key makes that harmless) and not in neither; then comes the
    database, then the files that its rows may have got meanwhile.

    Raises BadInput that names the option, BackupFailed, StoreUnavailable; then there is nothing at `path`.
    """
    _refuse(path, state)
    try:
        with _beside(state) as held:
            if not database_only:
                await asyncio.to_thread(files.hold, state, held / "state")
            (held / "database").mkdir()
            taken = await database.snapshot(url, held / "database")
            if not database_only:
                await asyncio.to_thread(_hold_again, state, held)
            return await asyncio.to_thread(_write, path, held, taken, now, database_only)
    except OSError as error:
        raise BackupFailed(file=str(path), problem=error.strerror or str(error)) from error


def _refuse(path: Path, state: Path) -> None:
    if path.exists():
        raise BadInput(field="FILE", problem=f"{path} is there already", mend="name another, as with the date in it")
    if not path.parent.is_dir():
        raise BadInput(field="FILE", problem=f"{path.parent} is not a folder", mend="make it, or name another")
    if not state.is_dir():
        raise BadInput(field="--state", problem=f"{state} is not there", mend="name the line's state folder")


@contextlib.contextmanager
def _beside(state: Path) -> Iterator[Path]:
    """A folder on the same disk, where links can be made; it is gone afterwards."""
    parent = state / _FOLDER
    parent.mkdir(mode=0o700, exist_ok=True)
    held = Path(tempfile.mkdtemp(prefix=".making-", dir=parent))
    try:
        yield held
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _hold_again(state: Path, held: Path) -> None:
    files.hold(state, held / "state")
    astdb = state / files.ASTDB
    if not astdb.exists():
        return
    copy = held / "state" / files.ASTDB
    private_folder(copy.parent)
    try:
        database.copy_sqlite(astdb, copy)
    except sqlite3.Error as error:
        # Members log in again and phones register again: no reason to be without a backup.
        log.warning("Asterisk's database missing from the backup", error=str(error))
        copy.unlink(missing_ok=True)


def _write(path: Path, held: Path, taken: Snapshot, now: datetime, database_only: bool) -> Manifest:
    writer = Writer(path)
    try:
        for folder in ("database", "state"):
            below = held / folder
            for file in sorted(one for one in below.rglob("*") if one.is_file()):
                writer.add(f"{folder}/{file.relative_to(below).as_posix()}", file)
        return writer.finish(
            version=version(),
            created_at=now.isoformat(),
            database=taken.kind,
            revision=taken.revision,
            files=not database_only,
            tables=taken.tables,
            counters=taken.counters,
        )
    finally:
        writer.forget()


async def before_migration(store: Store, *, state: Path, url: str, now: datetime) -> Path | None:
    """A backup of the database, when this version is about to migrate it; None when there is nothing to migrate.

    The last few are kept, in the state folder. Raises BadInput when none can be written: then nothing is migrated, and
    the version from before still runs. Raises SchemaNewer, StoreUnavailable.
    """
    current, latest = await revision_of(store), known_revisions()[0]
    if current in (None, latest):
        return None
    folder = state / _FOLDER
    path = folder / f"{now:%Y%m%dT%H%M%S}-revision-{current}.tar.gz"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        await make(path, state=state, url=url, now=now, database_only=True)
    except (BackupFailed, OSError) as error:
        free = shutil.disk_usage(state).free // 1_000_000
        raise BadInput(
            field="--state",
            problem=f"no backup could be made before the migration from {current} to {latest}: {error}",
            mend=f"free some space ({free} MB are free), or start the version from before",
        ) from error
    log.warning("database backed up before migration", since=current, to=latest, backup=str(path))
    for old in sorted(folder.glob("*-revision-*.tar.gz"))[:-BEFORE_MIGRATIONS]:
        old.unlink(missing_ok=True)
    return path


def database_of(state: Path, given: str | None) -> str:
    """SQLAlchemy's URL of a line's database: the one given, or the one that the line was last started with."""
    if given is not None:
        return given
    settings_file = state / "run" / "settings.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return Settings.read(settings_file).database_url
    return Settings(state=state).database_url
