"""Connections to SQLite that go to their thread only for what may take time.

aiosqlite hands everything to the connection's thread, the making and the closing of a cursor too, and each handing
over wakes two threads: with them a statement costs three times what it does without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial

import aiosqlite
from aiosqlite.context import contextmanager


class _Cursor(aiosqlite.Cursor):
    async def close(self) -> None:
        self._cursor.close()


class _Connection(aiosqlite.Connection):
    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        return _Cursor(self, self._conn.cursor())


def connector(file: str, patience_s: float) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Connects to a file; statements wait for another process's transaction for `patience_s` seconds at most."""
    # The driver's own idea of when a transaction begins leaves schema changes and reads outside of it. A cursor is made
    # on the loop's thread and used on the connection's, never at once; SQLite is built for that (threadsafety 3).
    connect = partial(sqlite3.connect, file, timeout=patience_s, isolation_level=None, check_same_thread=False)

    async def connected() -> aiosqlite.Connection:
        connection = _Connection(connect, iter_chunk_size=64)
        # One that is forgotten must not keep the service from ending.
        connection._thread.daemon = True
        return await connection

    return connected
