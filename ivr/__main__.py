"""The support line of a telephony provider: `./omnivigil up` sets it up and runs it; the rest proves and tends it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivr import VERSION
from ivr.cli.directory import app as directory_commands
from ivr.cli.persons import app as person_commands
from ivr.cli.tokens import app as token_commands
from ivr.clock import require_aware, system_clock
from ivr.errors import BadInput, OmnivigilError
from ivr.settings import Address, Settings, database_url_of
from ivr.trunks import Trunk

REPOSITORY = Path(__file__).parents[1]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)

StateOption = Annotated[Path, typer.Option("--state", help="Folder for everything the line keeps.")]
SipOption = Annotated[str, typer.Option("--sip", metavar="HOST:PORT", help="Where phones and trunks call.")]
HttpOption = Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Where the API answers.")]
AgiOption = Annotated[str, typer.Option("--agi", metavar="HOST:PORT", help="Internal: the service's FastAGI port.")]
AmiOption = Annotated[str, typer.Option("--ami", metavar="HOST:PORT", help="Internal: Asterisk's manager port.")]
RtpOption = Annotated[str, typer.Option("--rtp", metavar="FIRST-LAST", help="UDP ports for media.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="OMNIVIGIL_DATABASE_URL",
        show_envvar=True,
        metavar="postgresql://…",
        help="PostgreSQL instead of SQLite in the state folder; with a password, better by the environment.",
    ),
]


#: What a shell sets when it wants a command completed.
_COMPLETE = "_OMNIVIGIL_COMPLETE"

#: They make nothing of a line's own, and what they unpack other users may need.
_OPEN_TO_ALL = frozenset({"test", "sim", "bench"})


def _version(asked: bool) -> None:
    if asked:
        print(f"omnivigil {VERSION}")  # noqa: T201 - what the option is for
        raise typer.Exit


@app.callback()
def _private(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """What a command writes into a state folder is its owner's only."""
    if context.invoked_subcommand not in _OPEN_TO_ALL:
        os.umask(0o077)


UserOption = Annotated[
    str | None,
    typer.Option("--user", envvar="OMNIVIGIL_USER", help="Started as root: become this user, without any rights."),
]


def _database(url: str | None) -> str | None:
    if url:
        return database_url_of(url)
    return None


def settings_of(
    state: Path, sip: str, http: str, agi: str, ami: str, rtp: str, now: str | None, demo: bool
) -> Settings:
    """The settings that the options say; raises BadInput that names the option."""
    return Settings(
        state=state.resolve(),
        sip=Address.parse(sip, field="--sip"),
        http=Address.parse(http, field="--http"),
        agi=Address.parse(agi, field="--agi"),
        ami=Address.parse(ami, field="--ami"),
        rtp=_ports(rtp),
        clock_shift_s=_shift(now),
        demo=demo,
    )


def _ports(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1023 < first < last < 65536:
        raise BadInput(field="--rtp", problem=f"{text!r} is not a range of ports", mend="write it as 10000-12000")
    return first, last


def _shift(now: str | None) -> float:
    if now is None:
        return 0.0
    try:
        start = require_aware(datetime.fromisoformat(now))
    except ValueError as error:
        mend = "write it as 2026-12-25T10:00:00-05:00"
        raise BadInput(field="--now", problem=str(error), mend=mend) from error
    return (start - system_clock()).total_seconds()


@app.command()
def up(  # noqa: PLR0913 - each is an option of the command
    state: StateOption = Path("var"),
    sip: SipOption = "127.0.0.1:5060",
    http: HttpOption = "127.0.0.1:8080",
    agi: AgiOption = "127.0.0.1:4573",
    ami: AmiOption = "127.0.0.1:5038",
    rtp: RtpOption = "10000-12000",
    now: Annotated[str | None, typer.Option(help="Start the service's clock here (ISO 8601 with offset).")] = None,
    demo: Annotated[bool, typer.Option(help="Load the demo directory, whose passwords are public.")] = True,
    trunk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK[,identity=WAY]",
            help="Network whose calls come in by the trunk; WAY is from, asserted or asserted-or-from.",
        ),
    ] = None,
    desks: Annotated[Path | None, typer.Option(help="Folder of desk files instead of the built-in ones.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="Folder of recorded prompts, which win.")] = None,
    piper: Annotated[list[str] | None, typer.Option(help="Piper voice, as fr=VOICE.onnx.")] = None,
    transcribe: Annotated[
        Path | None, typer.Option(help="Folder of a faster-whisper model that writes voice messages down.")
    ] = None,
    outbound: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Trunk for calls to the outside.")] = None,
    homer: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Homer server that gets copies too.")] = None,
    calls: Annotated[int | None, typer.Option(help="Calls from trunks at once; else what is carried.")] = None,
    calls_per_source: Annotated[
        int | None, typer.Option(help="Of these from one address; else 3/4, or all where one address is the trunk.")
    ] = None,
    calls_per_phone: Annotated[int, typer.Option(help="Calls at once of one phone's account.")] = 8,
    rtp_timeout: Annotated[
        int, typer.Option(min=0, help="Calls of which nothing is heard for so many seconds end; 0 for never.")
    ] = 50,
    rtp_from_anywhere: Annotated[
        bool, typer.Option("--rtp-from-anywhere", help="For a carrier whose audio comes from where no SIP or SDP says.")
    ] = False,
    database: DatabaseOption = None,
    with_asterisk: Annotated[
        bool, typer.Option(help="Watch Asterisk too; without, `./omnivigil asterisk` does, in a process of its own.")
    ] = True,
    user: UserOption = None,
) -> None:
    """Set everything up on first use and run the line until Ctrl-C."""
    from dataclasses import replace

    from ivr.cli.up import run

    settings = replace(
        settings_of(state, sip, http, agi, ami, rtp, now, demo),
        trunks=tuple(map(Trunk.parse, trunk or ())),
        desks=desks.resolve() if desks else None,
        recordings=recordings.resolve() if recordings else None,
        piper_models=tuple(_model(text) for text in piper or ()),
        transcribe=_folder(transcribe, "--transcribe") if transcribe else None,
        outbound=Address.parse(outbound, field="--outbound") if outbound else None,
        calls=calls,
        calls_per_source=calls_per_source,
        calls_per_phone=calls_per_phone,
        rtp_timeout_s=rtp_timeout,
        rtp_from_anywhere=rtp_from_anywhere,
        homer=Address.parse(homer, field="--homer") if homer else None,
        database=_database(database),
    )
    run(settings, console, asterisk=with_asterisk, user=user)


@app.command()
def demo(  # noqa: PLR0913 - each is an option of the command
    state: StateOption = Path("var/demo"),
    sip: SipOption = "127.0.0.1:5060",
    http: HttpOption = "127.0.0.1:8080",
    agi: AgiOption = "127.0.0.1:4573",
    ami: AmiOption = "127.0.0.1:5038",
    rtp: RtpOption = "10000-12000",
    now: Annotated[str, typer.Option(help="Start the service's clock here: at night, people leave messages.")] = (
        "2026-11-25T10:00:00-05:00"
    ),
    speed: Annotated[float, typer.Option(min=0.2, max=60, help="People come, talk and give up so much faster.")] = 4.0,
    for_: Annotated[str | None, typer.Option("--for", metavar="10m", help="Stop by itself after that.")] = None,
    seed: Annotated[int, typer.Option(help="Who calls, when and how long; the same for the same seed.")] = 1,
) -> None:
    """The line with simulated people of all kinds, to see console and status page alive. On this machine only."""
    from ivr.demo.run import run_demo

    settings = settings_of(state, sip, http, agi, ami, rtp, now, True)
    _phones()
    run_demo(settings, console, speed=speed, seed=seed, seconds=_seconds(for_))


def _seconds(text: str | None, field: str = "--for") -> float | None:
    if text is not None:
        return seconds_of(text, field)
    return None


def seconds_of(text: str, field: str = "--for") -> float:
    """A length of time in seconds, written as 90s, 10m or 2h. Raises BadInput that names `field`."""
    found = re.fullmatch(r"([0-9]{1,5})(s|m|h)", text, re.ASCII)
    if found is None or int(found[1]) == 0:
        raise BadInput(field=field, problem=f"{text!r} is not a length of time", mend="write it as 90s, 10m or 2h")
    return float(int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])


def _folder(path: Path, field: str) -> Path:
    if not path.is_dir():
        raise BadInput(field=field, problem=f"{path} is not a folder", mend="name the folder that holds the model")
    return path.resolve()


def _model(text: str) -> tuple[str, str]:
    language, equals, model = text.partition("=")
    if not equals or not Path(model).is_file():
        raise BadInput(field="--piper", problem=f"{text!r} names no model file", mend="write it as fr=voice.onnx")
    return language, str(Path(model).resolve())


@app.command(hidden=True)
def prepare(settings_file: Path) -> None:
    """Prepare a running line anew: tables, sounds, Asterisk's configuration. Its supervisor has it taken up."""
    from ivr.asterisk import runtime
    from ivr.prepare import note_prepared
    from ivr.prepare import prepare as prepare_line

    settings = Settings.read(settings_file)
    found = runtime.find(runtime.folders(settings.state))
    asyncio.run(prepare_line(settings, found, lambda _: None, live=True))
    note_prepared(settings)


@app.command()
def asterisk(state: StateOption = Path("var"), user: UserOption = None) -> None:
    """Watch a line's Asterisk alone, beside `up --no-with-asterisk`: a restart of the one leaves the other's calls."""
    from ivr.prepare import wait_until_prepared
    from ivr.process import control, privileges, supervisor

    state = state.resolve()
    settings_file = wait_until_prepared(state)
    privileges.settle(Settings.read(settings_file), user, os.environ)
    control.hold(state, "asterisk")
    words = supervisor.words_for(settings_file, service=False)
    os.execv(sys.executable, words)  # noqa: S606 - our own program, by a list of words


@app.command()
def restart(
    state: StateOption = Path("var"),
    all_: Annotated[bool, typer.Option("--all", help="The supervisor too, for its own new code.")] = False,
) -> None:
    """New code, configuration and tables for a running line; calls go on."""
    _ask(state, "restart", *(["all"] if all_ else []))


@app.command()
def reload(
    state: StateOption = Path("var"),
    check: Annotated[bool, typer.Option("--check", help="Only say what would change, and whether it can be used.")] = (
        False
    ),
) -> None:
    """Take changed desk files into force while the line runs: hours, menu, texts, departments, queues."""
    from ivr.process import control

    async def ask() -> None:
        words = ("reload", *(["check"] if check else []))
        async for line in control.ask(state.resolve(), *words, of=control.SERVICE):
            console.print(line, markup=False, soft_wrap=True)

    asyncio.run(ask())


@app.command()
def drain(
    state: StateOption = Path("var"),
    within: Annotated[str, typer.Option(metavar="10m", help="End calls that last longer.")] = "10m",
) -> None:
    """End a running line without cutting calls: new ones are refused, and go elsewhere."""
    _ask(state, "drain", str(round(_seconds(within, "--within") or 0)), ends=True)


@app.command()
def stop(
    state: StateOption = Path("var"),
    drained: Annotated[bool, typer.Option("--drain", help="Refuse new calls, and wait until the others are over.")] = (
        False
    ),
    within: Annotated[str, typer.Option(metavar="10m", help="With --drain: end calls that last longer.")] = "10m",
) -> None:
    """End a running line, and wait until it has ended."""
    from ivr.cli import manage

    drain_s = _seconds(within, "--within") if drained else None
    asyncio.run(manage.stop(console, state.resolve(), drain_s=drain_s))


@app.command()
def status(
    state: StateOption = Path("var"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say how the line is: since when, its calls, who is logged in, what is wrong. Ends with 0 when on the air."""
    from ivr.cli import manage

    found = asyncio.run(manage.look(state.resolve()))
    manage.tell_status(console, found, as_json=as_json)
    raise typer.Exit(0 if found.on_the_air else 1)


@app.command()
def logs(
    state: StateOption = Path("var"),
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with the lines that come.")] = False,
    of_asterisk: Annotated[bool, typer.Option("--asterisk", help="Asterisk's log instead of the service's.")] = False,
    since: Annotated[str | None, typer.Option(metavar="10m", help="From so long ago; else the last lines.")] = None,
) -> None:
    """Show what the line wrote; readable at a terminal, JSON lines for programs."""
    from ivr.cli import manage

    manage.logs(state.resolve(), of_asterisk=of_asterisk, since_s=_seconds(since, "--since"), follow=follow)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash or zsh.")] = "bash",
) -> None:
    """Print what completes this command in a shell: eval "$(./omnivigil completion bash)"."""
    from typer._completion_shared import get_completion_script

    if shell not in ("bash", "zsh"):
        raise BadInput(field="SHELL", problem=f"{shell!r} is not known", mend="give bash or zsh")
    script = get_completion_script(prog_name="omnivigil", complete_var=_COMPLETE, shell=shell)
    # The program need not be on the path.
    print(script.replace("complete_zsh omnivigil", "complete_zsh ${words[1]}"))  # noqa: T201 - what the command is for


def _ask(state: Path, *words: str, ends: bool = False) -> None:
    from ivr.process import control

    state = state.resolve()

    async def ask() -> None:
        async for line in control.ask(state, *words, ends=ends):
            console.print(line, markup=False)

    asyncio.run(ask())


@app.command(hidden=True)
def serve(
    settings_file: Path,
    heartbeat_fd: Annotated[int, typer.Option("--heartbeat-fd")],
    waits_fd: Annotated[int | None, typer.Option("--waits-fd")] = None,
) -> None:
    """The service itself; the supervisor starts and watches it. One that is to take over waits until it is told."""
    # What is loaded stays, and to look through it for cycles meanwhile takes a sixth of the time.
    gc.disable()

    import uvloop

    from ivr import logs
    from ivr.host import descriptors
    from ivr.service import serve as serve_line

    gc.enable()
    logs.outlive_full_disk()
    logs.configure()
    descriptors.raise_limit()
    if waits_fd is not None:
        with socket.socket(fileno=waits_fd) as line:
            line.send(b"!")
            if not line.recv(1):
                return
    uvloop.run(serve_line(Settings.read(settings_file), heartbeat_fd))


@app.command()
def doctor(  # noqa: PLR0913 - each is an option of the command
    state: StateOption = Path("var"),
    sip: SipOption = "127.0.0.1:5060",
    http: HttpOption = "127.0.0.1:8080",
    agi: AgiOption = "127.0.0.1:4573",
    ami: AmiOption = "127.0.0.1:5038",
    rtp: RtpOption = "10000-12000",
    database: DatabaseOption = None,
    ics: Annotated[Path | None, typer.Option(help="Tell what the line makes of a calendar; change nothing.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Tell what the line makes of a list; change nothing.")] = None,
    mail: Annotated[Path | None, typer.Option(help="Tell what the line makes of an e-mail; change nothing.")] = None,
) -> None:
    """Say what is missing, and how to mend it; of a line that runs, with what it runs with."""
    from dataclasses import replace

    from ivr.asterisk import runtime
    from ivr.cli.preflight import findings
    from ivr.process import control

    settings = replace(settings_of(state, sip, http, agi, ami, rtp, None, True), database=_database(database))
    running = asyncio.run(control.running_settings(settings.state))
    pid, settings = running if running is not None else (None, settings)
    if ics is not None or csv is not None:
        raise typer.Exit(0 if _samples(settings, ics, csv) else 1)
    if mail is not None:
        raise typer.Exit(0 if asyncio.run(_mail_sample(settings, mail)) else 1)
    found = findings(settings, runtime.folders(settings.state), running=pid)
    table = Table("", "what", "state", "mend")
    for one in found:
        if one.well:
            mark = "[green]✓[/]"
        elif one.remark:
            mark = "[yellow]•[/]"
        else:
            mark = "[red]✗[/]"
        table.add_row(mark, one.what, one.state, "" if one.well else one.mend)
    console.print(table)
    raise typer.Exit(0 if all(one.well or one.remark for one in found) else 1)


def _samples(settings: Settings, ics: Path | None, csv: Path | None) -> bool:
    """Say what the line makes of files; whether it can use them."""
    from ivr.cli import samples
    from ivr.prepare import load

    desk = next(iter(load(settings)[0].values()))
    well = True
    for path in (ics, csv):
        if path is None:
            continue
        try:
            data = path.read_bytes()
            if path is ics:
                told = samples.of_calendar(data, desk, system_clock())
            else:
                told = samples.of_list(data, desk.region)
            for line in told:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        except BadInput as error:
            well = False
            for line in samples.problems(error):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        except OSError as error:
            raise BadInput(field="file", problem=f"cannot be read: {error}", mend="name a file") from error
    return well


async def _mail_sample(settings: Settings, path: Path) -> bool:
    """Say what the line makes of an e-mail; whether it can read it."""
    from ivr.mail import dry_run
    from ivr.mail.contents import Unreadable
    from ivr.migrations.run import migrate
    from ivr.notify import config
    from ivr.prepare import load
    from ivr.store.engine import open_store

    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise BadInput(field="file", problem=f"cannot be read: {error}", mend="name a file") from error
    with tempfile.TemporaryDirectory() as folder:
        # The database of a line that never ran would be made by looking into it.
        there = settings.database is not None or await asyncio.to_thread((settings.state / "omnivigil.sqlite3").is_file)
        store = open_store(settings.database_url if there else f"sqlite+aiosqlite:///{folder}/empty.sqlite3")
        if not there:
            await migrate(store)
        try:
            notices = config.read(os.environ, demo=settings.demo)
            told, well = await dry_run.of_mail(content, store, load(settings)[0], notices, settings.clock), True
        except Unreadable as error:
            told, well = list(dry_run.of_unreadable(content, error)), False
        finally:
            await store.close()
    if not there:
        console.print("There is no database yet: nobody is known, and no ticket.")
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return well


app.add_typer(token_commands, name="token")


@app.command()
def pin(
    endpoint: Annotated[str, typer.Argument(help="The technician's phone, as 7001.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Set the PIN with which a technician may record announcements (*58). It is asked for, and shown nowhere."""
    from ivr.announcements.pins import check_pin, hashed, put_pin
    from ivr.directory.lookup import Directory
    from ivr.migrations.run import migrate
    from ivr.store.engine import open_store

    async def keep(pin_hash: str) -> None:
        store = open_store(Settings(state=state.resolve(), database=_database(database)).database_url)
        try:
            await migrate(store)
            directory = Directory(store)
            await directory.reload()
            technician = directory.technician(endpoint)
            if technician is None:
                mend = "give the phone of a technician of the directory"
                raise BadInput(field="endpoint", problem="this is not a technician's phone", mend=mend)
            async with store.unit() as unit:
                await put_pin(unit, technician.id, pin_hash)
        finally:
            await store.close()

    asyncio.run(keep(hashed(check_pin(typer.prompt("PIN", hide_input=True, confirmation_prompt=True)))))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; readable by you only.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Write all that the line keeps into one file, while it runs or not."""
    from ivr.backup import create

    folder = state.resolve()
    url = create.database_of(folder, _database(database))
    made = asyncio.run(create.make(file.resolve(), state=folder, url=url, now=system_clock()))
    size = file.stat().st_size / 1e6
    console.print(f"{file}: {len(made.members)} files, {size:.1f} MB, {made.database} of revision {made.revision}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.")],
    state: Annotated[Path | None, typer.Option("--state", help="A new folder, which then is the line's.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only look the file through; nothing is written.")] = False,
    database_only: Annotated[
        bool, typer.Option("--database-only", help="Put back the database of a state folder that has none.")
    ] = False,
    database: DatabaseOption = None,
) -> None:
    """Make a line out of a backup, in a new folder; `up --state` then runs it."""
    from ivr.backup import restore as backup_restore

    if check:
        found = asyncio.run(backup_restore.check(file.resolve()))
    elif state is None:
        raise BadInput(field="--state", problem="is missing", mend="name a new folder, or give --check")
    else:
        url = _database(database)
        found = asyncio.run(
            backup_restore.restore(file.resolve(), state=state.resolve(), url=url, database_only=database_only)
        )
    made = found.manifest
    told = f"omnivigil {made.version}, {made.database} of revision {made.revision}, {len(made.members)} files"
    console.print(f"{file}: of {made.created_at}; {told}; whole")
    for missing in found.missing:
        console.print(f"  named by a row, and not there: {missing}", style="red", markup=False)
    raise typer.Exit(1 if check and found.missing else 0)


accounts = typer.Typer(no_args_is_help=True, help="Accounts of the console.")
app.add_typer(accounts, name="account")


@accounts.command("add")
def add_account(
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    role: Annotated[str, typer.Option(help="technician, ops, manager, partner or administrator.")],
    partner: Annotated[str | None, typer.Option(help="Whose portal it is, by name.")] = None,
    phone: Annotated[str | None, typer.Option(help="The technician's phone, as 7001.")] = None,
    provider: Annotated[
        str | None, typer.Option(help="The one provider whose line it sees and changes; every provider's without it.")
    ] = None,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Let somebody sign in to the console. The password is asked for, and shown nowhere."""
    from ivr.cli import accounts as commands
    from ivr.migrations.run import migrate
    from ivr.store.engine import open_store

    async def keep(password: str) -> None:
        store = open_store(Settings(state=state.resolve(), database=_database(database)).database_url)
        try:
            await migrate(store)
            await commands.add(
                store,
                name=name,
                role=role,
                partner=partner,
                phone=phone,
                provider=provider,
                password=password,
                at=system_clock(),
            )
        finally:
            await store.close()

    commands.check(name=name, role=role)
    asyncio.run(keep(typer.prompt("Password", hide_input=True, confirmation_prompt=True)))


@accounts.command("reset-second-factor")
def reset_second_factor(
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Ask an account for no codes any more: its phone and recovery codes are lost, or the key in secrets.json is."""
    import getpass

    from ivr.accounts import second_factor_admin
    from ivr.migrations.run import migrate
    from ivr.store.engine import open_store

    async def reset() -> None:
        store = open_store(Settings(state=state.resolve(), database=_database(database)).database_url)
        try:
            await migrate(store)
            await second_factor_admin.reset(store, name, who=getpass.getuser(), at=system_clock())
        finally:
            await store.close()

    asyncio.run(reset())


@accounts.command("reset-password")
def reset_password(
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Give an account another password and print it, once; it must be changed at the next sign-in."""
    import getpass

    from ivr.accounts import second_factor_admin
    from ivr.migrations.run import migrate
    from ivr.store.engine import open_store

    async def reset() -> str:
        store = open_store(Settings(state=state.resolve(), database=_database(database)).database_url)
        try:
            await migrate(store)
            return await second_factor_admin.reset_password(store, name, who=getpass.getuser(), at=system_clock())
        finally:
            await store.close()

    print(asyncio.run(reset()))  # noqa: T201 - what the command is for


app.add_typer(person_commands, name="person")
app.add_typer(directory_commands, name="directory")


@app.command("test")
def run_all_tests(
    only: Annotated[list[str] | None, typer.Argument(help="Test files or folders instead of all.")] = None,
    lint: Annotated[bool, typer.Option(help="Also run ruff, mypy and the import rules.")] = True,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Minutes: one call of each conversation, SQLite alone, no browser.")
    ] = False,
) -> None:
    """Install what the tests need and run them all: checks, unit, integration, calls."""
    from ivr.cli.test import run_tests

    raise typer.Exit(run_tests(REPOSITORY, only or [], lint=lint, smoke=smoke))


@app.command()
def hear(
    dial: Annotated[str, typer.Option(help="The number dialled.")] = "18446664844",
    from_: Annotated[str, typer.Option("--from", help="Caller ID, or a registered phone such as 6001.")] = "4185550100",
    at: Annotated[str | None, typer.Option(help="When, in the desk's time zone or with an offset.")] = None,
    press: Annotated[list[str] | None, typer.Option(help="Keys, as 9,2; nothing between commas is a silence.")] = None,
    state: StateOption = Path("var"),
    desks: Annotated[Path | None, typer.Option(help="Folder of desk files instead of the built-in ones.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Tell, without a phone, what a caller would hear, step by step."""
    from ivr.cli.hear import hear_call

    settings = Settings(state=state.resolve(), desks=desks.resolve() if desks else None, database=_database(database))
    hear_call(console, dial=dial, caller=from_, at=at, presses=press or [], settings=settings)


def _phones() -> None:
    from ivr.cli.up import ensure_phones

    asyncio.run(ensure_phones(REPOSITORY / "var" / "phones", console))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def sim(context: typer.Context) -> None:
    """Simulated phones: `sim call --dial 611 --as 6001 --press 1`."""
    from sipsim.cli import app as simulator

    _phones()
    simulator(args=context.args, prog_name="./omnivigil sim")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Benchmarks that print ratios against a ceiling measured in the same run."""
    from bench.__main__ import app as benchmarks

    _phones()
    benchmarks(args=context.args, prog_name="./omnivigil bench")


def main() -> None:
    """Run a command; what went wrong is one sentence, not a traceback."""
    if _COMPLETE in os.environ:
        # Typer knows the shells only once it is asked for options that we do without.
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()
    try:
        app(prog_name="./omnivigil", complete_var=_COMPLETE)
    except BadInput as error:
        print(f"omnivigil: {error.field}: {error.problem}. {error.mend[:1].upper()}{error.mend[1:]}.", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except OmnivigilError as error:
        print(f"omnivigil: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
