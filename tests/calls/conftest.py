"""One open line and one closed one, shared by all test processes; phones of each process's own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from sipsim.handset import Handset
from sipsim.phones import Phone, PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls import line as lines
from tests.calls.fraud import Carrier
from tests.calls.line import Line

_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Calls last as long as people talk; the first one also waits for its line to start."""
    for item in items:
        if "tests/calls" in item.nodeid:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes of this run have."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@contextmanager
def _shared_line(shared: Path, name: str, now: str) -> Iterator[Line]:
    """The first to ask starts it, the last to leave ends it."""
    known, users, lock = shared / f"{name}.json", shared / f"{name}.users", FileLock(shared / f"{name}.lock")
    with lock:
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            generation = len(list(shared.glob(f"{name}-state-*")))
            lines.write(lines.start_line(shared / f"{name}-state-{generation}", now=now), known)
        users.write_text(str(count + 1))
        line = lines.read(known)
    try:
        yield line
    finally:
        with lock:
            count = int(users.read_text()) - 1
            users.write_text(str(count))
            if count == 0:
                lines.stop_line(line)


@pytest.fixture(scope="session")
def open_line(shared: Path) -> Iterator[Line]:
    """A line on a working morning."""
    with _shared_line(shared, "open", lines.OPEN) as line:
        yield line


@pytest.fixture(scope="session")
def closed_line(shared: Path) -> Iterator[Line]:
    """A line on a Saturday."""
    with _shared_line(shared, "closed", lines.CLOSED) as line:
        yield line


@pytest.fixture(scope="session")
def known_prompts(open_line: Line) -> Recogniser:
    """Recognises what any line says: sounds are named by content, and all lines have the same."""
    return Recogniser.load(Path(open_line.state) / "sounds")


@pytest.fixture(scope="session")
def closed_prompts(closed_line: Line) -> Recogniser:
    """The same, with the openings that a closed line speaks of."""
    return Recogniser.load(Path(closed_line.state) / "sounds")


@pytest.fixture(scope="module")
def outside() -> int:
    """The port of the network behind the trunk."""
    return lines.free_ports(1)[0]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, outside: int) -> Iterator[Line]:
    """A line of the module's own with a way out, where the module makes no other."""
    options = ("--outbound", f"127.0.0.1:{outside}")
    with lines.running_line(tmp_path_factory.mktemp("outside") / "line", now=lines.OPEN, options=options) as running:
        yield running


@pytest.fixture
async def carrier(outside: int) -> AsyncIterator[Carrier]:
    """It listens while a test lasts."""
    one = Carrier()
    await one.open(outside)
    yield one
    one.close()


class SharedPhones(PhoneFarm):
    """Phones on a line that other test processes use too: each phone is at one of them at a time."""

    def __init__(self, folder: Path, *, server: str, locks: Path) -> None:
        self._locks = locks / server.replace(":", "-")
        self._locks.mkdir(exist_ok=True)
        self._taken: dict[str, FileLock] = {}
        super().__init__(folder, server=server)

    def take(self, name: str) -> None:
        """Wait until no other test has this phone."""
        if name not in self._taken:
            # Taken in a thread, given back in another.
            lock = FileLock(self._locks / f"{name}.lock", timeout=200, thread_local=False)
            lock.acquire()
            self._taken[name] = lock

    def close(self) -> None:
        super().close()
        while self._taken:
            self._taken.popitem()[1].release()


@pytest.fixture
def farm(open_line: Line, tmp_path: Path, shared: Path) -> Iterator[PhoneFarm]:
    """Phones on the open line."""
    with SharedPhones(tmp_path / "phones", server=open_line.address, locks=shared) as phones:
        yield phones


@pytest.fixture
def closed_farm(closed_line: Line, tmp_path: Path, shared: Path) -> Iterator[PhoneFarm]:
    """Phones on the closed line."""
    with SharedPhones(tmp_path / "phones", server=closed_line.address, locks=shared) as phones:
        yield phones


Make = Callable[..., Awaitable[Handset]]


@pytest.fixture
async def handset(open_line: Line, shared: Path) -> AsyncIterator[Make]:
    """Makes registered handsets on the open line, each once no other test has its account."""
    locks = shared / open_line.address.replace(":", "-")
    locks.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:

        async def make(name: str, *, account: bool = True, **options: Any) -> Handset:
            if account:
                lock = FileLock(locks / f"{name}.lock", timeout=200, thread_local=False)
                await asyncio.to_thread(lock.acquire)
                stack.callback(lock.release)
            one = await stack.enter_async_context(Handset(open_line.server, name, f"demo-{name}", **options))
            if account:
                assert (await one.register()).status == 200
                stack.push_async_callback(leave, one)
            return one

        async def leave(one: Handset) -> None:
            if not one.gone:
                await one.register(0)

        yield make


@pytest.fixture
def ani(worker_id: str) -> Callable[[], str]:
    """A caller's number that no other test uses: its calls are found by it. As the API tells it, with country code."""
    worker = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return lambda: f"1514{200 + worker}{next(_numbers) + 1000:04}"


@pytest.fixture
def technicians(shared: Path, open_line: Line) -> Iterator[None]:
    """The technicians for this test alone, logged out before and after."""
    with FileLock(shared / "technicians.lock"):
        log_out_all(open_line)
        yield
        log_out_all(open_line)


def log_out_all(line: Line) -> None:
    """Nobody answers any queue."""
    for queue in line.api("GET", "/v1/queues"):
        for member in queue["members"]:
            line.api("DELETE", f"/v1/queues/{queue['id']}/members/{member['endpoint']}")


def registered(farm: PhoneFarm, name: str, how: Answering | None = None) -> Phone:
    """A phone of the demo directory, registered; on a shared line, once no other test has it."""
    if isinstance(farm, SharedPhones):
        farm.take(name)
    return farm.phone(name, password=f"demo-{name}", answering=how).register()
