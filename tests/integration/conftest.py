"""What every integration test has: a database of its own, once in SQLite and once in PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from ivr import logs
from ivr.accounts import passwords
from ivr.store.engine import Store, open_store
from ivr.tickets import messages
from tests.integration.databases import (
    KINDS,
    SQLITE_FOLDERS,
    Compiled,
    Database,
    Filling,
    PostgresServer,
    SqliteFiles,
    forget_left,
    postgres_server,
    quick_folder,
)


@pytest.fixture(autouse=True, scope="session")
def _logs() -> None:
    """As in the service; structlog's own default draws each error with every local variable, which takes seconds."""
    logs.configure()


@pytest.fixture(autouse=True, scope="session")
def _passwords_are_cheap() -> Iterator[None]:
    """Argon2id with the least work: what it protects against is slow on purpose, and each sign-in would pay for it.

    The product's own parameters are tested in tests/unit/accounts/test_passwords.py.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        passwords._nobodys.cache_clear()
        yield
    passwords._nobodys.cache_clear()


@pytest.fixture(autouse=True)
async def _threads_end() -> AsyncIterator[None]:
    """The driver's thread for a database that could not be opened ends by itself, a little later; the loop waits."""
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


@pytest.fixture(scope="session")
def sqlite_files() -> Iterator[SqliteFiles]:
    forget_left(quick_folder())
    with tempfile.TemporaryDirectory(prefix=f"{SQLITE_FOLDERS}{os.getpid()}-", dir=quick_folder()) as folder:
        yield SqliteFiles(Path(folder))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PostgresServer]:
    """PostgreSQL, shared by all test processes."""
    base = tmp_path_factory.getbasetemp()
    with postgres_server(base if worker_id == "master" else base.parent) as started:
        yield started


@pytest.fixture(scope="session")
def filling() -> Filling:
    """No rows."""

    async def nothing(_: Store) -> None: ...

    return Filling(name="empty", fill=nothing)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, filling: Filling) -> Iterator[Database]:
    makers: dict[str, str] = {"sqlite": "sqlite_files", "postgresql": "server"}
    # Asked for when it is needed: whoever runs other tests need not wait for a server.
    maker: SqliteFiles | PostgresServer = request.getfixturevalue(makers[request.param])
    made = maker.database(filling)
    yield made
    made.drop()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is there gets its request, however busy the machine is."""
    monkeypatch.setattr(messages, "_PATIENCE_S", 30.0)


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return Compiled()


@pytest.fixture
async def store(database: Database, compiled: Compiled) -> AsyncIterator[Store]:
    # A file that somebody else holds is away only once patience is at its end; a server says so. A connection that
    # takes its time is no fault of either: on a busy machine it waits for a processor.
    patience_s = 0.2 if database.kind == "sqlite" else 5.0
    opened = open_store(database.url, patience_s=patience_s, connecting_s=60.0)
    compiled.lend(opened)
    yield opened
    await opened.close()


@pytest.fixture
def database_away(database: Database) -> Callable[[], AbstractContextManager[None]]:
    return database.away


@pytest.fixture
def database_held(database: Database) -> Callable[[], AbstractContextManager[None]]:
    return database.held
