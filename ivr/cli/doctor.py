"""`./omnivigil doctor`: what is missing on the machine, and what the line makes of a file."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivr.cli.options import (
    AgiOption,
    AmiOption,
    DatabaseOption,
    HttpOption,
    RtpOption,
    SipOption,
    StateOption,
    database_of,
    settings_of,
)
from ivr.clock import system_clock
from ivr.errors import BadInput
from ivr.settings import Settings

console = Console(highlight=False)


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

    settings = replace(settings_of(state, sip, http, agi, ami, rtp, None, True), database=database_of(database))
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

    desk = load(settings)[0].main
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
