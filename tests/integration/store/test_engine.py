"""The unit of work on a real file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from aiosqlite import Connection
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from ivr.accounts.tables import api_tokens
from ivr.directory.tables import partners
from ivr.migrations.run import migrate
from ivr.store import engine
from ivr.store.engine import Store, StoreUnavailable, open_store
from ivr.store.sqlite import connector

#: One writer at a time, a limit to the size and settings of each connection are SQLite's own.
SQLITE_ONLY = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def count(store: Store) -> int:
    async with store.reading() as unit:
        found: int = (await unit.execute(select(func.count()).select_from(partners))).scalar_one()
    return found


async def add(store: Store, *names: str, then: Callable[[], object] | None = None, first: str | None = None) -> None:
    async with store.unit() as unit:
        if first is not None:
            await unit.execute(text(first))
        for name in names:
            await unit.execute(unit.insert(partners).values(name=name, tier="standard"))
        if then is not None:
            unit.afterwards(then)


async def test_a_unit_is_all_or_nothing_and_what_comes_afterwards_comes_with_it(store: Store) -> None:
    happened: list[str] = []
    await add(store, "a", then=lambda: happened.append("a"))
    with pytest.raises(IntegrityError):
        # The second row is refused, so the first one goes too.
        await add(store, "b", "a", then=lambda: happened.append("b"))
    assert await count(store) == 1
    assert happened == ["a"]


async def test_a_broken_rule_is_not_taken_for_an_outage(store: Store) -> None:
    await add(store, "a")
    with pytest.raises(IntegrityError):
        await add(store, "a")


async def test_many_writers_take_turns(store: Store) -> None:
    await asyncio.gather(*(add(store, f"p{n}") for n in range(50)))
    assert await count(store) == 50


@SQLITE_ONLY
async def test_a_writer_within_a_writer_is_told_and_does_not_wait_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_TURN_S", 0.05)
    async with store.unit():
        with pytest.raises(StoreUnavailable, match="too long"):
            await add(store, "a")
    await add(store, "a")


async def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    async with store.unit() as unit:
        await unit.execute(unit.insert(partners).values(name="a", tier="standard"))
        assert await count(store) == 0
    assert await count(store) == 1


async def test_a_database_that_is_held_by_somebody_else_is_told_as_away(
    store: Store, database_held: Callable[[], AbstractContextManager[None]]
) -> None:
    with database_held(), pytest.raises(StoreUnavailable, match="lock"):
        await add(store, "a")
    await add(store, "a")


async def test_whoever_gives_up_waiting_for_somebody_else_leaves_nothing_begun(
    store: Store, database_held: Callable[[], AbstractContextManager[None]]
) -> None:
    await add(store, "a")
    with database_held():
        gives_up = asyncio.create_task(add(store, "b"))
        await asyncio.sleep(0.05)
        gives_up.cancel()
        await asyncio.wait({gives_up})
    assert gives_up.cancelled()
    assert await count(store) == 1
    # Had the connection a transaction of its own still, neither this store nor another could write.
    await add(store, "c")
    assert await count(store) == 2


async def test_a_folder_that_is_not_there_is_told_as_away(tmp_path: Path) -> None:
    store = open_store(f"sqlite+aiosqlite:///{tmp_path}/none/x.sqlite3")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await store.ping()
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await migrate(store)
    await store.close()


@SQLITE_ONLY
async def test_a_full_disk_is_told_as_away_and_what_was_there_stays(store: Store) -> None:
    await add(store, "a")
    # SQLite's own limit stands in for the disk's: the same error, SQLITE_FULL.
    names = [f"{n}" * 50 for n in range(100, 999)]
    with pytest.raises(StoreUnavailable, match="full"):
        await add(store, *names, first="PRAGMA max_page_count = 1")
    assert await count(store) == 1


async def test_a_file_that_is_no_database_is_told_as_away(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite3").write_bytes(b"not a database at all" * 100)
    store = open_store(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3")
    with pytest.raises(StoreUnavailable):
        await store.ping()
    await store.close()


async def test_moments_come_back_as_they_were_whatever_their_zone(store: Store) -> None:
    at = datetime(2026, 11, 1, 1, 30, tzinfo=timezone(timedelta(hours=-4)))
    async with store.unit() as unit:
        await unit.execute(unit.insert(api_tokens).values(sha256="0" * 64, name="t", scopes=["read"], created_at=at))
    async with store.reading() as unit:
        found = (await unit.execute(select(api_tokens.c.created_at))).scalar_one()
    assert found == at
    assert found.tzinfo is UTC


async def test_a_naive_moment_is_refused(store: Store) -> None:
    async with store.unit() as unit:
        with pytest.raises((StatementError, ValueError), match="no time zone"):
            await unit.execute(
                unit.insert(api_tokens).values(
                    sha256="0" * 64,
                    name="t",
                    scopes=[],
                    created_at=datetime(2026, 1, 1),  # noqa: DTZ001
                )
            )


@SQLITE_ONLY
async def test_a_statement_goes_to_its_thread_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(store, "a")
    handed: list[str] = []
    real = Connection._execute

    async def execute(connection: Connection, act: Callable[..., Any], *given: Any, **named: Any) -> Any:
        handed.append(given[0].split()[0] if isinstance(given[0], str) else given[0].__name__)
        return await real(connection, act, *given, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "_execute", execute)
    async with store.unit() as unit:
        found = (await unit.execute(select(partners.c.name))).scalars().all()
        await unit.execute(unit.insert(partners).values(name="b", tier="standard"))
    assert found == ["a"]
    # What begins the transaction goes with its first statement.
    assert handed == ["SELECT", "INSERT", "commit"]
    async with store.unit():
        pass
    assert handed == ["SELECT", "INSERT", "commit"]


async def test_what_nobody_waits_for_any_more_is_undone_though_it_had_not_begun(tmp_path: Path) -> None:
    connection = await connector(str(tmp_path / "x.sqlite3"), 1.0)()
    try:
        await (await connection.cursor()).execute("CREATE TABLE things (name TEXT)")
        await connection.commit()
        busy = threading.Event()
        before = asyncio.create_task(connection._execute(busy.wait))  # type: ignore[no-untyped-call]
        connection.begin_with = "BEGIN IMMEDIATE"
        write = asyncio.create_task((await connection.cursor()).execute("INSERT INTO things VALUES ('a')"))
        await asyncio.sleep(0)
        write.cancel()
        undone = asyncio.create_task(connection.rollback())
        await asyncio.sleep(0)
        busy.set()
        await asyncio.wait({before, write, undone})
        cursor = await (await connection.cursor()).execute("SELECT name FROM things")
        assert list(await cursor.fetchall()) == []
        assert not connection.in_transaction
    finally:
        await connection.close()


async def test_what_was_cancelled_leaves_nothing_behind(store: Store) -> None:
    async def begin() -> None:
        async with store.unit() as unit:
            await unit.execute(unit.insert(partners).values(name="a", tier="standard"))
            await asyncio.sleep(60)

    for patience_s in (0.0, 0.001, 0.002, 0.005, 0.02):
        writer = asyncio.create_task(begin())
        await asyncio.sleep(patience_s)
        writer.cancel()
        await asyncio.wait({writer})
        await add(store, f"{patience_s}")
    assert await count(store) == 5


@SQLITE_ONLY
async def test_a_commit_survives_a_power_cut(store: Store) -> None:
    async with store.reading() as unit:
        assert (await unit.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
        assert (await unit.execute(text("PRAGMA synchronous"))).scalar_one() == 2
        assert (await unit.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
