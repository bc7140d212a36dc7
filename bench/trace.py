"""How soon *57 answers: the first sound after the answer, with so many reports a second, each of a call of its own."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

from rich.console import Console
from sipsim.impaired import GOOD, PhoneCall, TrunkEnd
from sipsim.raw import CallFailed

from bench.running import line_settings, running_service, until_up
from ivr.asterisk import process
from ivr.cli.up import ensure_runtime
from ivr.directory import store as directory
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import endpoints
from ivr.migrations.run import migrate
from ivr.prepare import prepare
from ivr.settings import Address, Settings
from ivr.store.engine import open_store

PORTS = {"sip": 5940, "http": 8940, "agi": 4940, "ami": 5941}
_TRUNK = 5945
_PHONES = 120
#: Each phone talks so long, in seconds, before it reports.
_TALK_S = 3.0
#: And listens so long to what *57 says.
_LISTEN_S = 2.0


async def run(console: Console, *, rate: float, seconds: float, output: Path | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        delays, failed, tickets = await _measure(Path(folder), console, rate, seconds)
    delays.sort()

    def share(part: float) -> float:
        if delays:
            return delays[min(len(delays) - 1, int(part * len(delays)))] * 1000
        return float("nan")

    text = (
        f"{len(delays)} reports at {rate:g} a second: first sound after "
        f"p50 {share(0.5):.0f} ms, p99 {share(0.99):.0f} ms "
        f"(aim: p99 within 300 ms); {failed} failed; {tickets} tickets"
    )
    console.print(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


async def _measure(folder: Path, console: Console, rate: float, seconds: float) -> tuple[list[float], int, int]:
    settings = line_settings(
        folder,
        PORTS,
        rtp=(24_000, 29_998),
        outbound=Address(host="127.0.0.1", port=_TRUNK),
    )
    found = await ensure_runtime(settings, console)
    store = open_store(settings.database_url)
    await migrate(store)
    async with store.unit() as unit:
        for number in range(_PHONES):
            name = str(8000 + number)
            phone = {"name": name, "kind": "department", "language": "fr", "ha1": ha1(name, name), "caller_id": name}
            await directory.add(unit, endpoints, phone | {"display": name})
    await store.close()
    await prepare(settings, found, lambda _: None)
    asterisk = await process.start(found, settings)
    trunk = TrunkEnd(lambda _: (GOOD, GOOD))
    delays: list[float] = []
    failed = 0
    server = (settings.sip.host, settings.sip.port)

    async def one(number: int) -> None:
        nonlocal failed
        name = str(8000 + number % _PHONES)
        try:
            async with PhoneCall(server, name, name, f"1514555{number:04}"):
                await asyncio.sleep(_TALK_S * random.uniform(0.8, 1.2))
            async with PhoneCall(server, name, name, "*57") as call:
                await asyncio.sleep(_LISTEN_S)
            if call.first_heard is None:
                failed += 1
            else:
                delays.append(call.first_heard - call.answered)
        except (CallFailed, TimeoutError):
            failed += 1

    try:
        await trunk.open(_TRUNK)
        async with running_service(settings):
            await until_up(settings)
            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for number in range(round(rate * seconds)):
                    group.create_task(one(number))
                    await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
    finally:
        trunk.close()
        await asterisk.stop()
    return delays, failed, await _tickets(settings)


async def _tickets(settings: Settings) -> int:
    from sqlalchemy import func, select

    from ivr.calltrace.tables import call_traces

    store = open_store(settings.database_url)
    try:
        async with store.reading() as unit:
            return int((await unit.execute(select(func.count()).select_from(call_traces))).scalar_one())
    finally:
        await store.close()
