"""Hurts a loaded line of its own at random, watches it from outside, and tells what did not hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from sipsim.recognise import Recogniser

from bench import faults_doubles as doubles
from bench.faults_doubles import Carrier, Mail, Twilio
from bench.faults_kinds import KINDS, Kind, Scene
from bench.faults_line import REPOSITORY, HurtLine, LineLost, free_ports, mounted_image, run
from bench.faults_people import LIMIT_S, Crowd, Systems, Technicians, Visit, first_sound
from ivr.cli.up import ensure_postgresql
from ivr.errors import BadInput
from ivr.tools import postgresql_server
from ivr.tools.postgresql_server import Cluster

#: Until calls work again after a fault, in seconds; a line that needs longer is lost, and the campaign with it.
_BACK_S: Final = 60.0
#: Between two faults, in seconds.
_PAUSE_S: Final = (4.0, 8.0)
#: Around a fault in which Asterisk itself was hurt its calls are not held against it, in seconds.
_AROUND_S: Final = 2.0
_IMAGE_MB: Final = 1500


@dataclass(kw_only=True)
class Fault:
    """One fault; times by time.perf_counter."""

    kind: Kind
    began: float
    healed: float = 0.0
    #: Since it began, in seconds: until /healthz said 200, until a new call was answered and heard something.
    healthy_s: float | None = None
    calls_s: float | None = None
    #: Until that call's first sound, since it was dialled.
    sound_s: float | None = None

    @property
    def over(self) -> float:
        """When nothing of it was left."""
        return max(self.healed, self.began + max(self.healthy_s or 0.0, self.calls_s or 0.0))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that may never be: what, and in or after which fault."""

    what: str
    of: str
    during: str

    def __str__(self) -> str:
        return f"{self.what}: {self.of}" + (f" ({self.during})" if self.during else "")


@dataclass(kw_only=True)
class Outcome:
    """What a campaign found."""

    faults: list[Fault] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def plan(kinds: Sequence[Kind], seed: int) -> Iterable[Kind]:
    """Kinds without end, each once before any comes again; the same for the same seed."""
    chance = random.Random(f"faults {seed}")
    while True:
        bag = list(kinds)
        chance.shuffle(bag)
        yield from bag


def applicable(only: Sequence[str], *, database: str, image: bool, restart: bool) -> tuple[list[Kind], dict[str, str]]:
    """The kinds that can be done here, and why the others cannot. Raises BadInput for a kind that is not known."""
    known = {kind.name for kind in KINDS}
    if unknown := sorted(set(only) - known):
        raise BadInput(
            field="--only", problem=f"{', '.join(unknown)} is unknown", mend=f"one of {', '.join(sorted(known))}"
        )
    without = {
        "sqlite": "the line is on PostgreSQL" if database != "sqlite" else "",
        "postgresql": "the line is on SQLite; --database postgresql" if database != "postgresql" else "",
        "image": "a disk of its own cannot be mounted here; as root" if not image else "",
        "restart": "there is no such command" if not restart else "",
        "": "",
    }
    wanted = [kind for kind in KINDS if not only or kind.name in only]
    skipped = {kind.name: without[kind.needs] for kind in wanted if without[kind.needs]}
    if not only:
        skipped["clock steps"] = "a line's clock cannot be stepped from outside"
        skipped["SQLite's file read-only"] = "whoever has it open goes on writing"
    if not image and any(kind.name == "power_cut" for kind in wanted):
        skipped["power_cut, its disk"] = "everything is killed, but without a disk of its own nothing unsynced is lost"
    return [kind for kind in wanted if kind.name not in skipped], skipped


async def run_campaign(
    console: Console,
    *,
    minutes: float,
    seed: int,
    only: Sequence[str] = (),
    database: str = "sqlite",
    rate: float = 0.3,
    silence_s: float = LIMIT_S,
    callbacks: bool = True,
) -> Outcome:
    """Hurt a line for so many minutes; every process, disk and folder of it is gone afterwards.

    Who hears nothing for longer than `silence_s` is told as a violation. Without `callbacks` nobody asks for one, and
    technicians are quick.
    """
    if (mine := asyncio.current_task()) is not None:
        # As Ctrl-C does: what was started and mounted goes with us.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, mine.cancel)
    # Callers listen, phones wait and processes are looked for, each in a thread.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(48))
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ov-faults-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # PostgreSQL runs as nobody when root starts it.
        folder.chmod(0o755)
        state = folder / "line"
        image = any(_on_a_disk(kind) for kind in KINDS if not only or kind.name in only)
        image = image and mounted_image(state, _IMAGE_MB)
        if image:
            stack.callback(_unmount, state)
        restart = _has_restart()
        kinds, skipped = applicable(only, database=database, image=image, restart=restart)
        if database == "postgresql":
            await ensure_postgresql(postgresql_server.embedded(REPOSITORY), console)
        server = _server(folder) if database == "postgresql" else None
        if server is not None:
            server.start()
            stack.callback(_stop, server)
        return await _campaign(
            console,
            folder=folder,
            kinds=kinds,
            outcome=Outcome(skipped=skipped),
            image=state.with_suffix(".ext4") if image else None,
            server=server,
            minutes=minutes,
            seed=seed,
            rate=rate,
            silence_s=silence_s,
            callbacks=callbacks,
        )


def _on_a_disk(kind: Kind) -> bool:
    """Whether it hurts the state folder's disk, which has to be one of its own then."""
    return kind.needs == "image" or kind.name == "power_cut"


def _unmount(state: Path) -> None:
    for words in (("umount", str(state)), ("umount", "-l", str(state))):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            run(*words)
            return


def _has_restart() -> bool:
    done = subprocess.run([str(REPOSITORY / "omnivigil"), "restart", "--help"], capture_output=True, check=False)
    return done.returncode == 0


def _server(folder: Path) -> Cluster:
    programs = postgresql_server.find(postgresql_server.embedded(REPOSITORY))
    # It keeps what it confirmed: fsync as it comes.
    return Cluster(folder=folder / "pg", programs=programs, settings={"max_connections": "50"})


def _stop(server: Cluster) -> None:
    with contextlib.suppress(postgresql_server.ServerFailed):
        server.stop("immediate")


@contextlib.asynccontextmanager
async def outside(
    folder: Path, database: str | None, *, pairs: int = 49, calls: int = 27
) -> AsyncIterator[tuple[HurtLine, Carrier, Mail, Twilio]]:
    """A line that runs, with a carrier, a mail server and Twilio of the campaign's own around it.

    It has so many pairs of media ports, and takes so many calls at once.
    """
    carrier, mail, twilio = Carrier(free_ports(1)[0]), Mail(), Twilio()
    await carrier.open()
    await mail.open()
    await twilio.open()
    line = HurtLine(
        folder=folder,
        carrier=carrier.port,
        database=database,
        pairs=pairs,
        calls=calls,
        environment={
            "OMNIVIGIL_SMTP_HOST": "127.0.0.1",
            "OMNIVIGIL_SMTP_PORT": str(mail.port),
            "OMNIVIGIL_SMTP_TLS": "none",
            "OMNIVIGIL_SMTP_FROM": "support@omnivigil.example",
            "OMNIVIGIL_TWILIO_ACCOUNT_SID": doubles.SID,
            "OMNIVIGIL_TWILIO_AUTH_TOKEN": doubles.TOKEN,
            "OMNIVIGIL_TWILIO_API": f"http://127.0.0.1:{twilio.port}",
        },
    )
    try:
        await asyncio.to_thread(line.start)
        await line.until_up()
        yield line, carrier, mail, twilio
    finally:
        await asyncio.to_thread(line.stop)
        carrier.close()
        mail.close()
        await twilio.close()


async def _campaign(  # noqa: PLR0913 - what a campaign is made of
    console: Console,
    *,
    folder: Path,
    kinds: Sequence[Kind],
    outcome: Outcome,
    image: Path | None,
    server: Cluster | None,
    minutes: float,
    seed: int,
    rate: float,
    silence_s: float,
    callbacks: bool,
) -> Outcome:
    url = server.url("postgres") if server is not None else None
    async with outside(folder, url) as (line, carrier, mail, twilio):
        known = await asyncio.to_thread(Recogniser.load, line.state / "sounds")
        scene = Scene(line=line, mail=mail, twilio=twilio, image=image, cluster=server)
        crowd = Crowd(line=line, known=known, seed=seed, rate=rate, callbacks=callbacks)
        technicians = Technicians(line=line, folder=folder / "phones", talk_s=10 if callbacks else 5)
        systems = Systems(line=line)
        await technicians.begin()
        load = [asyncio.create_task(crowd.run()), asyncio.create_task(systems.run())]
        try:
            await asyncio.sleep(5)
            deadline, chance = time.monotonic() + minutes * 60, random.Random(f"pauses {seed}")
            for kind in plan(kinds, seed):
                if time.monotonic() > deadline:
                    break
                fault = await _one(kind, scene, seed)
                outcome.faults.append(fault)
                console.print(_told(fault), markup=False)
                if fault.calls_s is None or fault.healthy_s is None:
                    lost = Violation(what="the line did not come back", of=f"within {_BACK_S:g} s", during=kind.name)
                    outcome.violations.append(lost)
                    break
                if kind.cuts or kind.name == "supervisor_killed":
                    await technicians.again()
                await asyncio.sleep(chance.uniform(*_PAUSE_S))
        finally:
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
            await crowd.over()
            await technicians.end()
        outcome.visits = crowd.visits
        outcome.violations += judged(crowd.visits, outcome.faults, technicians.talked, silence_s)
        outcome.violations += await _on_record(line, crowd.visits, outcome.faults)
        outcome.violations += await _kept(line, crowd.visits, systems, carrier)
        twice = [f"{number} {count} times" for (number, _), count in twilio.sent().items() if count > 1]
        outcome.violations += [Violation(what="a text message was sent twice", of=one, during="") for one in twice]
        if (ended := await asyncio.to_thread(line.unasked_restarts)) > 0:
            told = f"{ended} times; see service.log"
            outcome.violations.append(Violation(what="the service ended by itself", of=told, during=""))
        outcome.counts = {
            "callers": len(crowd.visits),
            "tickets by API": len(systems.opened),
            "text messages": len(twilio.messages),
            "e-mails": sum(mail.arrived.values()),
            "promised callbacks": sum(one.promised for one in crowd.visits),
            "calls to customers": sum(carrier.dialled.values()),
        }
        if outcome.violations and (kept := os.environ.get("OMNIVIGIL_FAULTS_KEEP")):
            await asyncio.to_thread(_keep_logs, line, Path(kept))
    return outcome


def _keep_logs(line: HurtLine, where: Path) -> None:
    where.mkdir(parents=True, exist_ok=True)
    shutil.copytree(line.state / "log", where / "log", dirs_exist_ok=True)
    shutil.copy(line.folder / "up.log", where)


async def _one(kind: Kind, scene: Scene, seed: int) -> Fault:
    fault = Fault(kind=kind, began=time.perf_counter())
    # Dialled from the first moment on, as a caller would who is not answered.
    dialling = asyncio.create_task(first_sound(scene.line, f"1418555{seed % 10_000:04}", _BACK_S + 30))
    # One that does not come back is told as such below.
    with contextlib.suppress(LineLost):
        await kind.hurt(scene)
    fault.healed = time.perf_counter()
    with contextlib.suppress(LineLost):
        await scene.line.until_up(_BACK_S)
        fault.healthy_s = time.perf_counter() - fault.began
    found = await dialling
    if found is not None:
        fault.calls_s, fault.sound_s = found[0] - fault.began, found[1]
    return fault


def _told(fault: Fault) -> str:
    figures = (("healthy", fault.healthy_s), ("calls", fault.calls_s), ("first sound", fault.sound_s))
    return f"{fault.kind.name:40}" + "  ".join(f"{name} {'-' if s is None else f'{s:.1f} s'}" for name, s in figures)


def _during(faults: Sequence[Fault], began: float, ended: float) -> list[Fault]:
    return [one for one in faults if one.began - _AROUND_S < ended and began < one.over + _AROUND_S]


def judged(
    visits: Iterable[Visit], faults: Sequence[Fault], talked: Sequence[str] = (), silence_s: float = LIMIT_S
) -> list[Violation]:
    """What callers saw that may never be; `talked` is whom technicians had on the telephone.

    Not held against the line: what Asterisk carried when it was hurt itself.
    """
    found = []
    for one in visits:
        then = _during(faults, one.dialled, one.ended)
        if any(fault.kind.cuts for fault in then):
            continue
        name, during = f"…{one.plan.number[-4:]}", ", ".join(fault.kind.name for fault in then)
        if one.failure:
            found.append(Violation(what="a caller was not answered", of=f"{name}: {one.failure}", during=during))
            continue
        if one.by_line and not one.settled and not any(one.plan.number[1:] in caller for caller in talked):
            told = f"{name}: after {one.ended - (one.answered or 0):.0f} s; heard {', '.join(one.heard) or 'nothing'}"
            found.append(Violation(what="the line hung up on a caller who had reached nobody", of=told, during=during))
        for began, ended in one.silences:
            since = began - (one.answered or one.dialled)
            told = f"{name}: for {ended - began:.1f} s, {since:.0f} s after the answer; heard {', '.join(one.heard)}"
            if ended - began > silence_s:
                what = f"a caller heard nothing for more than {silence_s:g} s"
                found.append(Violation(what=what, of=told, during=during))
    return found


async def _ask(line: HurtLine, path: str, params: dict[str, str]) -> list[dict[str, object]]:
    for _ in range(20):
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            status, body = await line.request("GET", path, params=params)
            if status == 200:
                items: list[dict[str, object]] = body["items"]
                return items
        await asyncio.sleep(0.5)
    return []


async def _on_record(line: HurtLine, visits: Sequence[Visit], faults: Sequence[Fault]) -> list[Violation]:
    """Every call that was answered is on record, with an end and a result."""
    found: list[Violation] = []
    left = [one for one in visits if one.answered is not None]
    deadline = time.monotonic() + 30
    while left and time.monotonic() < deadline:
        found, again = [], []
        for one in left:
            rows = await _ask(line, "/v1/calls", {"ani": one.plan.number})
            if not rows:
                lacks = "no record"
            elif rows[0]["ended_at"] is None:
                lacks = "no end"
            else:
                lacks = ""
            lacks = lacks or ("no result" if rows[0]["result"] is None else "")
            if lacks:
                during = ", ".join(fault.kind.name for fault in _during(faults, one.dialled, one.ended))
                heard = (
                    f"answered for {one.ended - (one.answered or 0):.1f} s, heard {', '.join(one.heard) or 'nothing'}"
                )
                told = f"…{one.plan.number[-4:]} has {lacks}; {heard}"
                found.append(Violation(what="a call is not on record", of=told, during=during))
                again.append(one)
        left = again
        if left:
            # What came while the service was away is entered within some seconds.
            await asyncio.sleep(3)
    return found


async def _kept(line: HurtLine, visits: Sequence[Visit], systems: Systems, carrier: Carrier) -> list[Violation]:
    """What was acknowledged is there, once; nobody was dialled more often than attempts were made."""
    found = []
    for key, ticket in list(systems.opened.items()):
        if not await systems.open(key):
            found.append(Violation(what="a ticket was lost", of=f"{ticket}, key {key}", during=""))
    found += [Violation(what="a ticket was opened twice", of=key, during="") for key in systems.doubled]
    promised = {one.plan.number for one in visits if one.promised}
    for number in sorted(promised | set(carrier.dialled)):
        rows = await _ask(line, "/v1/callbacks", {"number": number})
        told = f"…{number[-4:]}"
        if not rows and number in promised:
            found.append(Violation(what="a promised callback was lost", of=told, during=""))
        attempts = sum(int(str(row["attempts"])) for row in rows)
        if rows and carrier.dialled[number] > attempts:
            told = f"{told}: {carrier.dialled[number]} calls for {attempts} attempts"
            found.append(Violation(what="a customer was dialled twice", of=told, during=""))
    return found
