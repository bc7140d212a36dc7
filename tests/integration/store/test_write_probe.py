"""Whether the database can be written is tried, and not guessed from what can be read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.probing.probes import LOW_BYTES, Probes
from ivr.settings import Address
from ivr.store.engine import open_store
from tests.integration.databases import Database

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@contextlib.asynccontextmanager
async def trying(database: Database, folder: Path) -> AsyncIterator[Probes]:
    """Probes of a database, which try at once and when they are told."""
    store = open_store(database.url, patience_s=0.2)
    probes = Probes(store, Address(host="127.0.0.1", port=1), folder, lambda: NOW)
    yield probes
    await store.close()


async def tried(probes: Probes) -> str:
    """What one write tells."""
    await probes._try(probes._write, probes._put())
    return probes.write_problem


async def test_who_can_be_read_and_not_written_cannot_be_written(database: Database, tmp_path: Path) -> None:
    async with trying(database, tmp_path) as probes:
        assert await tried(probes) == ""
        assert probes.write_s > 0
        with database.held():
            assert (await tried(probes)).startswith("cannot write: ")
        assert await tried(probes) == ""
        # One row, however often.
        assert database.sql("SELECT count(*) FROM write_probe") == [(1,)]


async def test_a_database_that_is_away_or_may_only_be_read(database: Database, tmp_path: Path) -> None:
    """A demoted primary answers every question."""
    async with trying(database, tmp_path) as probes:
        if database.kind == "postgresql":
            database.sql(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')  # type: ignore[attr-defined]
            assert "read-only" in await tried(probes)
        else:
            with database.away():
                assert (await tried(probes)).startswith("cannot write: ")


async def test_a_write_that_takes_too_long_is_told_before_it_is_over(tmp_path: Path) -> None:
    """A disk that hangs raises nothing."""
    moment = [100.0]
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'none'}")
    probes = Probes(store, Address(host="127.0.0.1", port=1), tmp_path, lambda: NOW, lambda: moment[0])
    hanging = asyncio.Event()

    async def put() -> str:
        await hanging.wait()
        return ""

    going = asyncio.create_task(probes._try(probes._write, put()))
    await asyncio.sleep(0)
    assert probes.write_problem == ""
    moment[0] += 7
    assert probes.write_problem == "cannot write: not done after 7 s"
    assert probes.write_s == 7
    hanging.set()
    await going
    assert probes.write_problem == ""
    await store.close()


async def test_a_call_can_come_in_as_long_as_sip_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One packet that is lost proves nothing; a few seconds of silence do."""
    moment = [100.0]
    store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'none'}")
    probes = Probes(store, Address(host="127.0.0.1", port=1), tmp_path, lambda: NOW, lambda: moment[0])
    assert probes.calls_problem == "SIP: not tried yet"

    async def well() -> str:
        return ""

    async def silent() -> str:
        return "not answered"

    await probes._try(probes._call_in, well())
    moment[0] += 3
    await probes._try(probes._call_in, silent())
    assert probes.calls_problem == ""
    moment[0] += 4
    assert probes.calls_problem == "SIP: not answered"
    # Nobody listens at port 1.
    assert await probes._ask() == "nobody listens"
    monkeypatch.setattr(probes, "free_bytes", lambda: LOW_BYTES - 1)
    assert probes.disk() == "low: 499 MB are free"
    await store.close()
