"""What nobody foresaw in a table takes no call: a part that meets it begins again, is counted, and seen in /healthz."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import structlog
from sipsim.patience import patient

from ivr.asterisk.runtime import Runtime
from ivr.desk.hours import calendars_of
from ivr.desk.load import load_desks
from ivr.desk_reload import LiveCalendars
from ivr.line import Line
from ivr.notify.config import NoticeConfig
from ivr.process.parts import Parts
from ivr.prompts.build import Sounds
from ivr.settings import Settings
from ivr.store.engine import Store, Unit
from tests.fakes.ami import FakeAmi
from tests.fakes.announcing import humming
from tests.integration.databases import Filling, SqliteFiles

#: Parts that look at the database within moments of their beginning.
PARTS = (
    "announcements",
    "callbacks",
    "directory",
    "incidents",
    "maintenances",
    "paging",
    "promises",
    "reports",
    "roll call",
    "tickets' clocks",
    "write probe",
)
#: These note what failed by themselves, and go on without an end.
_PATIENT = ("callbacks",)


class PoisonedStore(Store):
    """A database in which parts meet a row that no code was written for."""

    #: The parts that read it, and those that did so far, and those that looked again and met nothing odd.
    poisoned: frozenset[str] = frozenset()
    bitten: set[str]
    well: set[str]

    def _look(self) -> None:
        part = structlog.contextvars.get_contextvars().get("part")
        if part is None:
            return
        if part in self.poisoned:
            self.bitten.add(part)
            raise KeyError("poison")
        self.well.add(part)

    @contextlib.asynccontextmanager
    async def unit(self, *, before: Callable[[Unit], Awaitable[None]] | None = None) -> AsyncIterator[Unit]:
        self._look()
        async with super().unit(before=before) as unit:
            yield unit

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Unit]:
        self._look()
        async with super().reading() as unit:
            yield unit


async def _nothing(store: Store) -> None: ...


@pytest.fixture(scope="module")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    """Made once: no part changes them."""
    return humming(tmp_path_factory.mktemp("sounds"), load_desks())


@pytest.fixture
async def line(sqlite_files: SqliteFiles, tmp_path: Path, sounds: Sounds) -> AsyncIterator[Line]:
    store = PoisonedStore(
        sqlite_files.database(Filling(name="nothing", fill=_nothing)).url, patience_s=5.0, connecting_s=60.0
    )
    store.bitten, store.well = set(), set()
    desks = load_desks()
    made = Line(
        settings=Settings(state=tmp_path),
        runtime=cast(Runtime, None),
        store=store,
        ami=FakeAmi(*(queue for desk in desks.values() for queue in desk.queues)),
        desks=desks,
        calendars=LiveCalendars({name: calendars_of(desk) for name, desk in desks.items()}),
        sounds=sounds,
        secrets={"agi": "agi", "hep": "hep", "totp": "totp"},
        notices=NoticeConfig(),
        clock=lambda: datetime(2026, 11, 18, 15, tzinfo=UTC),
    )
    made.parts = Parts(made.counters.part_restarted, sleep=lambda pause_s: asyncio.sleep(min(pause_s, 0.05)))
    yield made
    await made.close()
    await store.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(patient(20.0)):
        while not true():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


def restarts(line: Line, part: str) -> float:
    return line.counters.registry.get_sample_value("omnivigil_part_restarts_total", {"part": part}) or 0.0


@pytest.mark.parametrize("name", PARTS)
async def test_a_row_that_nobody_foresaw_ends_no_part_for_good(line: Line, name: str) -> None:
    store = cast(PoisonedStore, line.store)
    part = next(part for part in line.background() if part.name == name)
    assert not part.vital
    store.poisoned = frozenset({name})
    stop = asyncio.Event()
    line.parts.vital("stop signal", stop.wait)
    line.parts.add(part.name, part.run)
    running = asyncio.create_task(line.parts.run())
    await until(lambda: name in store.bitten)
    if name not in _PATIENT:
        await until(
            lambda: bool(line.counters.registry.get_sample_value("omnivigil_part_restarts_total", {"part": name}))
        )
        assert line.parts.failing == {name: "KeyError"}
        assert (await line.health()).components["parts"] == f"degraded: {name}: KeyError"
    assert not running.done(), "the line goes on"
    store.poisoned = frozenset()
    await until(lambda: name in store.well)
    stop.set()
    assert await running == "stop signal"
    await line.parts.stop(2)
