"""The database's engine and its unit of work. Features bring their own statements."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, CursorResult, Executable, Table, event, exc, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ivr.errors import Unavailable
from ivr.store import postgresql as server
from ivr.store.sqlite import begin, connector

log = structlog.get_logger()

#: How long a statement waits for another process's transaction, or for a connection, in seconds.
_BUSY_S = 5.0
#: How long a transaction waits for those of this service before it, in seconds.
_TURN_S = 10.0
#: A migration may wait so many times longer for somebody else's transaction, which may be one too.
_MIGRATION = 12
#: So many rows at most are changed by one statement.
BATCH = 500
#: Readers that may work side by side; each is a thread under SQLite.
_CONNECTIONS = 8


class StoreUnavailable(Unavailable):
    """The database does not answer."""


#: Makes of a statement one that sees and changes less.
Narrow = Callable[[Executable], Executable]


T = TypeVar("T")


class Unit:
    """One transaction: what features write with, and what is to happen once it is committed."""

    def __init__(self, connection: AsyncConnection, *, writes: bool, narrow: Narrow | None = None) -> None:
        self._connection = connection
        self._narrow = narrow
        #: Whether it may do more than read.
        self.writes = writes
        self._afterwards: list[Callable[[], object]] = []

    async def execute(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement; with a sequence of values, once for each."""
        if self._narrow is not None:
            statement = self._narrow(statement)
        try:
            return await self._connection.execute(statement, values)
        except OSError as error:
            # From PostgreSQL's driver: the server is silent, and what it did cannot be known.
            await self._connection.invalidate()
            raise StoreUnavailable(problem=str(error) or "the server does not answer") from error

    @property
    def everywhere(self) -> Unit:
        """The same transaction over all of the tables, for what must be one on the whole line: names, ids."""
        return Unit(self._connection, writes=self.writes)

    async def alone(self, *names: object) -> None:
        """Let no other transaction that asks for these names go on until this one ends.

        For what reads first and writes by what it read: SQLite has one writer at a time anyway, PostgreSQL many.
        """
        if self.dialect == "postgresql":
            name = " ".join(map(str, names))
            await self.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT in this database's dialect, which knows ON CONFLICT."""
        return insert_into(table, self.dialect)

    @property
    def dialect(self) -> str:
        """Which database this is: sqlite or postgresql."""
        return self._connection.dialect.name

    def afterwards(self, act: Callable[[], object]) -> None:
        """Have `act` called once this transaction is committed, and never when it is not."""
        self._afterwards.append(act)

    def committed(self) -> None:
        """Do what was to be done afterwards."""
        for act in self._afterwards:
            act()


def insert_into(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An INSERT in a database's dialect, for statements that are made once."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


class _Standing:
    """Whether the database works, told by one line when it goes away and by one when it is back."""

    def __init__(self) -> None:
        #: Kinds of transactions that failed last time: it may be read while nothing can be written.
        self._failing: set[str] = set()
        self._since = 0.0
        self._failures = 0

    @contextlib.contextmanager
    def watched(self, kind: str) -> Iterator[None]:
        """One transaction, `read` or `write`."""
        try:
            yield
        except StoreUnavailable as error:
            if not self._failing:
                self._since, self._failures = time.monotonic(), 0
                log.error("database unavailable", event_id="OV2201", kind=kind, problem=error.facts.get("problem"))
            self._failing.add(kind)
            self._failures += 1
            raise
        if kind in self._failing:
            self._failing -= {kind, "read"}
            if not self._failing:
                away_s = round(time.monotonic() - self._since, 1)
                log.warning("database available again", away_s=away_s, failures=self._failures)


class Store:
    """A database. Nothing is written outside of `unit`."""

    def __init__(self, url: str, patience_s: float, connecting_s: float) -> None:
        self._url = url
        self._patience_s = patience_s
        self._connecting_s = connecting_s
        #: Told of each transaction that went well: `read` or `write`, and how many seconds it took.
        self.observe: Callable[[str, float], None] = lambda kind, seconds: None
        self._engine = _engine(url, patience_s, connecting_s)
        # SQLite has one writer at a time; waiting here is fair, and cheaper than its busy loop.
        self._turn = asyncio.Lock() if self._engine.dialect.name == "sqlite" else None
        self._standing = _Standing()
        self._snapshot: dict[str, Any] = (
            {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self._turn is None else {}
        )
        self._narrow: Narrow | None = None

    def narrowed(self, narrow: Narrow) -> Store:
        """The same database, of which every unit sees and changes only what `narrow` leaves of its statements."""
        made = copy.copy(self)
        made._narrow = narrow
        return made

    @contextlib.asynccontextmanager
    async def unit(self, *, before: Callable[[Unit], Awaitable[None]] | None = None) -> AsyncIterator[Unit]:
        """One transaction, committed at the end or, after an exception, undone.

        `before` is run on the same connection first, in a transaction that writes nothing but temporary tables: what
        takes its time there keeps no other writer waiting.

        Raises StoreUnavailable when the database does not answer; then nothing was written, unless it was
        lost in the very commit: whoever repeats must do so under a key that makes the repetition harmless.
        """
        began = time.perf_counter()
        with self._standing.watched("write"):
            async with contextlib.AsyncExitStack() as stack:
                connection = None
                if before is not None:
                    connection = await stack.enter_async_context(self._connected())
                    async with connection.begin():
                        await before(Unit(connection, writes=False, narrow=self._narrow))
                await stack.enter_async_context(self._my_turn())
                if connection is None:
                    connection = await stack.enter_async_context(self._connected())
                connection = await connection.execution_options(ov_writes=True)
                async with connection.begin():
                    unit = Unit(connection, writes=True, narrow=self._narrow)
                    yield unit
        self.observe("write", time.perf_counter() - began)
        unit.committed()

    @contextlib.asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        try:
            async with asyncio.timeout(_TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise StoreUnavailable(problem="other transactions of this service take too long") from None
        try:
            yield
        finally:
            self._turn.release()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Unit]:
        """One transaction that only reads, beside any writer. Raises StoreUnavailable."""
        began = time.perf_counter()
        with self._standing.watched("read"):
            async with self._connected() as connection:
                # All of its statements see the same state, as under SQLite.
                connection = await connection.execution_options(**self._snapshot)
                async with connection.begin():
                    yield Unit(connection, writes=False, narrow=self._narrow)
        self.observe("read", time.perf_counter() - began)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        with _told_as_away():
            async with contextlib.AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(self._engine.connect())
                except (OSError, exc.DBAPIError, RuntimeError) as error:
                    # Whoever cannot connect cannot work, whatever the reason (a RuntimeError: no thread for SQLite);
                    # below it may be the statement's fault.
                    raise StoreUnavailable(problem=str(getattr(error, "orig", None) or error)) from error
                yield connection

    async def ping(self) -> None:
        """Raise StoreUnavailable when the database does not answer."""
        async with self.reading() as unit:
            await unit.execute(text("SELECT 1"))

    async def inspect(self, look: Callable[[Connection], T]) -> T:
        """Return what `look` finds over a connection. Raises StoreUnavailable."""
        async with self._connected() as connection:
            return await connection.run_sync(look)

    async def reshape(self, change: Callable[[Connection], None]) -> None:
        """Run a change of the tables in one transaction, with nothing that ends long waits or follows references.

        Raises StoreUnavailable.
        """
        engine = _engine(self._url, self._patience_s, self._connecting_s, migrating=True)
        try:
            with _told_as_away():
                async with engine.connect() as connection:
                    connection = await connection.execution_options(ov_writes=True)
                    async with connection.begin():
                        await connection.run_sync(change)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()


@contextlib.contextmanager
def _told_as_away() -> Iterator[None]:
    """Turn what drivers raise when the database cannot work into StoreUnavailable; a broken rule stays what it is."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailable(problem=str(error)) from error
    except exc.DBAPIError as error:
        # SQLite has no finer word than DatabaseError for a damaged file; the finer ones tell of a statement.
        away = isinstance(error, exc.OperationalError | exc.InterfaceError) or type(error) is exc.DatabaseError
        if not (server.is_away(error) if hasattr(error.orig, "sqlstate") else away):
            raise
        raise StoreUnavailable(problem=str(error.orig)) from error


def batches(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield keys, as many at once as one statement takes."""
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


def open_store(url: str, *, patience_s: float = _BUSY_S, connecting_s: float | None = None) -> Store:
    """A store at SQLAlchemy's `url`, as in sqlite+aiosqlite:///state/omnivigil.sqlite3. Connects when first used.

    Waits at most `patience_s` seconds for somebody else's transaction, and `connecting_s` (as long, unless it is said)
    for a new connection or a free one.
    """
    return Store(url, patience_s, patience_s if connecting_s is None else connecting_s)


def _to_json(value: Any) -> str:
    # Several times quicker than the standard library's, and it is done for every happening on every call.
    return to_json(value).decode()


def _engine(url: str, patience_s: float, connecting_s: float, *, migrating: bool = False) -> AsyncEngine:
    if make_url(url).get_backend_name() != "sqlite":
        return server.engine(url, patience_s, connecting_s, pooled=not migrating)
    json: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": from_json}
    pool: dict[str, Any] = (
        {"pool_size": _CONNECTIONS, "max_overflow": 0, "pool_timeout": connecting_s, "pool_use_lifo": True}
        if not migrating
        else {"poolclass": NullPool}
    )
    # Whoever else brings the tables there takes longer than a transaction; a server's own waits have no end then.
    connect = connector(make_url(url).database or "", patience_s * (_MIGRATION if migrating else 1))
    engine = create_async_engine(url, async_creator=connect, **json, **pool)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        # Of a new file it can fail while another connection does the same; the file keeps it for all of them.
        with contextlib.suppress(exc.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        for setting in (
            # A confirmed ticket must survive a power cut, not only a crash.
            "synchronous = FULL",
            # Moving a table to a new shape would otherwise delete the rows that refer to it.
            f"foreign_keys = {'OFF' if migrating else 'ON'}",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail if somebody wrote in between.
        writes = connection.get_execution_options().get("ov_writes", False)
        begin(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
