"""Open boards while calls come and go: from an event to the screen, and at what cost; the status page beside a file.

The load is calls: SIPp's callers press their way to technical support, wait in its queue and hang up. The line's own
record tells when each joined the queue; a client knows once it has read the event, or the first drawing of the board
with the caller's number. CPU is the kernel's count of the service alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from api.stream_limits import OF_A_SESSION
from bench.running import (
    OPEN,
    Passed,
    cpu_s,
    markdown,
    open_line,
    passing_callers,
    running_service,
    until_up,
    without_limits,
)
from bench.watching import Client, callers_in_event, callers_on_board, clients
from ivr.asterisk.process import AsteriskProcess
from ivr.calls.tables import calls
from ivr.clock import system_clock
from ivr.directory.demo_accounts import demo_account_password
from ivr.settings import Address, Settings
from ivr.store.engine import open_store

PORT = 8940
_URL = f"http://127.0.0.1:{PORT}"
_NUMBER = "18446664844"
#: Each caller hangs up so long after the last key, in seconds.
_STAY_S = 6.0
#: Clients connect and calls are as many as they will be before anything is counted; and what happened last is still
#: told before the clients leave. In seconds.
_SETTLE_S, _LINGER_S = 3.0, 3.0
#: Whoever waited less than this, in seconds, may have left before anything was drawn.
_BRIEF_S = 1.0
#: What the service says when a caller's ticket could not be written in time, as its event.
_ON_DISK = "request kept on disk"
#: Clients at once that ask for pages.
_CLIENTS = 16
#: Readers of the status page at once, each asking once in so many seconds, as at the very minute of an outage.
_READERS, _READ_EVERY_S = 200, 1.0
_HEAD = (
    "who listens",
    "calls queued",
    "told",
    "median",
    "p99",
    "latest",
    "never told",
    "gone within 1 s",
    "kB/s to each",
    "service’s CPU, % of a core",
)
_PAGES_HEAD = ("page", "requests/s", "of the ceiling", "CPU ms each", "failed")


@dataclass(kw_only=True)
class _Measured:
    """One row: who listened, from when to when (seconds since 1970), and the service's share of a core."""

    who: str
    began: float = 0.0
    ended: float = 0.0
    cpu: float = math.nan
    clients: list[Client] = field(default_factory=list)
    octets: int = 0


@dataclass(frozen=True, kw_only=True)
class _Call:
    """When it began, joined the queue and was over, in seconds since 1970."""

    began: float
    queued: float | None
    ended: float | None


async def run(console: Console, *, boards: int, rate: float, seconds: float, rounds: int, output: Path | None) -> None:
    """Measure, print, and write the tables to `output` as Markdown."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        settings = _settings(Path(folder) / "line")
        async with _line(settings, console) as (pid, asterisk):
            most = math.ceil(rate * (4 * (seconds + _SETTLE_S + _LINGER_S) + 60))
            async with passing_callers(asterisk, _NUMBER, rate=rate, stay_s=_STAY_S, most=most) as passed:
                # As many leave as come, from here on.
                await asyncio.sleep(_STAY_S + 5)
                measured = [one async for one in _listened(settings, pid, boards, seconds)]
            # What is recorded of the last calls is written.
            await asyncio.sleep(3)
            pages = await _pages(pid, seconds / 2, rounds)
        known = await _calls(settings)
        log = await asyncio.to_thread((settings.state / "service.log").read_text)
    tables = [(_HEAD, [_row(one, known) for one in measured]), (_PAGES_HEAD, pages)]
    for head, rows in tables:
        table = Table(*head)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    about = _about(passed, rate, known, on_disk=log.count(_ON_DISK))
    console.print(about)
    if output is not None:
        lines = [line for head, rows in tables for line in (*markdown(head, rows), "")]
        output.write_text("\n".join([*lines, about, ""]), encoding="utf-8")


def _about(passed: Passed, rate: float, known: Mapping[str, _Call], *, on_disk: int) -> str:
    """Whether the load was what it should be."""
    stays = [one.ended - one.queued for one in known.values() if one.queued is not None and one.ended is not None]
    lasted = [one.ended - one.began for one in known.values() if one.ended is not None]
    return (
        f"{passed.made} calls, {rate:g} a second, of which {passed.failed} failed and {passed.made - len(stays)} never "
        f"came to wait; each lasted {statistics.median(lasted or [math.nan]):.1f} s, "
        f"of which {statistics.median(stays or [math.nan]):.1f} s in the queue (medians). "
        f"Of their tickets {on_disk} waited on disk for the database."
    )


def _settings(state: Path) -> Settings:
    return without_limits(
        Settings(
            state=state,
            sip=Address(host="127.0.0.1", port=5940),
            http=Address(host="127.0.0.1", port=PORT),
            agi=Address(host="127.0.0.1", port=4940),
            ami=Address(host="127.0.0.1", port=5941),
            rtp=(29_000, 32_000),
            # SIPp's digits skip sequence numbers, which strict RTP takes for a stranger's packets.
            strict_rtp=False,
            clock_shift_s=(OPEN - system_clock()).total_seconds(),
        )
    )


@contextlib.asynccontextmanager
async def _line(settings: Settings, console: Console) -> AsyncIterator[tuple[int, AsteriskProcess]]:
    """The line: its service's process, and Asterisk."""
    asterisk = await open_line(settings, console)
    try:
        async with running_service(settings) as service:
            await until_up(settings)
            if service.pid is None:
                raise RuntimeError("the service has no process")
            yield service.pid, asterisk
    finally:
        await asterisk.stop()


async def _listened(settings: Settings, pid: int, boards: int, seconds: float) -> AsyncIterator[_Measured]:
    """Nobody, clients of the events, the same beside readers of the status page, open boards."""
    nobody = _Measured(who="nobody")
    await _measure(nobody, pid, seconds)
    yield nobody
    token = (settings.state / "demo-token").read_text().strip()
    told = _Measured(who=f"{boards} × /v1/events")
    headers = {"Authorization": f"Bearer {token}"}
    async with clients(boards, f"{_URL}/v1/events", callers_in_event, headers=headers) as told.clients:
        await _measure(told, pid, seconds)
    yield told
    beside = _Measured(who="")
    listening = clients(boards, f"{_URL}/v1/events", callers_in_event, headers=headers)
    async with listening as beside.clients, _readers() as read:
        await _measure(beside, pid, seconds)
    beside.who = f"{boards} × /v1/events, beside {_READERS} readers ({read.pages} pages, {read.failed} failed)"
    yield beside
    shown = _Measured(who=f"{boards} × the board")
    url = f"{_URL}/console/board/stream"
    async with contextlib.AsyncExitStack() as opened:
        # A session has so many boards and no more.
        for first in range(0, boards, OF_A_SESSION):
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                cookies = await _signed_in(session)
            count = min(OF_A_SESSION, boards - first)
            looking = clients(count, url, callers_on_board, cookies=cookies)
            shown.clients += await opened.enter_async_context(looking)
        await _measure(shown, pid, seconds)
    yield shown


@dataclass
class _Read:
    """What readers of the status page got."""

    pages: int = 0
    failed: int = 0


@contextlib.asynccontextmanager
async def _readers() -> AsyncIterator[_Read]:
    """People who look at the status page again and again, until left; each has a connection of their own."""
    read = _Read()

    async def reader(session: aiohttp.ClientSession, first_s: float) -> None:
        await asyncio.sleep(first_s)
        while True:
            async with session.get(f"{_URL}/status/omnivigil/fr") as answer:
                await answer.read()
            read.pages += 1
            read.failed += answer.status != 200
            await asyncio.sleep(_READ_EVERY_S)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_READERS)) as session:
        tasks = [asyncio.create_task(reader(session, _READ_EVERY_S * nth / _READERS)) for nth in range(_READERS)]
        try:
            yield read
        finally:
            for task in tasks:
                task.cancel()
            # One that was refused ends the benchmark: it says so.
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended


async def _measure(into: _Measured, pid: int, seconds: float) -> None:
    await asyncio.sleep(_SETTLE_S)
    octets, before, into.began = sum(one.octets for one in into.clients), cpu_s(pid), time.time()
    await asyncio.sleep(seconds)
    into.ended = time.time()
    into.cpu = (cpu_s(pid) - before) / (into.ended - into.began) * 100
    into.octets = sum(one.octets for one in into.clients) - octets
    await asyncio.sleep(_LINGER_S)


async def _calls(settings: Settings) -> dict[str, _Call]:
    """All calls by their callers' numbers, with this machine's time."""
    shift = timedelta(seconds=settings.clock_shift_s)
    store = open_store(settings.database_url)
    try:
        async with store.reading() as unit:
            query = select(calls.c.ani, calls.c.started_at, calls.c.queued_at, calls.c.ended_at)
            return {
                row.ani: _Call(
                    began=(row.started_at - shift).timestamp(),
                    queued=(row.queued_at - shift).timestamp() if row.queued_at is not None else None,
                    ended=(row.ended_at - shift).timestamp() if row.ended_at is not None else None,
                )
                for row in await unit.execute(query)
            }
    finally:
        await store.close()


def _row(one: _Measured, known: Mapping[str, _Call]) -> tuple[str, ...]:
    """The calls that were queued meanwhile, and when each client knew of each."""
    queued = {number: call for number, call in known.items() if call.queued and one.began <= call.queued < one.ended}
    cpu = f"{one.cpu:.1f}"
    if not one.clients:
        return (one.who, str(len(queued)), *("–",) * (len(_HEAD) - 3), cpu)
    delays: list[float] = []
    never = brief = 0
    for number, call in queued.items():
        came = [client.first[number] - (call.queued or 0.0) for client in one.clients if number in client.first]
        delays += came
        if call.ended is not None and call.ended - (call.queued or 0.0) < _BRIEF_S:
            brief += len(one.clients) - len(came)
        else:
            never += len(one.clients) - len(came)
    delays.sort()
    times = (_share(delays, 0.5), _share(delays, 0.99), _share(delays, 1.0))
    each = one.octets / 1000 / (one.ended - one.began) / len(one.clients)
    told = (f"{1000 * each_s:.0f} ms" for each_s in times)
    return (one.who, str(len(queued)), str(len(delays)), *told, str(never), str(brief), f"{each:.1f}", cpu)


def _share(ordered: Sequence[float], part: float) -> float:
    if ordered:
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
    return math.nan


async def _signed_in(session: aiohttp.ClientSession) -> dict[str, str]:
    """The cookies of a technician who signed in."""
    async with session.get(f"{_URL}/console/sign-in") as answer:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', await answer.text())
    if found is None:
        raise RuntimeError("the page for signing in has no token")
    told = {"csrf": found[1], "name": "annie", "password": demo_account_password("annie")}
    async with session.post(f"{_URL}/console/sign-in", data=told, allow_redirects=False) as answer:
        if answer.status != 303:
            raise RuntimeError(f"signing in: {answer.status}")
    return {cookie.key: cookie.value for cookie in session.cookie_jar}


async def _pages(pid: int, seconds: float, rounds: int) -> list[tuple[str, ...]]:
    """The static file, which is the ceiling, and the status page, in turns."""
    paths = {"static file of the same server (ceiling)": "/status/style.css", "status page, fr": "/status/omnivigil/fr"}
    rates: dict[str, list[tuple[float, float, int]]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            rates[name].append(await _asked(pid, path, seconds))
    ceiling = statistics.median(rate for rate, _, _ in rates["static file of the same server (ceiling)"])
    return [
        (
            name,
            f"{statistics.median(rate for rate, _, _ in found):.0f}",
            f"{statistics.median(rate for rate, _, _ in found) / ceiling:.0%}",
            f"{statistics.median(cpu for _, cpu, _ in found):.2f}",
            str(sum(failed for _, _, failed in found)),
        )
        for name, found in rates.items()
    ]


async def _asked(pid: int, path: str, seconds: float) -> tuple[float, float, int]:
    """Requests a second, milliseconds of processor for each, and how many failed."""
    done = failed = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CLIENTS)) as session:

        async def client(until: float) -> None:
            nonlocal done, failed
            while time.monotonic() < until:
                async with session.get(_URL + path) as answer:
                    await answer.read()
                    done += 1
                    failed += answer.status != 200

        before, began = cpu_s(pid), time.monotonic()
        await asyncio.gather(*(client(began + seconds) for _ in range(_CLIENTS)))
        took, used = time.monotonic() - began, cpu_s(pid) - before
    return done / took, used * 1000 / max(1, done), failed
