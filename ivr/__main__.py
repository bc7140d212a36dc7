"""The support line of a telephony provider: `./omnivigil up` sets it up and runs it; the rest proves and tends it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ivr import VERSION
from ivr.cli.accounts import app as account_commands
from ivr.cli.backup import backup, restore
from ivr.cli.directory import app as directory_commands
from ivr.cli.doctor import doctor
from ivr.cli.options import (
    AgiOption,
    AmiOption,
    DatabaseOption,
    HttpOption,
    RtpOption,
    SipOption,
    StateOption,
    UserOption,
    database_of,
    settings_of,
)
from ivr.cli.persons import app as person_commands
from ivr.cli.pin import pin
from ivr.cli.tokens import app as token_commands
from ivr.errors import BadInput, OmnivigilError
from ivr.settings import Address, Settings
from ivr.trunks import Trunk

REPOSITORY = Path(__file__).parents[1]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)

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
        database=database_of(database),
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


app.command()(doctor)
app.add_typer(token_commands, name="token")


app.command()(pin)
app.command()(backup)
app.command()(restore)
app.add_typer(account_commands, name="account")
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

    settings = Settings(state=state.resolve(), desks=desks.resolve() if desks else None, database=database_of(database))
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
