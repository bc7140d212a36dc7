"""Whether the verdict on a bad call names the right side: faults of known places, and what was made of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sipsim.impaired import GOOD, Network, PhoneCall, TrunkEnd
from sipsim.raw import CallFailed

from bench.running import line_settings, markdown
from ivr.asterisk import process
from ivr.asterisk.ami import Ami
from ivr.calltrace.intake import TraceIntake
from ivr.calltrace.service import CallTraces
from ivr.cli.up import ensure_runtime
from ivr.directory.demo import demo_password
from ivr.directory.lookup import Directory
from ivr.events import EventBus
from ivr.evidence import legs
from ivr.evidence.collector import Collector
from ivr.evidence.legs import Device
from ivr.evidence.packet_buffer import Ring
from ivr.prepare import line_secrets, prepare
from ivr.settings import Address, Settings
from ivr.store.engine import open_store
from ivr.tickets.spool import Spool

PORTS = {"sip": 5960, "http": 8960, "agi": 4960, "ami": 5961}
_TRUNK = 5965
_PHONE = "6001"
#: Calls begin this long after one another, in seconds, so that signalling and reports spread.
_APART_S = 0.25
CAUSES = ("uplink", "downlink", "access", "trunk", "ours", "inconclusive")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault, and what the verdict should be."""

    name: str
    expected: str
    near_up: Network = GOOD
    near_down: Network = GOOD
    far_up: Network = GOOD
    far_down: Network = GOOD
    #: The share of packets lost, where the fault is loss.
    loss: float = 0.0


def scenarios() -> list[Scenario]:
    """Loss, jitter and delay on one side and direction at a time; both sides at once are our own network's."""
    faults = [(f"loss {share:.0%}", Network(loss=share), share) for share in (0.02, 0.04, 0.06, 0.1, 0.2)]
    faults += [(f"jitter {ms} ms", Network(shake_ms=ms), 0.0) for ms in (150, 220, 300)]
    slow = [(f"delay {ms} ms", Network(delay_ms=ms), 0.0) for ms in (200, 300, 450)]
    found = []
    for name, bad, share in faults:
        found += [
            Scenario(name=f"{name}, phone up", expected="uplink", near_up=bad, loss=share),
            Scenario(name=f"{name}, phone down", expected="downlink", near_down=bad, loss=share),
            Scenario(name=f"{name}, phone both", expected="access", near_up=bad, near_down=bad, loss=share),
            Scenario(name=f"{name}, trunk up", expected="trunk", far_up=bad, loss=share),
            Scenario(name=f"{name}, trunk down", expected="trunk", far_down=bad, loss=share),
            Scenario(name=f"{name}, ours in", expected="ours", near_up=bad, far_up=bad, loss=share),
            Scenario(name=f"{name}, ours out", expected="ours", near_down=bad, far_down=bad, loss=share),
        ]
    for name, bad, _ in slow:
        # There and back is one figure: a delay has a side, and no direction.
        found += [
            Scenario(name=f"{name}, phone up", expected="access", near_up=bad),
            Scenario(name=f"{name}, phone down", expected="access", near_down=bad),
            Scenario(name=f"{name}, trunk up", expected="trunk", far_up=bad),
            Scenario(name=f"{name}, trunk down", expected="trunk", far_down=bad),
            Scenario(name=f"{name}, ours", expected="ours", near_up=bad, far_down=bad),
        ]
    return [*found, Scenario(name="no fault", expected="inconclusive")]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One call: what was done to it and what was found."""

    scenario: Scenario
    found: str
    mos: float | None
    reasons: str


async def run(console: Console, *, calls: int, seconds: float, together: int, output: Path | None) -> None:
    """Make the calls, judge each from the evidence of a real Asterisk, print the confusion matrix."""
    with tempfile.TemporaryDirectory(prefix="omnivigil-bench-") as folder:
        outcomes = await _measure(Path(folder), console, calls, seconds, together)
    text = _tell(console, outcomes, seconds)
    if output is not None:
        output.write_text(text, encoding="utf-8")


async def _measure(folder: Path, console: Console, calls: int, seconds: float, together: int) -> list[Outcome]:
    settings = line_settings(
        folder,
        PORTS,
        rtp=(24_000, 29_998),
        outbound=Address(host="127.0.0.1", port=_TRUNK),
    )
    found = await ensure_runtime(settings, console)
    prepared = await prepare(settings, found, lambda _: None)
    asterisk = await process.start(found, settings)
    store = open_store(settings.database_url)
    ring = Ring()
    collector = Collector(ring)
    ami = Ami(settings.ami.host, settings.ami.port, "service", line_secrets(folder)["ami_service"])
    traces = CallTraces(
        store=store,
        spool=Spool(folder / "traces"),
        ring=ring,
        directory=Directory(store),
        desk=prepared.main_desk,
        bus=EventBus(),
        clock=lambda: datetime.now(UTC),
        rtp_ports=settings.rtp,
    )
    plan = _plan(calls)
    trunk = TrunkEnd(lambda number: (plan[int(number[-4:])].far_up, plan[int(number[-4:])].far_down))
    collector.start(settings.hep_collector)
    collecting = asyncio.create_task(collector.run())
    await ami.connect()
    reading = asyncio.create_task(_read(ami, ring))
    outcomes: list[Outcome] = []
    try:
        await trunk.open(_TRUNK)
        places = asyncio.Semaphore(together)

        async def one(index: int) -> None:
            async with places:
                outcome = await _call(plan[index], index, settings, ring, traces, seconds)
                if outcome is not None:
                    outcomes.append(outcome)
                if len(outcomes) % 20 == 0:
                    console.print(f"{len(outcomes)} of {calls} calls judged")

        async with asyncio.TaskGroup() as group:
            for index in range(calls):
                group.create_task(one(index))
                await asyncio.sleep(_APART_S)
    finally:
        trunk.close()
        reading.cancel()
        collecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await ami.close()
        collector.close()
        await store.close()
        await asterisk.stop()
    return outcomes


def _plan(calls: int) -> list[Scenario]:
    """Every scenario as often as the others, mixed; our own faults last, for they are told by being many at once."""
    known = scenarios()
    wanted = [known[index % len(known)] for index in range(calls)]
    ours = [one for one in wanted if one.expected == "ours"]
    others = [one for one in wanted if one.expected != "ours"]
    random.Random(57).shuffle(others)
    return [*others, *ours]


async def _read(ami: Ami, ring: Ring) -> None:
    async for event in ami.events():
        if (leg := legs.read(event)) is not None:
            ring.ended(leg)


async def _call(
    scenario: Scenario, index: int, settings: Settings, ring: Ring, traces: CallTraces, seconds: float
) -> Outcome | None:
    server = (settings.sip.host, settings.sip.port)
    number = f"1514555{index:04}"
    try:
        async with PhoneCall(
            server, _PHONE, demo_password(_PHONE), number, up=scenario.near_up, down=scenario.near_down
        ) as call:
            await asyncio.sleep(seconds)
    except (CallFailed, TimeoutError):
        return None
    deadline = time.monotonic() + 5
    while (ended := ring.call_with(call.call_id)) is None or len(ended.legs) < 2:
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.05)
    intake: TraceIntake = await asyncio.to_thread(traces.intake, ended, Device(phone=_PHONE), report_id=str(index))
    reasons = ", ".join(reason.key for reason in intake.reasons)
    return Outcome(scenario=scenario, found=intake.cause, mos=intake.mos, reasons=reasons)


def _tell(console: Console, outcomes: list[Outcome], seconds: float) -> str:
    counts = Counter((one.scenario.expected, one.found) for one in outcomes)
    causes = [*CAUSES, *sorted({one.found for one in outcomes} - set(CAUSES))]
    table = Table("fault \\ verdict", *causes, title=f"{len(outcomes)} calls of {seconds:g} s")
    rows = []
    for expected in CAUSES:
        row = [expected, *(str(counts[expected, cause] or "·") for cause in causes)]
        rows.append(row)
        table.add_row(*row)
    console.print(table)
    faults = [one for one in outcomes if one.scenario.expected != "inconclusive"]
    decided = [one for one in faults if one.found != "inconclusive"]
    right = sum(one.found == one.scenario.expected for one in decided)
    heavy = [one for one in faults if one.scenario.loss > 0.03]
    undecided = sum(one.found == "inconclusive" for one in heavy)
    customer = ("uplink", "downlink", "access", "other-party")
    blamed = sum(one.scenario.expected == "ours" and one.found in customer for one in outcomes)
    lines = [
        f"right where it decides: {right} of {len(decided)} ({right / max(1, len(decided)):.1%}; aim 95 %)",
        f"inconclusive above 3 % loss: {undecided} of {len(heavy)} ({undecided / max(1, len(heavy)):.1%}; aim < 10 %)",
        f"ours blamed on the customer: {blamed} (aim 0)",
    ]
    for line in lines:
        console.print(line)
    for one in outcomes:
        if one.found != one.scenario.expected:
            console.print(f"  {one.scenario.name}: {one.found} ({one.reasons}; MOS {one.mos})")
    head = ["fault \\ verdict", *causes]
    return "\n".join([*markdown(head, rows), "", *(f"- {line}" for line in lines), ""])
