"""Open boards under events: how late each hears, and at what cost; and the status page beside a static file."""

from __future__ import annotations

import asyncio
import contextlib
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.running import cpu_s, running_service, until_up
from ivr.accounts.demo import demo_account_password
from ivr.asterisk import process
from ivr.prepare import prepare
from ivr.settings import Address, Settings
from ivr.up import ensure_runtime

PORT = 8940
_URL = f"http://127.0.0.1:{PORT}"
#: What one client does with its connections.
Listen = Callable[[aiohttp.ClientSession], Coroutine[Any, Any, None]]
#: Clients at once that ask for pages.
_CLIENTS = 16
_HEAD = ("who listens", "heard in all", "delay median ms", "p99 ms", "service's CPU, % of a core")
_PAGES_HEAD = ("page", "requests/s", "of the ceiling", "CPU ms each", "failed")


async def run(console: Console, *, boards: int, rate: float, seconds: float, rounds: int, output: Path | None) -> None:
    """Measure, print, and write the tables to `output` as Markdown."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        async with _line(Path(folder) / "line", console) as (pid, token):
            async with _happening(rate, token):
                await asyncio.sleep(2)
                nobody = await _cpu_while(pid, seconds)
                rows = [
                    ("nobody", "–", "–", "–", f"{nobody:.1f}"),
                    await _events(pid, token, boards, seconds),
                    await _boards(pid, boards, seconds),
                ]
            pages = await _pages(pid, seconds / 2, rounds)
    tables = [(_HEAD, rows), (_PAGES_HEAD, pages)]
    for head, lines in tables:
        table = Table(*head)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    if output is not None:
        text = [
            "\n".join(
                [
                    "| " + " | ".join(head) + " |",
                    "|" + "---|" * len(head),
                    *("| " + " | ".join(x) + " |" for x in lines),
                ]
            )
            for head, lines in tables
        ]
        output.write_text("\n\n".join(text) + "\n", encoding="utf-8")


@contextlib.asynccontextmanager
async def _line(state: Path, console: Console) -> AsyncIterator[tuple[int, str]]:
    """A line without callers: the service's process, and the demo's token."""
    settings = Settings(
        state=state,
        sip=Address(host="127.0.0.1", port=5940),
        http=Address(host="127.0.0.1", port=PORT),
        agi=Address(host="127.0.0.1", port=4940),
        ami=Address(host="127.0.0.1", port=5941),
        rtp=(29_000, 29_998),
    )
    found = await ensure_runtime(settings, console)
    await prepare(settings, found, lambda _: None)
    token = await asyncio.to_thread((state / "demo-token").read_text)
    asterisk = await process.start(found, settings)
    try:
        async with running_service(settings) as service:
            await until_up(settings)
            if service.pid is None:
                raise RuntimeError("the service has no process")
            yield service.pid, token.strip()
    finally:
        await asterisk.stop()


@contextlib.asynccontextmanager
async def _happening(rate: float, token: str) -> AsyncIterator[None]:
    """Tickets are opened, so many a second, each with the moment at which it was asked for."""

    async def open_tickets(session: aiohttp.ClientSession) -> None:
        number = 0
        began = time.monotonic()
        pending: set[asyncio.Task[None]] = set()
        while True:
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            task = asyncio.create_task(one(session))
            pending.add(task)
            task.add_done_callback(pending.discard)

    async def one(session: aiohttp.ClientSession) -> None:
        body = {"requester_name": f"stamp-{time.time():.6f}", "requester_email": "bench@bench.example"}
        async with session.post(f"{_URL}/v1/tickets", json=body) as answer:
            await answer.read()

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        task = asyncio.create_task(open_tickets(session))
        yield
        task.cancel()
        await asyncio.wait({task})


async def _cpu_while(pid: int, seconds: float) -> float:
    """The share of a core that a process uses meanwhile, as a percentage."""
    before, began = cpu_s(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - began) * 100


async def _events(pid: int, token: str, clients: int, seconds: float) -> tuple[str, ...]:
    """Clients of /v1/events: from the moment a ticket is asked for, its commit included, until each has heard."""
    delays: list[float] = []

    async def listen(session: aiohttp.ClientSession) -> None:
        async with session.get(f"{_URL}/v1/events") as answer:
            async for line in answer.content:
                now = time.time()
                delays.extend(now - float(stamp) for stamp in re.findall(rb"stamp-([0-9.]+)", line))

    cpu = await _with_clients(clients, {"Authorization": f"Bearer {token}"}, {}, listen, pid, seconds)
    if not delays:
        raise RuntimeError("nobody heard anything")
    delays.sort()
    middle, late = statistics.median(delays), delays[int(len(delays) * 0.99)]
    return (f"{clients} × /v1/events", str(len(delays)), f"{middle * 1000:.1f}", f"{late * 1000:.1f}", f"{cpu:.1f}")


async def _boards(pid: int, clients: int, seconds: float) -> tuple[str, ...]:
    """Open boards: what they cost, and the parts that they are sent."""
    parts = 0
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        cookies = await _signed_in(session)

    async def listen(session: aiohttp.ClientSession) -> None:
        nonlocal parts
        async with session.get(f"{_URL}/console/board/stream") as answer:
            answer.raise_for_status()
            async for line in answer.content:
                parts += line.startswith(b"event: ")

    cpu = await _with_clients(clients, {}, cookies, listen, pid, seconds)
    return (f"{clients} × the board", str(parts), "–", "–", f"{cpu:.1f}")


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


async def _with_clients(
    count: int,
    headers: dict[str, str],
    cookies: dict[str, str],
    listen: Listen,
    pid: int,
    seconds: float,
) -> float:
    """The server's processor while so many clients listen."""
    patient = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        headers=headers, cookies=cookies, timeout=patient, connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        clients = [asyncio.create_task(listen(session)) for _ in range(count)]
        await asyncio.sleep(2)
        cpu = await _cpu_while(pid, seconds)
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)
    return cpu


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
