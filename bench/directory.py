"""What a large directory costs the calls: how long it takes to be read, its memory, and who a caller is."""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Table as Table_

from ivr.directory import tables as t
from ivr.directory.lookup import Directory
from ivr.directory.sip_passwords import ha1
from ivr.migrations.run import migrate
from ivr.store.engine import Store, Unit, open_store

#: How often each question is asked, and in how many batches, whose median is told.
_ASKED, _BATCHES = 20_000, 15
_AT_ONCE = 5000


async def run(console: Console, *, numbers: int, phones: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite+aiosqlite:///{folder}/directory.sqlite3")
        await migrate(store)
        await _fill(store, numbers, phones)
        before = _rss_mb()
        directory = Directory(store)
        began = time.perf_counter()
        await directory.reload()
        read_s = time.perf_counter() - began
        gc.collect()
        memory = _rss_mb() - before
        again = time.perf_counter()
        await directory.reload()
        again_s = time.perf_counter() - again
        await store.close()
    chosen = random.Random(1)
    known = [_number(chosen.randrange(numbers)) for _ in range(_ASKED)]
    registered = [f"p{chosen.randrange(phones)}" for _ in range(_ASKED)]
    bare = dict.fromkeys(known, 1)
    table = Table("", "median", title=f"{numbers} numbers of {numbers // 10} accounts, {phones} phones")
    table.add_row("read whole, first and again", f"{read_s:.2f} s, {again_s:.2f} s")
    table.add_row("memory", f"{memory:.0f} MB")
    for name, asked, ask in (
        ("identify by number", known, lambda one: directory.identify(one, None)),
        ("identify by phone", registered, lambda one: directory.identify(None, one)),
        ("identify a stranger", known, lambda _: directory.identify("15145559999", None)),
        ("ceiling: one look into a dictionary", known, bare.get),
    ):
        table.add_row(name, f"{_each_us(asked, ask):.2f} µs")
    console.print(table)


def _each_us(asked: list[str], ask: Callable[[str], object]) -> float:
    size = len(asked) // _BATCHES
    taken = []
    for n in range(_BATCHES):
        batch = asked[n * size : (n + 1) * size]
        began = time.perf_counter()
        for one in batch:
            ask(one)
        taken.append((time.perf_counter() - began) / size * 1e6)
    return statistics.median(taken)


def _number(n: int) -> str:
    return f"1418{2_000_000 + n}"


async def _fill(store: Store, numbers: int, phones: int) -> None:
    accounts = max(1, numbers // 10)
    rows: list[dict[str, object]] = [{"id": n + 1, "account": f"C-{n}", "name": f"Client {n}"} for n in range(accounts)]
    people: list[dict[str, object]] = [
        {"id": n + 1, "key": f"c-{n}", "customer_id": n + 1, "name": f"Contact {n}", "kind": "administrateur"}
        for n in range(accounts)
    ]
    owned: list[dict[str, object]] = [
        {"e164": _number(n), "customer_id": n % accounts + 1, "contact_id": n % accounts + 1} for n in range(numbers)
    ]
    digest = ha1("bench", "bench")
    registering: list[dict[str, object]] = [
        {"name": f"p{n}", "kind": "customer", "customer_id": n % accounts + 1, "ha1": digest} for n in range(phones)
    ]
    async with store.unit() as unit:
        for table, given in ((t.customers, rows), (t.contacts, people), (t.numbers, owned), (t.endpoints, registering)):
            for n in range(0, len(given), _AT_ONCE):
                await _insert(unit, table, given[n : n + _AT_ONCE])


async def _insert(unit: Unit, table: Table_, rows: list[dict[str, object]]) -> None:
    if rows:
        await unit.execute(unit.insert(table), rows)


def _rss_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0
