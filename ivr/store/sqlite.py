"""Connections to SQLite that go to their thread only for what may take time.

aiosqlite hands everything to the connection's thread: the making and the closing of a cursor, each fetch, and the
undoing of what is not begun. Each handing over wakes two threads, so that a statement costs three times what it does
when it goes there once; and what begins a transaction goes there with its first statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, cast

import aiosqlite
from aiosqlite.context import contextmanager
from sqlalchemy import Connection


class _Cursor(aiosqlite.Cursor):
    """All rows of a statement come with it; SQLAlchemy asks for all of them at once, and nothing here streams."""

    _rows: Iterable[Any] = ()

    def __init__(self, connection: _Connection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._connection = connection

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> aiosqlite.Cursor:
        self._rows = await self._execute(self._run, sql, parameters)  # type: ignore[no-untyped-call]
        return self

    def _run(self, sql: str, parameters: Any) -> list[Any]:
        self._begin()
        self._cursor.execute(sql, parameters or ())
        if self._cursor.description is not None:
            return self._cursor.fetchall()
        return []

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> aiosqlite.Cursor:
        await self._execute(self._run_many, sql, parameters)  # type: ignore[no-untyped-call]
        return self

    def _run_many(self, sql: str, parameters: Any) -> None:
        self._begin()
        self._cursor.executemany(sql, parameters)

    def _begin(self) -> None:
        """What begins the transaction goes with its first statement. Where it fails, the next statement tries again."""
        if self._connection.begin_with is not None:
            self._cursor.execute(self._connection.begin_with)
            self._connection.begin_with = None

    async def fetchall(self) -> Iterable[Any]:
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        self._cursor.close()


class _Connection(aiosqlite.Connection):
    #: What begins the transaction that is to begin with the next statement.
    begin_with: str | None = None
    #: Nothing was done since the last commit, and no statement that nobody waits for any more can be under way.
    _settled = False

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        self._settled = False
        return _Cursor(self, self._conn.cursor())

    async def commit(self) -> None:
        await self._end(self._conn.commit)
        self._settled = True

    async def rollback(self) -> None:
        # The pool asks for it each time that a connection comes back.
        await self._end(self._conn.rollback)

    async def _end(self, how: Callable[[], None]) -> None:
        if self._settled:
            self.begin_with = None
        else:
            await self._execute(self._end_there, how)  # type: ignore[no-untyped-call]

    def _end_there(self, how: Callable[[], None]) -> None:
        # Not any earlier: a statement that nobody waits for any more may not have begun its transaction yet.
        self.begin_with = None
        how()


def begin(connection: Connection, statement: str) -> None:
    """Have the next statement begin a transaction, with BEGIN or BEGIN IMMEDIATE."""
    cast(_Connection, connection.connection.driver_connection).begin_with = statement


def connector(file: str, patience_s: float) -> Callable[[], Awaitable[_Connection]]:
    """Connects to a file; statements wait for another process's transaction for `patience_s` seconds at most."""
    # The driver's own idea of when a transaction begins leaves schema changes and reads outside of it. A cursor is made
    # on the loop's thread and used on the connection's, never at once; SQLite is built for that (threadsafety 3).
    connect = partial(sqlite3.connect, file, timeout=patience_s, isolation_level=None, check_same_thread=False)

    async def connected() -> _Connection:
        connection = _Connection(connect, iter_chunk_size=64)
        # One that is forgotten must not keep the service from ending.
        connection._thread.daemon = True
        await connection
        return connection

    return connected
