"""`./omnivigil backup` and `restore`: all that a line keeps, as one file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ivr.cli.options import DatabaseOption, StateOption, database_of
from ivr.clock import system_clock
from ivr.errors import BadInput

console = Console(highlight=False)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; readable by you only.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Write all that the line keeps into one file, while it runs or not."""
    from ivr.backup import create

    folder = state.resolve()
    url = create.database_of(folder, database_of(database))
    made = asyncio.run(create.make(file.resolve(), state=folder, url=url, now=system_clock()))
    size = file.stat().st_size / 1e6
    console.print(f"{file}: {len(made.members)} files, {size:.1f} MB, {made.database} of revision {made.revision}")


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
        url = database_of(database)
        found = asyncio.run(
            backup_restore.restore(file.resolve(), state=state.resolve(), url=url, database_only=database_only)
        )
    made = found.manifest
    told = f"omnivigil {made.version}, {made.database} of revision {made.revision}, {len(made.members)} files"
    console.print(f"{file}: of {made.created_at}; {told}; whole")
    for missing in found.missing:
        console.print(f"  named by a row, and not there: {missing}", style="red", markup=False)
    raise typer.Exit(1 if check and found.missing else 0)
