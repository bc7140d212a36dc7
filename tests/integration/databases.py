"""A database for each test, of either kind, made from a template: migrating each would take most of the time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import shutil
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
from filelock import FileLock
from sqlalchemy import Engine, make_url

from ivr.migrations.run import migrate
from ivr.settings import database_url_of
from ivr.store.engine import Store, open_store
from ivr.tools import postgresql_server
from ivr.tools.postgresql_server import Cluster, ServerFailed

REPOSITORY = Path(__file__).parents[2]

T = TypeVar("T")

#: Kinds of database that tests run on; a smoke run takes the one that needs no server.
KINDS = tuple(os.environ.get("OMNIVIGIL_TEST_DATABASES", "sqlite,postgresql").split(","))
#: Bytes that the databases of a run, of all its processes, may come to.
_ROOM = 2 * 1024**3
#: Folders of SQLite databases: this, and the process whose they are.
SQLITE_FOLDERS = "ov-sqlite-"


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What a database holds when a test begins; `name` tells fillings apart."""

    name: str
    fill: Callable[[Store], Awaitable[None]]

    async def put_into(self, url: str) -> None:
        store = open_store(url)
        await migrate(store)
        await self.fill(store)
        await store.close()


class Database(Protocol):
    """A test's own database."""

    @property
    def kind(self) -> str: ...

    @property
    def url(self) -> str: ...

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement beside the service."""

    def tables(self) -> set[str]:
        """The names of its tables, without those that the database keeps for itself."""

    def away(self) -> AbstractContextManager[None]:
        """Nobody can write; what is tried fails, soon."""

    def held(self) -> AbstractContextManager[None]:
        """Somebody else's transaction lasts and lasts: whoever writes waits, and whoever reads does not."""

    def drop(self) -> None:
        """Be rid of it."""


@dataclass(frozen=True)
class SqliteFile:
    """A file."""

    path: Path
    kind: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path}"

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def tables(self) -> set[str]:
        found = self.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        # The index of the solutions' words is tables too.
        return {name for (name,) in found if not name.startswith(("sqlite_", "solutions_words"))}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Somebody else holds the database: no transaction that writes can begin."""
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    def held(self) -> AbstractContextManager[None]:
        return self.away()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)


class SqliteFiles:
    """Makes files; a template is held in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._templates: dict[str, bytes] = {}
        self._numbers = itertools.count()

    def database(self, filling: Filling) -> SqliteFile:
        if filling.name not in self._templates:
            template = self._folder / f"template-{filling.name}.sqlite3"
            asyncio_run(filling.put_into(SqliteFile(template).url))
            self._templates[filling.name] = template.read_bytes()
        file = SqliteFile(self._folder / f"{next(self._numbers)}.sqlite3")
        file.path.write_bytes(self._templates[filling.name])
        return file


class PostgresServer:
    """A server on which databases are made, from templates that all test processes share."""

    def __init__(self, base: str, *, run: str, locks: Path) -> None:
        self._base, self._run, self._locks = make_url(base), run, locks
        self._numbers = itertools.count()

    def url(self, name: str) -> str:
        return self._base.set(database=name).render_as_string(hide_password=False)

    def sql(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        return asyncio_run(self._fetch(statement, database or str(self._base.database)))

    async def connect(self, database: str) -> Any:
        return await asyncpg.connect(
            self._base.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
        )

    async def _fetch(self, statement: str, database: str) -> list[tuple[Any, ...]]:
        connection = await self.connect(database)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    def database(self, filling: Filling) -> PostgresDatabase:
        template = f"{self._run}_{filling.name}"
        made = self._locks / template
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                self.sql(f"CREATE DATABASE {template} ENCODING 'UTF8' TEMPLATE template0")
                asyncio_run(filling.put_into(self.url(template)))
                made.touch()
        name = f"{self._run}_{os.getpid()}_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} {self._quickly}")
        return PostgresDatabase(self, name)

    @functools.cached_property
    def _quickly(self) -> str:
        # Copying files takes a third of the time; before 15 there was no other way, and no word for it.
        ((number,),) = self.sql("SHOW server_version_num")
        return "STRATEGY FILE_COPY" if int(number) >= 150000 else ""

    def clear(self) -> None:
        """Drop what this run has left."""
        for (name,) in self.sql("SELECT datname FROM pg_database"):
            if name.startswith(f"{self._run}_"):
                self.sql(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class PostgresDatabase:
    """A database of the shared server."""

    server: PostgresServer
    name: str
    kind: str = "postgresql"

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.sql(statement, self.name)

    def tables(self) -> set[str]:
        found = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The server ends every connection to it and takes no new one."""
        self.server.sql(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        self.server.sql(f"{terminate}'{self.name}'")
        try:
            yield
        finally:
            self.server.sql(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        connection = asyncio_run(self.server.connect(self.name))
        names = ", ".join(sorted(self.tables()))
        asyncio_run(connection.execute(f"BEGIN; LOCK TABLE {names} IN EXCLUSIVE MODE"))
        try:
            yield
        finally:
            asyncio_run(connection.close())

    def drop(self) -> None:
        self.server.sql(f"DROP DATABASE {self.name} WITH (FORCE)")


def quick_folder() -> Path:
    """The folder whose files are in memory, if the machine has one with room; else the one for temporary files.

    A database of PostgreSQL is 600 files: to copy and delete them takes half a second of processor time on a disk, and
    a tenth of it in memory. A container often has no more than 64 MB there.
    """
    memory = Path("/dev/shm")  # noqa: S108
    roomy = os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free >= _ROOM
    return memory if roomy else Path(tempfile.gettempdir())


def forget_left(folder: Path) -> None:
    """Remove what killed runs left: folders in memory whose process is gone."""
    for left in folder.glob(f"{SQLITE_FOLDERS}*"):
        pid = left.name.removeprefix(SQLITE_FOLDERS).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


class Compiled:
    """The compiled statements of one kind of database, shared by the stores of all tests in this process.

    SQLAlchemy keeps them with the engine and its dialect. A service has one engine for its life; each test has its own,
    and compiling every statement once more took a fifth of the processor time.
    """

    def __init__(self) -> None:
        self._first: dict[str, Engine] = {}

    def lend(self, store: Store) -> None:
        """Let a store that has not connected yet use what other stores of its kind compiled."""
        mine = store._engine.sync_engine
        first = self._first.setdefault(mine.dialect.name, mine)
        # A dialect knows its server once an engine has connected.
        if first is mine or first.dialect.server_version_info is None:
            return
        mine.dialect = mine.pool._dialect = first.dialect
        mine._compiled_cache = first._compiled_cache


@contextlib.contextmanager
def postgres_server(shared: Path) -> Iterator[PostgresServer]:
    """The one server of this test run: the first process to ask starts it, the last to leave ends it.

    OMNIVIGIL_TEST_DATABASE_URL names another one, whose user may create databases.
    """
    run = f"ov_{zlib.crc32(bytes(shared)):08x}"
    if named := os.environ.get("OMNIVIGIL_TEST_DATABASE_URL"):
        server = PostgresServer(database_url_of(named), run=run, locks=shared)
        with _counted(shared, start=server.clear, end=server.clear):
            yield server
        return
    # Where pytest keeps its folders only their owner may go, and a server that root starts is another's.
    here = cluster_in(quick_folder() / run)

    def start() -> None:
        if here.folder.exists():
            end()
        here.start()

    def end() -> None:
        # It may have been stopped already, when it is of a run that was killed.
        with contextlib.suppress(ServerFailed):
            here.stop("immediate")
        shutil.rmtree(here.folder)

    with _counted(shared, start=start, end=end):
        yield PostgresServer(here.url("postgres"), run=run, locks=shared)


def cluster_in(folder: Path) -> Cluster:
    """A server of a test's own, which is not started."""
    return Cluster(folder=folder, programs=postgresql_server.find(postgresql_server.embedded(REPOSITORY)))


@contextlib.contextmanager
def _counted(shared: Path, *, start: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    users, lock = shared / "postgresql.users", FileLock(shared / "postgresql.lock")
    with lock:
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            for template in shared.glob("ov_*"):
                template.unlink()
            start()
        users.write_text(str(count + 1))
    try:
        yield
    finally:
        with lock:
            count = int(users.read_text()) - 1
            users.write_text(str(count))
            if count == 0:
                end()


@dataclass
class _Loop:
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        threading.Thread(target=self.loop.run_forever, name="databases", daemon=True).start()


_loop: list[_Loop] = []


def asyncio_run(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end what a test's own loop may be waiting for."""
    if not _loop:
        _loop.append(_Loop())
    return asyncio.run_coroutine_threadsafe(work, _loop[0].loop).result(60)
