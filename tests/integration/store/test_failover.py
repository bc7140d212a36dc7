"""A PostgreSQL whose primary changes: two real servers, and what is in the way to them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text

from ivr.directory.tables import partners
from ivr.errors import BadInput
from ivr.settings import database_url_of
from ivr.store.engine import Store, StoreUnavailable, open_store
from ivr.tools.postgresql_server import OWNER, Cluster, ServerFailed
from tests.integration.asterisk.real import free_port
from tests.integration.databases import Filling, asyncio_run, cluster_in
from tests.relay import Relay

DEMOTE = "ALTER SYSTEM SET default_transaction_read_only = on"
PROMOTE = "ALTER SYSTEM RESET default_transaction_read_only"


class Server:
    """A server at a port of this machine, with the tables."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        given = {"listen_addresses": "127.0.0.1", "port": str(self.port), "max_connections": "40", "fsync": "off"}
        self.cluster = Cluster(folder=folder, programs=cluster_in(folder).programs, settings=given)

    def url(self, port: int) -> str:
        return f"postgresql+asyncpg://{OWNER}@127.0.0.1:{port}/postgres"

    async def sql(self, statement: str) -> None:
        connection = await self._connected()
        try:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute(statement)
        finally:
            await connection.close()

    async def becomes(self, statement: str) -> None:
        """Demote or promote it; when this is over, every session knows it."""
        await self.sql(statement)
        await self.sql("SELECT pg_reload_conf()")
        wanted, told = ("on" if statement == DEMOTE else "off"), ""
        while told != wanted:
            # A new session begins when all the others have been told.
            connection = await self._connected()
            told = await connection.fetchval("SELECT current_setting('default_transaction_read_only')")
            await connection.close()

    async def _connected(self) -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=self.port, user=OWNER, database="postgres")

    def signal(self, what: int) -> None:
        """To the server and to all that serve its connections."""
        pid = int((self.cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            os.kill(one, what)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    """Two, of which the second is promoted when the first is demoted; nothing is copied from one to the other."""
    folder = Path(tempfile.mkdtemp(prefix="ov-pg-"))
    folder.chmod(0o755)
    both = Server(folder / "a"), Server(folder / "b")
    try:
        for one in both:
            one.cluster.start()
            asyncio_run(Filling(name="empty", fill=_nothing).put_into(one.url(one.port)))
        yield both
    finally:
        for one in both:
            with suppress(ServerFailed):
                one.cluster.stop("immediate")
        shutil.rmtree(folder)


@pytest.fixture
async def pair(servers: tuple[Server, Server]) -> AsyncIterator[tuple[Server, Server]]:
    """The first is the primary."""
    first, second = servers
    await first.becomes(PROMOTE)
    await second.becomes(DEMOTE)
    yield servers
    for one in servers:
        await one.becomes(PROMOTE)
        await one.sql("DELETE FROM partners")


async def _nothing(_: Store) -> None: ...


async def write(store: Store, name: str) -> None:
    async with store.unit() as unit:
        await unit.execute(unit.insert(partners).values(name=name, tier="standard"))


async def read(store: Store) -> int:
    async with store.reading() as unit:
        found: int = (await unit.execute(select(func.count()).select_from(partners))).scalar_one()
    return found


async def hold_many(store: Store) -> None:
    """Fill the pool: each of these waits for the others."""
    met = asyncio.Barrier(5)

    async def one() -> None:
        async with store.reading() as unit:
            await unit.execute(text("SELECT 1"))
            await met.wait()

    await asyncio.gather(*(one() for _ in range(5)))


async def written(store: Store, name: str) -> int:
    """Write until it goes; how many times it did not."""
    for failed in range(50):
        try:
            await write(store, name)
        except StoreUnavailable:
            continue
        return failed
    raise AssertionError("nothing can be written")


async def test_a_demoted_primary_is_left_though_it_answers(pair: tuple[Server, Server]) -> None:
    """The name leads to the new primary, and the sessions with the old one live on."""
    first, second = pair
    async with Relay(first.port) as relay:
        store = open_store(first.url(relay.port))
        await write(store, "before")
        await hold_many(store)
        await first.becomes(DEMOTE)
        await second.becomes(PROMOTE)
        relay.target = second.port
        # One transaction meets the old one, and no second does.
        assert await written(store, "after") <= 1
        assert await asyncio.gather(*(read(store) for _ in range(5))) == [1] * 5, "all are with the new one"
        await store.close()


async def test_of_several_hosts_the_one_is_found_that_may_be_written_to(pair: tuple[Server, Server]) -> None:
    first, second = pair
    hosts = f"host=127.0.0.1:{first.port}&host=127.0.0.1:{second.port}"
    for more in ("", "&target_session_attrs=read-write"):
        url = database_url_of(f"postgresql://{OWNER}@/postgres?{hosts}{more}")
        store = open_store(url)
        await write(store, f"before{more}")
        await first.becomes(DEMOTE)
        await second.becomes(PROMOTE)
        assert await written(store, f"after{more}") <= 1
        await first.becomes(PROMOTE)
        await second.becomes(DEMOTE)
        assert await written(store, f"again{more}") <= 1
        await store.close()


async def test_a_frozen_host_takes_nothing_from_those_after_it(pair: tuple[Server, Server]) -> None:
    first, second = pair
    await second.becomes(PROMOTE)
    hosts = f"host=127.0.0.1:{first.port}&host=127.0.0.1:{second.port}"
    store = open_store(database_url_of(f"postgresql://{OWNER}@/postgres?{hosts}"), patience_s=4)
    first.signal(signal.SIGSTOP)
    try:
        assert await written(store, "elsewhere") == 0
    finally:
        first.signal(signal.SIGCONT)
    await store.close()


async def test_a_frozen_server_is_told_as_away_and_comes_back(pair: tuple[Server, Server]) -> None:
    first, _ = pair
    store = open_store(first.url(first.port), patience_s=0.5)
    await hold_many(store)
    first.signal(signal.SIGSTOP)
    try:
        for attempt in (read(store), write(store, "lost"), read(store)):
            with pytest.raises(StoreUnavailable):
                await attempt
    finally:
        first.signal(signal.SIGCONT)
    await written(store, "back")
    assert await read(store) >= 1
    await store.close()


async def test_a_server_that_ends_its_sessions_is_asked_again(pair: tuple[Server, Server]) -> None:
    """57P01, as at a switch of the primary."""
    first, _ = pair
    store = open_store(first.url(first.port))
    await hold_many(store)
    await first.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'omnivigil'")
    assert await written(store, "after") <= 1
    await store.close()


@pytest.mark.parametrize("wanted", ["standby", "read-only", "prefer-standby"])
def test_who_wants_a_server_that_only_reads_is_told(wanted: str) -> None:
    with pytest.raises(BadInput) as refused:
        database_url_of(f"postgresql://u@/db?host=a:1&host=b:2&target_session_attrs={wanted}")
    assert "read-write" in str(refused.value)
