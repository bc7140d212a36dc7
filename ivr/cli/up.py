"""`./omnivigil up`: everything set up on first use, then the line in the foreground until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import structlog
from rich.console import Console
from rich.table import Table

from ivr import logs
from ivr.announcements.demo import demo_pin
from ivr.asterisk import process, runtime
from ivr.asterisk.runtime import Runtime
from ivr.cli import preflight
from ivr.cli.selfcall import Report, call_ourselves
from ivr.desk.hours import calendars_of
from ivr.desk.load import BUILT_IN
from ivr.desk.schema import Desk
from ivr.directory.demo import demo_password
from ivr.directory.demo_accounts import DEMO_ACCOUNTS, demo_account_password
from ivr.errors import BadInput, OmnivigilError
from ivr.host import descriptors
from ivr.host.ports import check_ports
from ivr.host.private_files import make_private, refuse_shared
from ivr.prepare import Prepared, as_before, note_prepared, prepare, prepared_before
from ivr.process import control, privileges, service_process, supervisor
from ivr.retiring import Retired
from ivr.settings import Settings
from ivr.store.engine import StoreUnavailable
from ivr.tools import chromium, pjsip_python, postgresql_server

#: What dies may keep its ports for so long, in seconds.
_DYING_S = 5.0
#: So long after it opens a line is surely open.
_WELL_INTO = timedelta(hours=1)

log = structlog.get_logger()


async def ensure_runtime(settings: Settings, console: Console) -> Runtime:
    """Asterisk and the voices, unpacked first where the machine has none."""
    try:
        return runtime.find(runtime.folders(settings.state))
    except runtime.RuntimeMissing:
        settings.state.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(settings.state).free) < preflight.FIRST_USE_BYTES:
            problem = f"{free // 1_000_000} MB are free on the disk of {settings.state}"
            needed = f"Asterisk and the voices need {preflight.FIRST_USE_BYTES // 1_000_000} MB at the first start"
            mend = f"free some space or name a folder on another disk: {needed}"
            raise BadInput(field="--state", problem=problem, mend=mend) from None
        with step(console, "Asterisk and the voices (first time only)") as say:
            return await asyncio.to_thread(runtime.install, settings.state / "runtime", say)


async def ensure_phones(folder: Path, console: Console) -> None:
    """A Python for the simulated phones, unpacked first where they cannot run in ours."""
    if not pjsip_python.ready(folder):
        with step(console, "The simulated phones (first time only)") as say:
            await asyncio.to_thread(pjsip_python.install, folder, say)


async def ensure_postgresql(folder: Path, console: Console) -> None:
    """A PostgreSQL server for tests and benchmarks, unpacked first where the machine has none."""
    try:
        postgresql_server.find(folder)
    except postgresql_server.ServerMissing:
        with step(console, "PostgreSQL (first time only)") as say:
            await asyncio.to_thread(postgresql_server.install, folder, say)


async def ensure_browser(folder: Path, console: Console) -> None:
    """A Chromium for the browser tests, unpacked first where the machine has none."""
    if chromium.find(folder) is None:
        with step(console, "Chromium (first time only)") as say:
            await asyncio.to_thread(chromium.install, folder, say)


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


def run(
    settings: Settings,
    console: Console,
    *,
    beside: Beside | None = None,
    asterisk: bool = True,
    user: str | None = None,
) -> NoReturn:
    """Set up, then become the supervisor, which runs until it is told to stop or until `beside` is over.

    Without `asterisk` it watches the service alone (`./omnivigil asterisk` watches the other). This process has loaded
    all that the preparing needs, and would keep it: what is still to be told is told by a copy of it, which ends.
    Started as root it becomes `user`, where one is given.
    """
    logs.outlive_full_disk(human=True)
    logs.configure(human=True)
    # Asterisk and the service inherit it.
    descriptors.raise_limit()
    preflight.check_demo_is_private(settings)
    preflight.check_internal_addresses(settings)
    # Before anything of a line that runs there is touched.
    if settings.state.exists():
        refuse_shared(settings.state)
    held = [control.hold(settings.state, what) for what in ("service", *(["asterisk"] if asterisk else []))]
    preflight.check_notices(settings)
    privileges.settle(settings, user, os.environ)
    before = prepared_before(settings)
    preflight.check_state(settings.state, before=before)
    make_private(settings.state)
    privileges.tell_of_root()
    prepared, is_new = asyncio.run(_make_ready(settings, console, before=before, asterisk=asterisk))
    settings_file = _hand_over(settings)
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    teller = os.fork()
    if teller == 0:
        for handle in (writing, *held):
            os.close(handle)
        _tell_and_end(reading, settings, console, prepared, beside)
    os.close(reading)
    os.set_inheritable(writing, True)
    words = supervisor.words_for(
        settings_file,
        asterisk=asterisk,
        prepared=is_new,
        teller=(writing, teller),
        ends_with_teller=beside is not None,
    )
    os.execv(sys.executable, words)  # noqa: S606 - our own program, by a list of words


async def _make_ready(settings: Settings, console: Console, *, before: bool, asterisk: bool) -> tuple[Prepared, bool]:
    """What the line needs; and whether it could be prepared, where it may run on what was prepared `before`."""
    found = await ensure_runtime(settings, console)
    try:
        if not before:
            await asyncio.to_thread(preflight.check_database, settings)
        with step(console, "desks, directory and sounds") as say:
            prepared = await prepare(settings, found, say)
        note_prepared(settings)
        is_new = True
    except (StoreUnavailable, OSError) as error:
        if not before:
            raise
        prepared, is_new = as_before(settings), False
        log.warning("starting on the previous preparation; preparing again later", event_id="OV1804", reason=str(error))
    await _take_over(found, settings, before=before, asterisk=asterisk)
    return prepared, is_new


async def _take_over(found: Runtime, settings: Settings, *, before: bool, asterisk: bool) -> None:
    """Have what a killed supervisor left go on where it can, and end where it cannot. Raises BadInput for the ports."""
    running = process.find(found, settings)
    if running is not None and process.is_as_rendered(found, settings):
        await running.reload()
        asterisk = False
    elif running is not None and not asterisk:
        log.warning("Asterisk restart needed: modules or addresses changed", event_id="OV1508")
    left = await service_process.until_gone(_settings_file(settings))
    if asterisk:
        left |= await process.end_stale(found, settings)
    deadline = time.monotonic() + (_DYING_S if left or before else 0)
    while True:
        try:
            check_ports(settings, asterisk=asterisk)
        except BadInput as error:
            # Whoever dies gives up its sockets last.
            if time.monotonic() > deadline:
                if (other := await _other_line(settings)) is not None:
                    pid, state = other
                    mend = f"a line runs there (process {pid}): ./omnivigil stop --state {state}, or choose other ports"
                    raise BadInput(field=error.field, problem=error.problem, mend=mend) from None
                raise
            await asyncio.sleep(0.1)
        else:
            return


def _usual_folders() -> list[Path]:
    return [Path("var").resolve(), Path("var/demo").resolve()]


async def _other_line(settings: Settings) -> tuple[int, Path] | None:
    """A line on one of the usual folders that has one of these addresses: the demo beside `up`, say."""
    ours = {settings.sip, settings.http, settings.agi, settings.ami}
    for state in _usual_folders():
        found = None
        if state != settings.state:
            found = await control.running_settings(state)
        if found is not None and ours & {found[1].sip, found[1].http, found[1].agi, found[1].ami}:
            return found[0], state
    return None


def _settings_file(settings: Settings) -> Path:
    return control.settings_file(settings.state)


def _hand_over(settings: Settings) -> Path:
    path = _settings_file(settings)
    try:
        settings.write(path)
    except OSError as error:
        if not path.exists() or Settings.read(path) != settings:
            mend = "free some space: these settings are new and must be written"
            raise BadInput(field="--state", problem=f"{path} cannot be written", mend=mend) from error
    return path


def _tell_and_end(
    reading: int, settings: Settings, console: Console, prepared: Prepared, beside: Beside | None
) -> NoReturn:
    """The copy: waits for the supervisor's word that calls are taken, tells, and is gone."""
    code = 1
    try:
        asyncio.run(_tell_all(reading, settings, console, prepared, beside))
        code = 0
    except OmnivigilError as error:
        console.print(str(error), style="red", markup=False)
    except Exception:
        console.print_exception()
    finally:
        sys.stdout.flush()
        os._exit(code)


async def _tell_all(
    reading: int, settings: Settings, console: Console, prepared: Prepared, beside: Beside | None
) -> None:
    loop = asyncio.get_running_loop()
    begin, over = asyncio.Event(), asyncio.Event()

    def heard() -> None:
        if os.read(reading, 1):
            begin.set()
        else:
            loop.remove_reader(reading)
            over.set()

    loop.add_reader(reading, heard)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    # A Ctrl-C is for the supervisor, which tells us.
    loop.add_signal_handler(signal.SIGINT, lambda: None)

    async def tell() -> None:
        with step(console, "Asterisk and the service"):
            await begin.wait()
        _tell(console, settings, prepared)
        report = await call_ourselves(settings, prepared.main_desk.numbers[0])
        _tell_heard(console, settings, prepared, report)
        if beside is not None:
            await beside(prepared)

    telling, ended = asyncio.create_task(tell()), asyncio.create_task(over.wait())
    await asyncio.wait({telling, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if telling.done():
        telling.result()
        return
    telling.cancel()
    await asyncio.wait({telling})


def _tell(console: Console, settings: Settings, prepared: Prepared) -> None:
    """The tables a newcomer needs: what to dial, from which phone, and where the API is."""
    console.print(_numbers(settings, prepared))
    if settings.demo:
        _tell_demo(console, settings, prepared)
    if prepared.retired:
        console.print(_shut(prepared.retired))
    console.print(_urls(settings))
    public = os.environ.get("OMNIVIGIL_PUBLIC_URL")
    if settings.demo and public:
        console.print(f"The demo's passwords are public: let nobody else reach {public} while it runs.", style="red")


def _numbers(settings: Settings, prepared: Prepared) -> Table:
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
    return numbers


def _tell_demo(console: Console, settings: Settings, prepared: Prepared) -> None:
    accounts = Table("account", "password", "who", title=f"SIP accounts at {settings.sip}", title_justify="left")
    for phone in prepared.phones:
        accounts.add_row(phone.name, demo_password(phone.name), f"{phone.kind}: {phone.display}")
    console.print(accounts)
    names = Table("account", "password", "role", title=f"Console at http://{settings.http}/console")
    names.title_justify = "left"
    for name, role, partner, endpoint in DEMO_ACCOUNTS:
        names.add_row(name, demo_account_password(name), f"{role}{_of(partner or endpoint)}")
    console.print(names)


def _shut(retired: Retired) -> Table:
    shut = Table("what", "name", title="The demo's published passwords, disabled now", title_justify="left")
    for name in retired.accounts:
        shut.add_row("account", f"{name}: add another account, with ./omnivigil account add NAME --role ROLE")
    for name in retired.phones:
        shut.add_row("phone", f"{name}: cannot register any more")
    for name in retired.pins:
        shut.add_row("PIN", f"{name}: ./omnivigil pin {name}")
    if retired.tokens:
        shut.add_row("API token", "demo: ./omnivigil token NAME")
    return shut


def _urls(settings: Settings) -> Table:
    urls = Table("URL", "what", title="API", title_justify="left")
    urls.add_row(f"http://{settings.http}/console", "the console, for staff and partners")
    urls.add_row(f"http://{settings.http}/status", "the public status page")
    urls.add_row(f"http://{settings.http}/docs", "the API, to try")
    urls.add_row(f"http://{settings.http}/healthz", "the state of each component")
    urls.add_row(f"http://{settings.http}/v1/events", "what happens, as server-sent events")
    if settings.demo:
        urls.add_row(str(settings.state / "demo-token"), "the API's token (Authorization: Bearer …)")
    return urls


def _of(whose: str | None) -> str:
    if whose:
        return f" ({whose})"
    return ""


def _tell_heard(console: Console, settings: Settings, prepared: Prepared, report: Report) -> None:
    console.print(f"The line called itself at {prepared.main_desk.numbers[0]} through its trunk, and heard:")
    for line in report.lines():
        console.print(f"  {line}", style=None if report.heard else "red", markup=False)
    console.print("Next, in another terminal:")
    for what, how in next_steps(settings, prepared.main_desk, sys.argv[1:]):
        # Whole, so that it can be copied.
        console.print(f"  {what}:\n    {how}", markup=False, soft_wrap=True)
    console.print(f"Logs: {settings.state / 'log'}. Ctrl-C ends it.")


def next_steps(settings: Settings, main: Desk, words: Sequence[str]) -> list[tuple[str, str]]:
    """What a newcomer may want to do now, and the command or page for it, as it stands; `words` started the line."""
    state = () if settings.state == Path("var").resolve() else ("--state", str(settings.state))
    server = () if settings.sip == Settings(state=settings.state).sip else ("--server", str(settings.sip))
    page = f"http://{settings.http}"
    steps = []
    if settings.demo and list(words[:1]) != ["demo"]:
        calendar = calendars_of(main, settings.desks or BUILT_IN)[main.menu.operator]
        now = settings.clock()
        if not calendar.is_open(now) and (opening := calendar.next_opening(now)) is not None:
            at = (opening + _WELL_INTO).astimezone(main.zone).isoformat(timespec="seconds")
            again = shlex.join(["./omnivigil", *_without(words, "--now"), "--now", at])
            steps.append(("the line is closed now: end it, and start it on a working day", again))
        code = next((code for code, to in main.service_codes.items() if to == main.menu.operator), None)
        called = (
            ("--dial", code) if code is not None else ("--dial", main.numbers[0], "--press", main.menu.operator_key)
        )
        call = ("./omnivigil", "sim", "call", *called, "--as", "6001", "--technician", "7001", *server, *state)
        steps.append(("hear a technician answer", shlex.join(call)))
    if settings.demo:
        steps.append(("the board", f"{page}/console, as ops with {demo_account_password('ops')}"))
    else:
        account = ("./omnivigil", "account", "add", "NAME", "--role", "administrator", *state)
        steps.append(("the console's first account", shlex.join(account)))
        steps.append(("customers, phones and staff", "docs/production.md"))
    steps.append(("the public status page", f"{page}/status"))
    steps.append(("how the line is", shlex.join(("./omnivigil", "status", *state))))
    return steps


def _without(words: Sequence[str], option: str) -> list[str]:
    """A command's words without an option and its value."""
    kept = [word for word in words if not word.startswith(f"{option}=")]
    while option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept
