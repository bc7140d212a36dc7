"""Tickets a second through the API beside a bare FastAPI and SQLAlchemy; and finding what is due among 100,000."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.running import cpu_s, markdown, running_service, until_up
from ivr.asterisk import process
from ivr.cli.up import ensure_postgresql, ensure_runtime
from ivr.clock import system_clock
from ivr.notify.tables import outbox
from ivr.prepare import prepare
from ivr.settings import Address, Settings
from ivr.store.engine import Store, open_store
from ivr.tickets import store as statements
from ivr.tickets.tables import ticket_events, ticket_spans, tickets
from ivr.tools import postgresql_server

REPOSITORY = Path(__file__).parents[1]

PORTS = {"sip": 5930, "http": 8930, "agi": 4930, "ami": 5931}
BARE_PORT = 8935
#: Clients at once, each on a connection of its own.
_CLIENTS = 16
_BODY = {
    "requester_name": "Julie Tremblay",
    "requester_email": "julie@clinique.example",
    "account_number": "C-1001",
    "observed": "Aucune tonalité sur le poste 204 depuis 9 heures ; les appels entrants sonnent occupé.",
}
_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What one server did."""

    per_second: float
    cpu_ms: float
    failed: int


async def run(console: Console, *, seconds: float, rounds: int, running: int, output: Path | None) -> None:
    """Measure on both databases, print, and write the table to `output` as Markdown."""
    rows: list[tuple[str, ...]] = []
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        # PostgreSQL started by root runs as nobody, who must get there.
        Path(folder).chmod(0o755)
        for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
            console.print(name, style="bold")
            async with database(Path(folder), console) as settings:
                bare, ours = await _rates(settings, console, seconds, rounds)
                due = await _due(settings, console, running)
            rows += [(name, "bare FastAPI + SQLAlchemy (ceiling)", *_told(bare, bare))]
            rows += [(name, "omnivigil", *_told(ours, bare))]
            told += [f"{name}: {due}"]
    table = Table(*_HEAD)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for line in told:
        console.print(line)
    if output is not None:
        output.write_text("\n".join([*markdown(_HEAD, rows), "", *told, ""]), encoding="utf-8")


_HEAD = ("database", "what", "tickets/s", "of the ceiling", "CPU ms each", "failed")


def _settings(state: Path) -> Settings:
    state.mkdir()
    return Settings(
        state=state,
        sip=Address(host="127.0.0.1", port=PORTS["sip"]),
        http=Address(host="127.0.0.1", port=PORTS["http"]),
        agi=Address(host="127.0.0.1", port=PORTS["agi"]),
        ami=Address(host="127.0.0.1", port=PORTS["ami"]),
        rtp=(29_000, 29_998),
    )


@contextlib.asynccontextmanager
async def _sqlite(folder: Path, _: Console) -> AsyncIterator[Settings]:
    yield _settings(folder / "sqlite")


@contextlib.asynccontextmanager
async def _postgresql(folder: Path, console: Console) -> AsyncIterator[Settings]:
    """A server of ours that waits for the disk, as in production."""
    await ensure_postgresql(postgresql_server.embedded(REPOSITORY), console)
    programs = postgresql_server.find(postgresql_server.embedded(REPOSITORY))
    server = postgresql_server.Cluster(folder=folder / "pg", programs=programs, settings={"max_connections": "100"})
    await asyncio.to_thread(server.start)
    try:
        yield replace(_settings(folder / "postgresql"), database=server.url("postgres"))
    finally:
        await asyncio.to_thread(server.stop)


def _told(rates: list[Rate], ceiling: list[Rate]) -> tuple[str, ...]:
    # Each round has its own ratio: what else the machine does changes between rounds, and both of a round share it.
    shares = sorted(one.per_second / most.per_second for one, most in zip(rates, ceiling, strict=True))
    spread = f" ({shares[0]:.0%} to {shares[-1]:.0%})" if rates is not ceiling else ""
    return (
        f"{statistics.median(one.per_second for one in rates):.0f}",
        f"{statistics.median(shares):.0%}{spread}",
        f"{statistics.median(one.cpu_ms for one in rates):.2f}",
        str(sum(one.failed for one in rates)),
    )


async def _rates(settings: Settings, console: Console, seconds: float, rounds: int) -> tuple[list[Rate], list[Rate]]:
    """The ceiling's and ours, in turns."""
    found = await ensure_runtime(settings, console)
    await prepare(settings, found, lambda _: None)
    token = await asyncio.to_thread((settings.state / "demo-token").read_text)
    headers = {"Authorization": f"Bearer {token.strip()}"}
    asterisk = await process.start(found, settings)
    bare: list[Rate] = []
    ours: list[Rate] = []
    try:
        async with running_service(settings) as service, _bare(settings) as pid:
            await until_up(settings)
            for round_number in range(1, rounds + 1):
                console.print(f"round {round_number} of {rounds}")
                bare.append(await _load(BARE_PORT, {}, seconds, pid))
                ours.append(await _load(PORTS["http"], headers, seconds, service.pid))
    finally:
        await asterisk.stop()
    made = round(sum(one.per_second for one in ours) * seconds)
    await _check(settings, at_least=made)
    return bare, ours


async def _check(settings: Settings, at_least: int) -> None:
    """Every ticket has its first event and its e-mail."""
    from sqlalchemy import func, select

    store = open_store(settings.database_url)
    async with store.reading() as unit:
        counts = [
            (await unit.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (tickets, ticket_events, outbox)
        ]
    await store.close()
    if min(counts) < at_least:
        raise RuntimeError(f"{at_least} tickets were answered; rows of tickets, events, e-mails: {counts}")


@contextlib.asynccontextmanager
async def _bare(settings: Settings) -> AsyncIterator[int]:
    url = settings.database or f"sqlite+aiosqlite:///{settings.state / 'bare.sqlite3'}"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.rivals.bare_tickets", str(BARE_PORT), url
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", BARE_PORT)
                writer.close()
                break
            await asyncio.sleep(0.1)
        yield server.pid
    finally:
        server.terminate()
        await server.wait()


async def _load(port: int, headers: dict[str, str], seconds: float, pid: int | None) -> Rate:
    made = failed = 0
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=_CLIENTS)) as session:

        async def client(until: float) -> None:
            nonlocal made, failed
            while time.monotonic() < until:
                async with session.post(f"http://127.0.0.1:{port}/v1/tickets", json=_BODY) as answer:
                    await answer.read()
                    if answer.status == 201:
                        made += 1
                    else:
                        failed += 1

        async def clients(for_s: float) -> None:
            until = time.monotonic() + for_s
            await asyncio.gather(*(client(until) for _ in range(_CLIENTS)))

        await clients(1.0)
        made = failed = 0
        began, before = time.monotonic(), cpu_s(pid)
        await clients(seconds)
        took = time.monotonic() - began
        used = cpu_s(pid) - before
    return Rate(per_second=made / took, cpu_ms=used * 1000 / max(1, made), failed=failed)


async def _due(settings: Settings, console: Console, running: int) -> str:
    """How long it takes to find all that are due, and the memory that takes."""
    console.print(f"{running} tickets with running clocks")
    store = open_store(settings.database_url)
    now = system_clock()
    try:
        await _fill(store, running)
        took: list[float] = []
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(30):
            began = time.perf_counter()
            async with store.reading() as unit:
                found = await statements.due(unit, now, running)
            took.append((time.perf_counter() - began) * 1000)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    finally:
        await store.close()
    return (
        f"{len(found)} due among {running} with running clocks: found in {statistics.median(took):.1f} ms "
        f"(median of {len(took)}, slowest {max(took):.1f}; aim: under 50 ms), memory {grown:+.1f} MB"
    )


async def _fill(store: Store, running: int) -> None:
    """Clocks that end one second apart, a thousand of them in the past."""
    now = system_clock()
    for first in range(0, running, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, running))
        rows = [
            {
                "number": 1_000_000 + n,
                "kind": "request",
                "status": "documented",
                "desk": "omnivigil",
                "department": "support",
                "priority": "moyenne",
                "level": 2,
                "version": 1,
                "created_at": now,
                "updated_at": now,
                "due_at": now + timedelta(seconds=n - 1000),
            }
            for n in numbers
        ]
        spans = [
            {"ticket_number": row["number"], "clock": "tmr", "level": 2, "pace": "working", "started_at": now}
            for row in rows
        ]
        async with store.unit() as unit:
            await unit.execute(unit.insert(tickets), rows)
            await unit.execute(unit.insert(ticket_spans), spans)
