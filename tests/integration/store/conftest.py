"""A real SQLite file for each test, and its outages."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ivr import logs
from ivr.store.engine import Store, open_store


@pytest.fixture(autouse=True, scope="session")
def _logs() -> None:
    """As in the service; structlog's own default draws each error with every local variable, which takes seconds."""
    logs.configure()


@pytest.fixture(autouse=True)
async def _threads_end() -> AsyncIterator[None]:
    """The driver's thread for a database that could not be opened ends by itself, a little later; the loop waits."""
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database without rows; migrating one for each test would take most of the tests' time."""
    database = tmp_path_factory.mktemp("migrated") / "x.sqlite3"

    async def make() -> None:
        store = open_store(f"sqlite+aiosqlite:///{database}")
        await store.migrate()
        await store.close()

    asyncio.run(make())
    return database.read_bytes()


@pytest.fixture
def database(tmp_path: Path, migrated: bytes) -> Path:
    path = tmp_path / "omnivigil.sqlite3"
    path.write_bytes(migrated)
    return path


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite+aiosqlite:///{database}", patience_s=0.2)
    yield opened
    await opened.close()


@pytest.fixture
def database_away(database: Path) -> Callable[[], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def away() -> Iterator[None]:
        """Somebody else holds the database: no transaction that writes can begin."""
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    return away
