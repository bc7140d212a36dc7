"""./omnivigil sim: a call from a simulated phone, told step by step."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sipsim.audio import read_wav
from sipsim.errors import PhoneTimeout, SimulatorError, SoundsUnusable
from sipsim.phones import PhoneCall, PhoneFarm
from sipsim.recognise import Heard, Recogniser
from sipsim.records import Answering, Caller, Codec
from sipsim.survey import between
from sipsim.technician import log_in, log_out
from sipsim.voices import person

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)

#: A key without a prompt to wait for is pressed once a prompt was heard for this long, in seconds.
_INTO_PROMPT_S = 1.0
#: Or after waiting this long for one.
_PATIENCE_S = 15.0

ServerOption = Annotated[str, typer.Option("--server", metavar="HOST:PORT", help="Where the line answers.")]
StateOption = Annotated[Path, typer.Option("--state", help="The line's state folder: its sounds are there.")]


@app.callback()
def simulator() -> None:
    """Simulated phones."""


@app.command()
def call(  # noqa: PLR0913 - each is an option of the command
    dial: Annotated[str, typer.Option(help="The number to dial.")] = "18446664844",
    as_: Annotated[
        str | None, typer.Option("--as", help="A phone of the demo, such as 6001; else by the trunk.")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="Caller ID of a call by the trunk; '' for none.")] = "4185550100",
    name: Annotated[str | None, typer.Option(help="The caller's display name.")] = None,
    press: Annotated[list[str] | None, typer.Option(help="Keys in order, as 2, or 2@menu once menu is heard.")] = None,
    seconds: Annotated[float, typer.Option(help="Hang up after this long, if the line does not.")] = 30.0,
    codec: Annotated[str, typer.Option(help="PCMU, PCMA or G722.")] = "PCMU",
    password: Annotated[str | None, typer.Option(help="Of the phone; else the demo's.")] = None,
    technician: Annotated[
        str | None, typer.Option(help="A technician's phone of the demo, such as 7001, that logs in and answers.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the recording and SIP log in this folder.")] = None,
    server: ServerOption = "127.0.0.1:5060",
    state: StateOption = Path("var"),
) -> None:
    """Call the line, press keys, and tell what was heard."""
    chosen = _codec(codec)
    keys = [key for text in press or [] for key in text.split(",") if key]
    try:
        recogniser = _recogniser(state)
        with (
            tempfile.TemporaryDirectory(prefix="sipsim-") as folder,
            PhoneFarm((keep or Path(folder)).resolve(), server=server, recogniser=recogniser) as farm,
            _at_work(farm, technician, Path(folder)),
        ):
            if as_ is not None:
                phone = farm.phone(as_, password=password or f"demo-{as_}", codec=chosen).register()
                placed = phone.dial(dial)
            else:
                caller = Caller(number=from_ or None, name=name)
                placed = farm.phone("trunk", codec=chosen).dial(dial, caller=caller)
            _talk(placed, keys, seconds)
            _tell(placed)
    except SimulatorError as error:
        sys.stderr.write(f"sim: {error}\n")
        raise typer.Exit(1) from None


@contextlib.contextmanager
def _at_work(farm: PhoneFarm, name: str | None, folder: Path) -> Iterator[None]:
    """A technician who is there for one call, and is logged in afterwards only who was before."""
    if name is None:
        yield
        return
    phone = farm.phone(name, password=f"demo-{name}", answering=_person(name, 2.0, folder)).register()
    came = log_in(phone)
    console.print(f"{name} is logged in, and answers when it rings")
    try:
        yield
    finally:
        if came:
            log_out(phone)


def _person(name: str, after_s: float, folder: Path) -> Answering:
    """Somebody who speaks."""
    _, wav = person(name, folder, seed=int(name) if name.isdigit() else 1)
    return Answering(after_s=after_s, play=wav)


@app.command()
def answer(
    as_: Annotated[str, typer.Option("--as", help="A technician's phone, such as 7001 of the demo.")] = "7001",
    password: Annotated[str | None, typer.Option(help="Of the phone; else the demo's.")] = None,
    after: Annotated[float, typer.Option(help="Ring for this many seconds first.")] = 2.0,
    seconds: Annotated[float, typer.Option(help="Be there for this long.")] = 600.0,
    login: Annotated[
        bool, typer.Option("--log-in/--no-log-in", help="Dial *22 first, to join the queues, unless logged in already.")
    ] = True,
    server: ServerOption = "127.0.0.1:5060",
    state: StateOption = Path("var"),
) -> None:
    """Be a technician: log in, and answer every call with speech that is nobody's."""
    with tempfile.TemporaryDirectory(prefix="sipsim-") as folder:
        how = _person(as_, after, Path(folder))
        try:
            with PhoneFarm(Path(folder), server=server, recogniser=_recogniser(state)) as farm:
                phone = farm.phone(as_, password=password or f"demo-{as_}", answering=how).register()
                if login:
                    log_in(phone)
                console.print(f"{as_} is there; Ctrl-C ends it")
                deadline = time.monotonic() + seconds
                while (left := deadline - time.monotonic()) > 0:
                    ringing = phone.wait_ringing(left)
                    console.print(f"{as_} rings: {ringing.events[0].facts['remote']}")
        except PhoneTimeout:
            pass
        except SimulatorError as error:
            sys.stderr.write(f"sim: {error}\n")
            raise typer.Exit(1) from None


def _codec(name: str) -> Codec:
    if name not in ("PCMU", "PCMA", "G722"):
        raise typer.BadParameter("must be PCMU, PCMA or G722", param_hint="--codec")
    return name  # type: ignore[return-value]  # checked just above


def _recogniser(state: Path) -> Recogniser | None:
    try:
        return Recogniser.load(state / "sounds")
    except SoundsUnusable as error:
        sys.stderr.write(f"sim: prompts cannot be recognised: {error}\n")
        return None


def _talk(call: PhoneCall, keys: list[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    call.wait_answered(max(10.0, min(seconds, 60.0)))
    try:
        for key in keys:
            digits, _, prompt = key.partition("@")
            call.press_when_heard(prompt or None, digits, after_s=_INTO_PROMPT_S, timeout_s=_PATIENCE_S)
    except PhoneTimeout as error:
        console.print(f"[yellow]not pressed:[/] {error}")
    if not call.ended:
        try:
            call.wait_ended(max(0.1, deadline - time.monotonic()))
        except PhoneTimeout:
            call.hang_up()


def _tell(call: PhoneCall) -> None:
    ending = call.wait_ended()
    samples = read_wav(call.recording)
    recogniser = call.phone.farm.recogniser
    heard = recogniser.recognise(samples) if recogniser is not None else []
    rows = [(one.start_s, *_prompt(one)) for one in heard]
    rows += [(one.start_s, one.kind, f"{one.end_s - one.start_s:.1f} s", "") for one in between(samples, heard)]
    rows += [
        (call.offset(one), "pressed", str(one.facts["digits"]), "") for one in call.events if one.kind == "pressed"
    ]
    table = Table("at", "what", "", "")
    for at, *cells in sorted(rows):
        table.add_row(f"{at:.1f} s", *cells)
    console.print(table)
    who = "this phone" if ending.by == "us" else "the line"
    cause = f", cause {ending.cause}" if ending.cause is not None else ""
    console.print(f"ended by {who} after {ending.talked_s:.1f} s: {ending.status} {ending.reason}{cause}; {call.codec}")


def _prompt(one: Heard) -> tuple[str, str, str]:
    if one.complete:
        text = one.text
    else:
        text = f"{one.text[: max(12, int(len(one.text) * 0.3))]}… ({one.matched_s:.1f} s of it)"
    return one.prompt_id, one.language, text
