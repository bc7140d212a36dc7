"""How long a large directory takes to import, and how long a call's write waits for it."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ivr.desk.load import load_desks
from ivr.directory import bulk_import, files, import_diff
from ivr.directory.desk_references import known_of
from ivr.directory.store import put_languages
from ivr.lists.sheets import write_sheet
from ivr.migrations.run import migrate
from ivr.store.engine import Store, open_store

#: Between a call's writes, in seconds.
_BEAT_S = 0.02


def lists(numbers: int) -> dict[str, bytes]:
    """So many numbers, of a hundredth as many accounts with an administrator each."""
    accounts = max(1, numbers // 100)
    return {
        "accounts.csv": write_sheet(
            ["key", "name", "language"], [[f"C-{n}", f"Client {n}", "fr"] for n in range(accounts)]
        ),
        "contacts.csv": write_sheet(
            ["key", "account", "name", "kind"],
            [[f"c{n}", f"C-{n}", f"Julie {n}", "administrateur"] for n in range(accounts)],
        ),
        "numbers.csv": write_sheet(
            ["number", "account", "contact"],
            [
                [
                    f"+1 {418 + n // 8_000_000} {200 + n // 10_000}-{n % 10_000:04d}",
                    f"C-{n % accounts}",
                    f"c{n % accounts}",
                ]
                for n in range(numbers)
            ],
        ),
    }


async def run(console: Console, *, numbers: int, database: str | None) -> None:
    """Import, import again, and change every row, in turn."""
    known = known_of(load_desks().values(), "main")
    given = lists(numbers)
    #: Nobody's own any more.
    moved = given | {"numbers.csv": re.sub(rb";c\d+\r", b";\r", given["numbers.csv"])}
    with tempfile.TemporaryDirectory() as folder:
        url = database or f"sqlite+aiosqlite:///{Path(folder) / 'line.sqlite3'}"
        store, calls = open_store(url), open_store(url)
        await migrate(store)
        table = Table(
            "", "read", "compare", "write", "whole", "longest wait of another's write", title=f"{numbers} numbers"
        )
        for name, lot in (("new", given), ("the same again", given), ("every number changed", moved)):
            times: dict[str, float] = {}
            with _timed(times, "whole"):
                with _timed(times, "read"):
                    drafts = await asyncio.to_thread(files.read, lot)
                with _timed(times, "compare"):
                    async with store.reading() as unit:
                        there = await bulk_import.look(unit, "main")
                    plan = await asyncio.to_thread(
                        import_diff.plan, there, drafts, provider="main", known=known, prune=False
                    )
                with _timed(times, "write"):
                    waited = await _beside(
                        calls, bulk_import.carry_out(store, plan, by="bench", at=datetime.now(UTC), source="bench")
                    )
            cells = [f"{times[one]:.2f} s" for one in ("read", "compare", "write", "whole")]
            table.add_row(name, *cells, f"{waited:.2f} s")
        console.print(table)
        await store.close()
        await calls.close()


async def _beside(calls: Store, work: Coroutine[Any, Any, None]) -> float:
    """Write as calls do while something is done; the longest that one of these writes took, in seconds."""
    longest = 0.0
    doing = asyncio.create_task(work)
    while not doing.done():
        began = time.perf_counter()
        async with calls.unit() as unit:
            await put_languages(unit, {"14185550100": "fr"})
        longest = max(longest, time.perf_counter() - began)
        await asyncio.wait([doing], timeout=_BEAT_S)
    await doing
    return longest


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    times[name] = time.perf_counter() - began
