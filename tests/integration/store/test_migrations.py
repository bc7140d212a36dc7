"""Migrations, on a real file with data in it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from ivr.directory.demo import load_demo
from ivr.store.engine import Store, open_store
from ivr.store.schema import metadata


def tables(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return {name for name in found if not name.startswith(("sqlite_", WORDS))}


#: SQLite's index of the solutions' words is tables too, which no metadata can describe.
WORDS = "solutions_words"


def not_of_identities(_: Any, __: Any, column: Any, *___: Any) -> bool | None:
    """SQLite knows no identity columns, so it can have no opinion on where theirs start."""
    return False if column.identity is not None else None


def test_the_models_and_the_migrations_agree(store: Store, database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": not_of_identities,
                "include_name": lambda name, kind, _: kind != "table" or not name.startswith(WORDS),
            },
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []
    assert tables(database) == set(metadata.tables) | {"alembic_version"}


async def test_down_and_up_again_with_data_in_it(store: Store, database: Path) -> None:
    async with store.unit() as unit:
        await load_demo(unit)
    with sqlite3.connect(database) as connection:
        connection.executescript(
            """
            INSERT INTO calls (id, linkedid, channel, desk, dialled, identity, started_at)
                VALUES ('a', '1.1', 'PJSIP/trunk-1', 'omnivigil', '611', '{}', '2026-01-01 00:00:00');
            INSERT INTO call_events VALUES ('a', 0, '2026-01-01 00:00:00', 'started', '{}');
            INSERT INTO tickets (kind, status, desk, department, version, created_at, updated_at)
                VALUES ('request', 'new', 'omnivigil', 'support', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
            """
        )
    connection.close()
    for revision, left in (
        ("0003", {"tickets", "calls", "endpoints"}),
        ("0002", {"calls", "endpoints"}),
        ("0001", {"endpoints"}),
        ("base", set[str]()),
    ):
        await store.migrate(revision)
        assert tables(database) & {"tickets", "calls", "endpoints"} == left
        if "endpoints" in left:
            with sqlite3.connect(database) as connection:
                assert connection.execute("SELECT count(*) FROM endpoints").fetchone() == (13,)
            connection.close()
    await store.migrate()
    assert tables(database) == set(metadata.tables) | {"alembic_version"}


async def test_tickets_keep_their_meaning_when_waiting_gets_reasons(store: Store, database: Path) -> None:
    def statuses() -> list[str]:
        with sqlite3.connect(database) as connection:
            found = [row[0] for row in connection.execute("SELECT status FROM tickets ORDER BY number")]
        connection.close()
        return found

    await store.migrate("0003")
    with sqlite3.connect(database) as connection:
        connection.executemany(
            """
            INSERT INTO tickets (kind, status, desk, department, version, created_at, updated_at)
                VALUES ('request', ?, 'omnivigil', 'support', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')
            """,
            [("new",), ("waiting",), ("closed",), ("in-progress",)],
        )
    connection.close()
    await store.migrate()
    assert statuses() == ["new", "waiting-requester", "closed", "in-progress"]
    with sqlite3.connect(database) as connection:
        # What was worked on has been answered, and its TR counts.
        answered = connection.execute("SELECT status FROM tickets WHERE answered_at IS NOT NULL ORDER BY number")
        assert [row[0] for row in answered] == ["waiting-requester", "in-progress"]
        spans = connection.execute("SELECT ticket_number, clock, level, pace, ended_at FROM ticket_spans").fetchall()
        assert spans == [(100004, "tr", 1, "working", None)]
    connection.close()
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "UPDATE tickets SET status = 'waiting-supplier' WHERE status = 'waiting-requester';"
            "UPDATE tickets SET status = 'reopened' WHERE status = 'closed';"
            "UPDATE tickets SET status = 'documented' WHERE status = 'new';"
        )
    connection.close()
    await store.migrate("0003")
    assert statuses() == ["new", "waiting", "in-progress", "in-progress"]


async def test_migrating_what_is_migrated_changes_nothing(store: Store) -> None:
    async with store.unit() as unit:
        await load_demo(unit)
    await store.migrate()
    await store.ping()


async def test_two_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3"
    first, second = open_store(url), open_store(url)
    await asyncio.gather(first.migrate(), second.migrate())
    assert tables(tmp_path / "x.sqlite3") == set(metadata.tables) | {"alembic_version"}
    await first.close()
    await second.close()


async def test_a_migration_that_fails_leaves_everything_as_it_was(store: Store, database: Path) -> None:
    await store.migrate("0002")
    with sqlite3.connect(database) as connection:
        # In the way of the third one, after it has made other tables.
        connection.execute("CREATE TABLE outbox (id INTEGER)")
    connection.close()
    before = tables(database)
    with pytest.raises(Exception, match="outbox"):
        await store.migrate()
    assert tables(database) == before


async def test_notices_from_before_the_worker_are_due_and_have_names(store: Store, database: Path) -> None:
    await store.migrate("0003")
    with sqlite3.connect(database) as connection:
        for _ in range(2):
            connection.execute(
                "INSERT INTO outbox (kind, recipient, subject, body, language, state, created_at)"
                " VALUES ('email', 'p@a.example', 's', 'b', 'fr', 'pending', '2026-01-01 00:00:00')"
            )
    connection.close()
    await store.migrate()
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT key, next_at, attempts, state FROM outbox ORDER BY id").fetchall()
    connection.close()
    assert [row[1:] for row in rows] == [("2026-01-01 00:00:00", 0, "pending")] * 2
    assert len({row[0] for row in rows}) == 2


async def test_below_the_worker_nothing_is_sent_a_second_time(store: Store, database: Path) -> None:
    insert = (
        "INSERT INTO outbox (kind, recipient, subject, body, language, state, created_at, key)"
        " VALUES (?, 'x', 's', 'b', 'fr', ?, '2026-01-01 00:00:00', ?)"
    )
    with sqlite3.connect(database) as connection:
        for kind, state in (("email", "pending"), ("email", "sent"), ("sms", "unknown"), ("webhook", "pending")):
            connection.execute(insert, (kind, state, f"{kind}-{state}"))
    connection.close()
    await store.migrate("0003")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT kind, state FROM outbox").fetchall() == [("email", "pending")]
    connection.close()
    await store.migrate()
