"""A snapshot of either database while the line runs, and a database made from one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg
from sqlalchemy import Connection, MetaData, exc
from sqlalchemy.engine import make_url

from ivr.backup.archive import BackupFailed, Counter, Damaged, Manifest, Table
from ivr.errors import BadInput
from ivr.migrations.run import known_revisions, migrate_on
from ivr.store import postgresql
from ivr.store.engine import StoreUnavailable

#: The member that is SQLite's file.
SQLITE_FILE: Final = "omnivigil.sqlite3"
_PATIENCE_S: Final = 10.0
_AWAY = (OSError, exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)

_COLUMNS: Final = """
    SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A database at one moment: what it is, and the files it was written to."""

    kind: str
    revision: str
    files: tuple[Path, ...]
    tables: tuple[Table, ...] = ()
    counters: tuple[Counter, ...] = ()


def kind_of(url: str) -> str:
    """sqlite or postgresql, of SQLAlchemy's URL."""
    return make_url(url).get_backend_name()


async def snapshot(url: str, into: Path) -> Snapshot:
    """The database at `url` as it is now, in files in the folder `into`; the line goes on reading and writing.

    Raises StoreUnavailable, BadInput when there is no database, BackupFailed when it is damaged.
    """
    if kind_of(url) == "sqlite":
        return await asyncio.to_thread(_of_sqlite, Path(make_url(url).database or ""), into / SQLITE_FILE)
    try:
        return await _of_postgresql(url, into)
    except _AWAY as error:
        raise StoreUnavailable(problem=str(getattr(error, "orig", None) or error)) from error


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database that others write to, as it is at one moment. Raises sqlite3.Error."""
    uri = f"file:{quote(str(source))}?mode=rw"
    with (
        contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as live,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        # All pages in one go: nobody's writing makes it begin again, and in WAL mode nobody waits for it.
        live.backup(copy)
        # Without files of its own beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)


def _of_sqlite(source: Path, copy: Path) -> Snapshot:
    if not source.exists():
        mend = "name the line's state folder, or its PostgreSQL by --database-url"
        raise BadInput(field="--state", problem=f"there is no database {source}", mend=mend)
    try:
        copy_sqlite(source, copy)
        revision = sound_sqlite(copy)
    except sqlite3.Error as error:
        raise BackupFailed(database=str(source), problem=str(error)) from error
    return Snapshot(kind="sqlite", revision=revision, files=(copy,))


def sound_sqlite(file: Path) -> str:
    """The revision of a SQLite database, which is looked through. Raises sqlite3.Error when it is not whole."""
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {found}")
        row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("it has no tables")
        return str(row[0])


async def _of_postgresql(url: str, into: Path) -> Snapshot:
    engine = postgresql.engine(url, _PATIENCE_S, _PATIENCE_S, pooled=False)
    try:
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with driver.transaction(isolation="repeatable_read", readonly=True):
                return await _copy_out(driver, into)
    finally:
        await engine.dispose()


async def _copy_out(driver: Any, into: Path) -> Snapshot:
    columns: dict[str, list[str]] = {}
    counters = []
    for table, column, sequence in await driver.fetch(_COLUMNS):
        columns.setdefault(table, []).append(column)
        if sequence is not None:
            # Sequences stand outside of the snapshot: they are as far as its rows or farther, and that is well.
            last, used = await driver.fetchrow(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608
            counters.append(Counter(table=table, column=column, last=last, used=used))
    if "alembic_version" not in columns:
        mend = "name the database that the line uses"
        raise BadInput(field="--database-url", problem="there are no tables of a line in it", mend=mend)
    revision = await driver.fetchval("SELECT version_num FROM alembic_version")
    tables, files = [], []
    for table, names in columns.items():
        if table == "alembic_version":
            continue
        file = into / f"{table}.copy"
        status = await driver.copy_from_table(table, columns=names, output=file)
        tables.append(Table(name=table, columns=tuple(names), rows=int(status.split()[-1])))
        files.append(file)
    return Snapshot(
        kind="postgresql", revision=revision, files=tuple(files), tables=tuple(tables), counters=tuple(counters)
    )


def refuse_newer(manifest: Manifest) -> None:
    """Raise BadInput when this version's code does not know the tables of a backup."""
    known = known_revisions()
    if manifest.revision not in known:
        problem = f"its tables are of revision {manifest.revision}, and this version knows them up to {known[0]}"
        raise BadInput(field="FILE", problem=problem, mend=f"restore it with omnivigil {manifest.version} or later")


async def fill(url: str, manifest: Manifest, folder: Path) -> None:
    """Make an empty PostgreSQL database into the one that was backed up to `folder`, all or nothing.

    Raises BadInput when there are tables in it, StoreUnavailable, Damaged when the rows do not fit the tables.
    """
    engine = postgresql.engine(url, _PATIENCE_S, _PATIENCE_S, pooled=False)
    try:
        async with engine.connect() as connection, connection.begin():
            if await connection.run_sync(lambda sync: _reflected(sync).tables):
                problem = "there are tables in it already"
                mend = "give an empty database, made by CREATE DATABASE"
                raise BadInput(field="--database-url", problem=problem, mend=mend)
            await connection.run_sync(migrate_on, manifest.revision)
            ordered = [table.name for table in (await connection.run_sync(_reflected)).sorted_tables]
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await _copy_in(driver, manifest, ordered, folder)
    except _AWAY as error:
        if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
            raise Damaged(problem=str(error)) from error
        raise StoreUnavailable(problem=str(getattr(error, "orig", None) or error)) from error
    finally:
        await engine.dispose()


def _reflected(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    return found


async def _copy_in(driver: Any, manifest: Manifest, ordered: list[str], folder: Path) -> None:
    kept = {table.name: table for table in manifest.tables}
    # The order in which rows find those that they refer to.
    names = [name for name in ordered if name != "alembic_version"]
    if set(names) != set(kept):
        raise Damaged(problem=f"it lacks or has tables beside its revision's: {sorted(set(names) ^ set(kept))}")
    # Some migrations put rows into what they make.
    await driver.execute(f"TRUNCATE {', '.join(map(_quoted, names))}")
    for name in names:
        file = folder / f"{name}.copy"
        if not file.exists():
            raise Damaged(problem=f"the rows of {name} are missing")
        status = await driver.copy_to_table(name, columns=list(kept[name].columns), source=file)
        if int(status.split()[-1]) != kept[name].rows:
            raise Damaged(problem=f"{name} has {status.split()[-1]} rows instead of {kept[name].rows}")
    for one in manifest.counters:
        await driver.fetchval(
            "SELECT setval(pg_get_serial_sequence($1, $2), $3, $4)", _quoted(one.table), one.column, one.last, one.used
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def rows(manifest: Manifest, folder: Path, table: str, columns: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
    """Some columns of a table that was backed up to `folder`, as texts; nothing when that revision had no such ones."""
    if manifest.database == "sqlite":
        yield from _rows_of_sqlite(folder / SQLITE_FILE, table, columns)
        return
    found = next((one for one in manifest.tables if one.name == table), None)
    if found is None or not set(columns) <= set(found.columns):
        return
    places = [found.columns.index(one) for one in columns]
    with (folder / f"{table}.copy").open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            yield tuple(_unescaped(fields[place]) for place in places)


def _rows_of_sqlite(file: Path, table: str, columns: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
        there = {name for _, name, *_ in database.execute(f"PRAGMA table_info({_quoted(table)})")}
        if set(columns) <= there:
            yield from database.execute(f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}")  # noqa: S608


#: PostgreSQL's manual, COPY, « Text Format »; of the others no name of a file is made.
_ESCAPES: Final[Mapping[str, str]] = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}


def _unescaped(text: str) -> str | None:
    if text == "\\N":
        return None
    if "\\" not in text:
        return text
    parts, place = [], 0
    while place < len(text):
        pair = text[place : place + 2]
        if pair in _ESCAPES:
            parts.append(_ESCAPES[pair])
            place += 2
        else:
            parts.append(text[place])
            place += 1
    return "".join(parts)


def put_in_place(file: Path, target: Path) -> None:
    """Have a database's file, on disk for good, at `target`."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    file.rename(target)
