"""`./omnivigil pin`: asked for, never on the command line, and only its hash is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivr.__main__ import app
from ivr.announcements.pins import Pins
from ivr.directory.demo import load_demo
from ivr.errors import BadInput
from ivr.migrations.run import migrate
from ivr.store.engine import open_store
from tests.integration.databases import Database, Filling, SqliteFile


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_technician_gets_a_pin_and_nobody_else(
    tmp_path: Path, kind: str, filling: Filling, request: pytest.FixtureRequest
) -> None:
    database: Database = SqliteFile(tmp_path / "omnivigil.sqlite3")
    given: list[str] = []
    if kind == "postgresql":
        database = request.getfixturevalue("server").database(filling)
        given = ["--database-url", database.url.replace("+asyncpg", "")]
    url = database.url

    async def set_up() -> None:
        store = open_store(url)
        await migrate(store)
        async with store.unit() as unit:
            await load_demo(unit)
        await store.close()

    async def judged(pin: str) -> str:
        store = open_store(url)
        verdict = await Pins(store, lambda: datetime(2026, 11, 25, tzinfo=UTC)).judge(1, pin)
        await store.close()
        return verdict

    def pin(endpoint: str, typed: str) -> BaseException | None:
        arguments = ["pin", endpoint, "--state", str(tmp_path), *given]
        return CliRunner().invoke(app, arguments, input=f"{typed}\n{typed}\n").exception

    asyncio.run(set_up())
    assert asyncio.run(judged("90215")) == "none"
    assert pin("7001", "90215") is None
    assert asyncio.run(judged("90215")) == "right"
    for endpoint, typed in (("6001", "90215"), ("7001", "1111"), ("7001", "9021x")):
        with pytest.raises(BadInput):
            raise pin(endpoint, typed) or AssertionError
    ((kept,),) = database.sql("SELECT hash FROM technician_pins")
    assert "90215" not in kept
    assert (tmp_path / "omnivigil.sqlite3").exists() == (kind == "sqlite")
