"""`./omnivigil up`: everything set up on first use, then the line in the foreground until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from ivr import browser, descriptors, logs, phones, preflight
from ivr.accounts.demo import DEMO_ACCOUNTS, demo_account_password
from ivr.announcements.demo import demo_pin
from ivr.asterisk import process, rescue, runtime
from ivr.asterisk.config import Folders
from ivr.asterisk.runtime import Runtime
from ivr.directory.demo import demo_password
from ivr.errors import OmnivigilError
from ivr.prepare import Prepared, prepare
from ivr.private import make_private
from ivr.selfcall import Report, call_ourselves
from ivr.settings import Settings
from ivr.store import cluster
from ivr.supervisor import Service
from ivr.syncing import keep_synced

_HEALTHY_S = 60.0

log = structlog.get_logger()


class NotHealthy(OmnivigilError):
    """The service did not come up."""


async def ensure_runtime(settings: Settings, console: Console) -> Runtime:
    """Asterisk and the voices, unpacked first where the machine has none."""
    try:
        return runtime.find(runtime.folders(settings.state))
    except runtime.RuntimeMissing:
        with step(console, "Asterisk and the voices (first time only)") as say:
            return await asyncio.to_thread(runtime.install, settings.state / "runtime", say)


async def ensure_phones(folder: Path, console: Console) -> None:
    """A Python for the simulated phones, unpacked first where they cannot run in ours."""
    if not phones.ready(folder):
        with step(console, "The simulated phones (first time only)") as say:
            await asyncio.to_thread(phones.install, folder, say)


async def ensure_postgresql(folder: Path, console: Console) -> None:
    """A PostgreSQL server for tests and benchmarks, unpacked first where the machine has none."""
    try:
        cluster.find(folder)
    except cluster.ServerMissing:
        with step(console, "PostgreSQL (first time only)") as say:
            await asyncio.to_thread(cluster.install, folder, say)


async def ensure_browser(folder: Path, console: Console) -> None:
    """A Chromium for the browser tests, unpacked first where the machine has none."""
    if browser.find(folder) is None:
        with step(console, "Chromium (first time only)") as say:
            await asyncio.to_thread(browser.install, folder, say)


class Step:
    """One line of progress that is completed in place."""

    def __init__(self, console: Console, title: str) -> None:
        self.status = console.status(title)
        self._title = title

    def __call__(self, what: str) -> None:
        self.status.update(f"{self._title}: {what}")


@contextlib.contextmanager
def step(console: Console, title: str) -> Iterator[Step]:
    """Show what is being done, and how long it took."""
    began = time.monotonic()
    told = Step(console, title)
    with told.status:
        yield told
    console.print(f"  [green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]")


#: What is done beside a line that takes calls, on these desks; the line ends with it.
Beside = Callable[[Prepared], Awaitable[None]]


async def run(settings: Settings, console: Console, *, beside: Beside | None = None) -> int:
    """Set up, start, tell, and keep running until told to stop, or until `beside` is over; returns the exit code."""
    logs.outlive_full_disk(human=True)
    logs.configure(human=True)
    # Asterisk and the service inherit it.
    descriptors.raise_limit()
    preflight.check_demo_is_private(settings)
    preflight.check_internal_addresses(settings)
    preflight.check_notices(settings)
    preflight.check_state(settings.state)
    await asyncio.to_thread(make_private, settings.state)
    await asyncio.to_thread(preflight.check_database, settings)
    stop = _stop_signals()
    found = await ensure_runtime(settings, console)
    with step(console, "desks, directory and sounds") as say:
        prepared = await prepare(settings, found, say)
    with step(console, "Asterisk"):
        # One left behind by a supervisor that was killed holds the ports; it is ended first.
        await process.end_stale(found, settings)
        preflight.check_ports(settings)
        asterisk = await process.start(found, settings)
    service = Service(
        settings_file=_hand_over(settings),
        output=settings.state / "log" / "service.log",
        rescue=lambda: rescue.rescue(settings.ami, prepared.secrets["ami_supervisor"]),
    )
    watching = asyncio.create_task(service.watch())
    folders = Folders.below(settings)
    syncing = [asyncio.create_task(keep_synced(folder)) for folder in (folders.traces, folders.messages)]
    asterisk_ended = asyncio.create_task(asterisk.process.wait())
    stopped = asyncio.create_task(stop.wait())
    playing: asyncio.Task[None] | None = None
    code = 0
    try:
        with step(console, "the service"):
            await _until_healthy(settings, {stopped, asterisk_ended, watching})
        if not stop.is_set():
            _tell(console, settings, prepared)
            report = await call_ourselves(settings, prepared.main_desk.numbers[0])
            _tell_heard(console, settings, prepared, report)
            if beside is not None:
                playing = asyncio.create_task(_until_over(beside(prepared), stop), name="beside the line")
            while not stop.is_set():
                await asyncio.wait({stopped, asterisk_ended, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    watching.result()
                if asterisk_ended.done() and not stop.is_set():
                    log.error("Asterisk ended and is started again", code=asterisk.process.returncode)
                    asterisk = await process.start(found, settings)
                    asterisk_ended = asyncio.create_task(asterisk.process.wait())
    finally:
        console.print("\nStopping: no new calls; the service, then Asterisk.")
        if playing is not None:
            playing.cancel()
            await asyncio.wait({playing})
        await service.stop()
        await asterisk.stop()
        for task in (watching, *syncing, asterisk_ended, stopped):
            task.cancel()
        console.print("Stopped.")
    if playing is not None and not playing.cancelled():
        playing.result()
    return code


async def _until_over(what: Awaitable[None], stop: asyncio.Event) -> None:
    try:
        await what
    finally:
        stop.set()


def _stop_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


def _hand_over(settings: Settings) -> Path:
    path = settings.state / "run" / "settings.json"
    settings.write(path)
    return path


async def _until_healthy(settings: Settings, give_up: set[asyncio.Task[Any]]) -> None:
    """Wait until calls are taken, or one of `give_up` is done. Raises NotHealthy after a minute."""
    deadline = time.monotonic() + _HEALTHY_S
    while not any(task.done() for task in give_up):
        if await asyncio.to_thread(_healthy, settings):
            return
        if time.monotonic() > deadline:
            raise NotHealthy(log=str(settings.state / "log" / "service.log"))
        await asyncio.sleep(0.1)


def _healthy(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.http.host, settings.http.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tell(console: Console, settings: Settings, prepared: Prepared) -> None:
    """The tables a newcomer needs: what to dial, from which phone, and where the API is."""
    numbers = Table("dial", "reaches", title="Numbers", title_justify="left")
    for desk in prepared.desks.values():
        for number in desk.numbers:
            numbers.add_row(number, desk.name)
        for code, department in desk.service_codes.items():
            name = desk.departments[department].name[desk.languages[0]]
            numbers.add_row(code, f"{desk.name}, {name} (from a registered phone)")
    numbers.add_row("*57", "the call that just ended was bad: a ticket with its evidence (from a registered phone)")
    numbers.add_row("*22  *23", "technicians: log in or out; pause or resume")
    pin = f" (demo PIN {demo_pin('7001')} on 7001)" if settings.demo else ""
    numbers.add_row("*58", f"technicians: record what everybody who waits hears{pin}")
    console.print(numbers)
    if settings.demo:
        accounts = Table("account", "password", "who", title=f"SIP accounts at {settings.sip}", title_justify="left")
        for phone in prepared.phones:
            accounts.add_row(phone.name, demo_password(phone.name), f"{phone.kind}: {phone.display}")
        console.print(accounts)
        names = Table("account", "password", "role", title=f"Console at http://{settings.http}/console")
        names.title_justify = "left"
        for name, role, partner, endpoint in DEMO_ACCOUNTS:
            names.add_row(name, demo_account_password(name), f"{role}{_of(partner or endpoint)}")
        console.print(names)
    if prepared.retired:
        shut = Table("what", "name", title="The demo's published passwords, disabled now", title_justify="left")
        for name in prepared.retired.accounts:
            shut.add_row("account", f"{name}: add another account, with ./omnivigil account add NAME --role ROLE")
        for name in prepared.retired.phones:
            shut.add_row("phone", f"{name}: cannot register any more")
        for name in prepared.retired.pins:
            shut.add_row("PIN", f"{name}: ./omnivigil pin {name}")
        if prepared.retired.tokens:
            shut.add_row("API token", "demo: ./omnivigil token NAME")
        console.print(shut)
    urls = Table("URL", "what", title="API", title_justify="left")
    urls.add_row(f"http://{settings.http}/console", "the console, for staff and partners")
    urls.add_row(f"http://{settings.http}/docs", "the API, to try")
    urls.add_row(f"http://{settings.http}/healthz", "the state of each component")
    urls.add_row(f"http://{settings.http}/v1/events", "what happens, as server-sent events")
    if settings.demo:
        urls.add_row(str(settings.state / "demo-token"), "the API's token (Authorization: Bearer …)")
    console.print(urls)
    public = os.environ.get("OMNIVIGIL_PUBLIC_URL")
    if settings.demo and public:
        console.print(f"The demo's passwords are public: let nobody else reach {public} while it runs.", style="red")


def _of(whose: str | None) -> str:
    return f" ({whose})" if whose else ""


def _tell_heard(console: Console, settings: Settings, prepared: Prepared, report: Report) -> None:
    console.print(f"The line called itself at {prepared.main_desk.numbers[0]} through its trunk, and heard:")
    for line in report.lines():
        console.print(f"  {line}", style=None if report.heard else "red", markup=False)
    console.print(f"Logs: {settings.state / 'log'}. Ctrl-C ends it.")
