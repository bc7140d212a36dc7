"""What the end of a part means: no exception of one ends the service, unless the part is vital."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from ivr.process.parts import PartEnded, Parts, pause_after

RAISED: tuple[Callable[[], BaseException], ...] = (
    lambda: OSError(errno.EMFILE, "Too many open files"),
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: RuntimeError("can't start new thread"),
    MemoryError,
    lambda: KeyError("a row that nobody foresaw"),
    asyncio.CancelledError,
)


class World:
    """Parts, with a clock that only their pauses move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.restarted: list[str] = []
        self.parts = Parts(self.restarted.append, monotonic=lambda: self.now, sleep=self._sleep)
        self.end = asyncio.Event()
        self.parts.vital("stop signal", self.end.wait)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("raised", RAISED)
async def test_whatever_a_part_raises_it_is_started_again_and_the_others_go_on(
    raised: Callable[[], BaseException],
) -> None:
    world = World()
    starts, other = 0, asyncio.Event()

    async def poisoned() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise raised()
        world.end.set()
        await asyncio.Event().wait()

    async def beside() -> None:
        other.set()
        await asyncio.Event().wait()

    world.parts.add("poisoned", poisoned)
    world.parts.add("beside", beside)
    assert await world.parts.run() == "stop signal"
    await world.parts.stop(1)
    assert starts == 2
    assert other.is_set()
    assert world.restarted == ["poisoned"]
    assert world.pauses == [0.5]


async def test_a_part_that_fails_for_long_pauses_ever_longer_and_says_so_once_a_minute() -> None:
    world = World()

    async def failing() -> None:
        if len(world.pauses) == 20:
            world.end.set()
            await asyncio.Event().wait()
        raise OSError(errno.ENOSPC, "No space left on device")

    world.parts.add("failing", failing)
    with capture_logs() as lines:
        await world.parts.run()
        await world.parts.stop(1)
    assert world.pauses[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert sum(world.pauses) / 60 >= len(lines) - 1
    assert sum(line["failures"] for line in lines) <= 20
    # The traceback once, the reason each time.
    assert [line["exc_info"] is not None for line in lines] == [True] + [False] * (len(lines) - 1)
    assert all("No space left" in line["reason"] for line in lines)


async def test_a_part_is_degraded_until_it_has_run_for_a_minute() -> None:
    world = World()
    failed = asyncio.Event()

    async def failing() -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "Too many open files: +1 514 555 0199")
        world.end.set()
        await asyncio.Event().wait()

    world.parts.add("spool", failing)
    assert world.parts.failing == {}
    await world.parts.run()
    # What the exception says may be about a person, and the public may read this.
    assert world.parts.failing == {"spool": "OSError"}
    world.now += 61
    assert world.parts.failing == {}
    await world.parts.stop(1)


async def test_the_end_of_a_part_that_should_never_end_is_a_failure_too() -> None:
    world = World()

    async def ends() -> None:
        if world.restarted:
            world.end.set()
            await asyncio.Event().wait()

    world.parts.add("ends", ends)
    await world.parts.run()
    await world.parts.stop(1)
    assert world.restarted == ["ends"]


async def test_a_vital_part_ends_the_service_and_its_exception_is_told() -> None:
    world = World()

    async def gone() -> None:
        raise OSError("no more")

    world.parts.vital("events", gone)
    with pytest.raises(PartEnded, match="events") as raised:
        await world.parts.run()
    assert isinstance(raised.value.__cause__, OSError)
    await world.parts.stop(1)


async def test_what_is_stopped_is_not_started_again() -> None:
    world = World()
    running = asyncio.Event()

    async def goes_on() -> None:
        running.set()
        world.end.set()
        await asyncio.Event().wait()

    world.parts.add("goes on", goes_on)
    await world.parts.run()
    assert running.is_set()
    await world.parts.stop(1)
    assert world.restarted == []


def test_the_pause_is_bounded_however_often_a_part_fails() -> None:
    assert pause_after(1) == 0.5
    assert pause_after(1_000_000) == 30.0


async def test_at_the_end_a_part_that_runs_out_of_work_has_not_failed() -> None:
    """The bus is closed before the parts are stopped: who follows it comes to its end."""
    world = World()
    closed, over = asyncio.Event(), asyncio.Event()

    async def follower() -> None:
        world.end.set()
        await closed.wait()
        over.set()

    world.parts.add("follower", follower)
    with capture_logs() as said:
        await world.parts.run()
        world.parts.end()
        closed.set()
        await over.wait()
        await world.parts.stop(1)
    assert said == []
    assert world.restarted == []
