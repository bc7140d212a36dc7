"""A real SQLite file for each test, and its outages."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ivr.store.engine import Store, open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "omnivigil.sqlite3"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite+aiosqlite:///{database}", patience_s=0.2)
    await opened.migrate()
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
