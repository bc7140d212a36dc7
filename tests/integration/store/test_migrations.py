"""Migrations, on a real database with data in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ivr.directory.demo import load_demo
from ivr.migrations.run import config, migrate
from ivr.migrations.schema import metadata
from ivr.store.engine import Store, open_store
from tests.integration.databases import Database, Filling

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextlib.asynccontextmanager
async def connected(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection of ours, without the product's engine; what it did is committed."""
    engine = create_async_engine(database.url)
    async with engine.begin() as connection:
        yield connection
    await engine.dispose()


def not_of_identities(_: Any, __: Any, column: Any, *___: Any) -> bool | None:
    """SQLite knows no identity columns, so it can have no opinion on where theirs start."""
    return False if column.identity is not None else None


#: SQLite's index of the solutions' words is tables too, which no metadata can describe.
WORDS = "solutions_words"


async def test_the_models_and_the_migrations_agree(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # Alembic takes PostgreSQL's identity columns for defaults, and stumbles.
                "compare_server_default": not_of_identities if database.kind == "sqlite" else False,
                "include_name": lambda name, kind, _: name is None or not name.startswith(WORDS),
                # PostgreSQL's is an index of an expression, which no metadata describes either.
                "include_object": lambda _, name, *__: name != f"ix_{WORDS}",
            },
        )
        return list(compare_metadata(context, metadata))

    async with connected(database) as connection:
        assert await connection.run_sync(differences) == []
    assert database.tables() == set(metadata.tables) | {"alembic_version"}


#: Some value of each type; what a column alone can be told by is in `GIVEN`.
VALUES: tuple[tuple[type[Any], Callable[[int], Any]], ...] = (
    (sa.Boolean, lambda n: n % 2 == 0),
    (sa.DateTime, lambda n: NOW),
    (sa.Integer, lambda n: n),
    (sa.Float, lambda n: n + 0.5),
    (sa.LargeBinary, lambda n: b"\x00\xff" * n),
    (sa.JSON, lambda n: {"é": [n, None, "\\u0000", "« »"]}),
    (sa.String, lambda n: f"é{n}"),
)
GIVEN: Mapping[tuple[str, str], str] = {
    ("tickets", "status"): "in-progress",
    ("outbox", "kind"): "email",
    ("outbox", "state"): "pending",
}


def some_value(column: sa.Column[Any], n: int) -> Any:
    """A value for a column of a row's n-th kind; references are to the n-th row."""
    if (given := GIVEN.get((column.table.name, column.name))) is not None:
        return given
    if column.foreign_keys:
        (reference,) = column.foreign_keys
        return some_value(reference.column, n)
    for kind, value in VALUES:
        if isinstance(column.type, kind):
            made = value(n)
            length = getattr(column.type, "length", None)
            return made[:length] if length and isinstance(made, str) else made
    raise AssertionError(f"no value for {column}: {column.type!r}")


async def reflected(connection: AsyncConnection) -> sa.MetaData:
    """The tables as they are in the database, in the order in which they can be filled."""
    found = sa.MetaData()

    def reflect(sync: sa.Connection) -> None:
        found.reflect(sync, only=lambda name, _: not name.startswith((WORDS, "alembic")))

    await connection.run_sync(reflect)
    return found


async def fill(database: Database, found: sa.MetaData | None = None) -> dict[str, int]:
    """Two rows in every table that has none; how many rows each table has then. `found`: the tables, when known."""
    async with connected(database) as connection:
        found = await reflected(connection) if found is None else found
        counts: dict[str, int] = {}
        for table in found.sorted_tables:
            count = sa.select(sa.func.count()).select_from(table)
            if (await connection.execute(count)).scalar_one() == 0:
                for n in (1, 2):
                    row = {column.name: some_value(column, n) for column in table.columns}
                    await connection.execute(sa.insert(table).values(row))
            counts[table.name] = (await connection.execute(count)).scalar_one()
    return counts


# Each migration makes it longer, and it shares its processors with the others.
@pytest.mark.timeout(900)
async def test_down_to_the_beginning_and_up_again_step_by_step_with_rows_in_every_table(
    store: Store, database: Database
) -> None:
    """Below each step everything is filled anew, so that the way up meets rows too. No step may be without a table."""
    script = ScriptDirectory.from_config(config())
    down = [one.revision for one in script.walk_revisions()]
    counts = await fill(database)
    assert set(counts) == set(metadata.tables), "a table of the models is not filled"
    assert all(counts.values())
    for revision in [*down[1:], "base"]:
        await migrate(store, revision)
        counts = await fill(database)
        assert all(counts.values()), revision
    assert counts == {}
    found = sa.MetaData()
    for revision in reversed(down):
        before = await fill(database, found)
        await migrate(store, revision)
        async with connected(database) as connection:
            found = await reflected(connection)
            for table in found.sorted_tables:
                rows = (await connection.execute(sa.select(table))).mappings().all()
                assert len(rows) >= before.get(table.name, 0), f"{revision} lost rows of {table.name}"
    assert database.tables() == set(metadata.tables) | {"alembic_version"}
    await fill(database)
    # What is there can be read by the product.
    async with store.reading() as unit:
        for table in metadata.sorted_tables:
            assert len((await unit.execute(sa.select(table))).all()) >= 1, table.name


async def test_what_is_not_touched_by_going_down_is_as_it_was(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await load_demo(unit)
    before = sorted(database.sql("SELECT name, ha1, display FROM endpoints"))
    assert len(before) == 13
    await migrate(store, "0001")
    assert sorted(database.sql("SELECT name, ha1, display FROM endpoints")) == before
    await migrate(store)
    assert sorted(database.sql("SELECT name, ha1, display FROM endpoints")) == before


async def test_tickets_keep_their_meaning_when_waiting_gets_reasons(store: Store, database: Database) -> None:
    def statuses() -> list[str]:
        return [status for (status,) in database.sql("SELECT status FROM tickets ORDER BY number")]

    await migrate(store, "0003")
    for status in ("new", "waiting", "closed", "in-progress"):
        database.sql(
            "INSERT INTO tickets (kind, status, desk, department, version, created_at, updated_at) VALUES"  # noqa: S608
            f" ('request', '{status}', 'omnivigil', 'support', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
    await migrate(store)
    assert statuses() == ["new", "waiting-requester", "closed", "in-progress"]
    # What was worked on has been answered, and its TR counts.
    answered = database.sql("SELECT status FROM tickets WHERE answered_at IS NOT NULL ORDER BY number")
    assert answered == [("waiting-requester",), ("in-progress",)]
    spans = database.sql("SELECT ticket_number, clock, level, pace, ended_at FROM ticket_spans")
    assert spans == [(100004, "tr", 1, "working", None)]
    database.sql("UPDATE tickets SET status = 'waiting-supplier' WHERE status = 'waiting-requester'")
    database.sql("UPDATE tickets SET status = 'reopened' WHERE status = 'closed'")
    database.sql("UPDATE tickets SET status = 'documented' WHERE status = 'new'")
    await migrate(store, "0003")
    assert statuses() == ["new", "waiting", "in-progress", "in-progress"]


async def test_migrating_what_is_migrated_changes_nothing(store: Store, database: Database) -> None:
    async def dump() -> dict[str, list[tuple[Any, ...]]]:
        async with connected(database) as connection:
            tables = (await reflected(connection)).sorted_tables
            read = [(table.name, (await connection.execute(sa.select(table))).all()) for table in tables]
        return {name: sorted(map(tuple, rows), key=repr) for name, rows in read}

    await fill(database)
    before = await dump()
    assert all(before.values())
    await migrate(store)
    assert await dump() == before


class TestFromNothing:
    @pytest.fixture
    def filling(self) -> Filling:
        async def nothing(store: Store) -> None:
            await migrate(store, "base")

        return Filling(name="base", fill=nothing)

    async def test_two_at_once_do_not_get_in_each_others_way(self, database: Database) -> None:
        first, second = open_store(database.url), open_store(database.url)
        await asyncio.gather(migrate(first), migrate(second))
        assert database.tables() == set(metadata.tables) | {"alembic_version"}
        await first.close()
        await second.close()


async def test_a_migration_that_fails_leaves_everything_as_it_was(store: Store, database: Database) -> None:
    await migrate(store, "0002")
    # In the way of the third one, after it has made other tables.
    database.sql("CREATE TABLE outbox (id INTEGER)")
    before = database.tables()
    with pytest.raises(Exception, match="outbox"):
        await migrate(store)
    assert database.tables() == before


async def test_notices_from_before_the_worker_are_due_and_have_names(store: Store, database: Database) -> None:
    await migrate(store, "0003")
    for _ in range(2):
        database.sql(
            "INSERT INTO outbox (kind, recipient, subject, body, language, state, created_at)"
            " VALUES ('email', 'p@a.example', 's', 'b', 'fr', 'pending', '2026-01-01 00:00:00')"
        )
    await migrate(store)
    rows = database.sql("SELECT key, next_at = created_at, attempts, state FROM outbox ORDER BY id")
    assert [row[1:] for row in rows] == [(True, 0, "pending")] * 2
    assert len({row[0] for row in rows}) == 2


async def test_below_the_worker_nothing_is_sent_a_second_time(store: Store, database: Database) -> None:
    for kind, state in (("email", "pending"), ("email", "sent"), ("sms", "unknown"), ("webhook", "pending")):
        database.sql(
            "INSERT INTO outbox (kind, recipient, subject, body, language, state, created_at, key)"  # noqa: S608
            f" VALUES ('{kind}', 'x', 's', 'b', 'fr', '{state}', '2026-01-01 00:00:00', '{kind}-{state}')"
        )
    await migrate(store, "0003")
    assert database.sql("SELECT kind, state FROM outbox") == [("email", "pending")]
    await migrate(store)
