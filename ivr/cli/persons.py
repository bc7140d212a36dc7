"""`./omnivigil person list|export|erase`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from ivr.cli.database import with_store
from ivr.cli.options import DatabaseOption, StateOption, settings_in, user_name
from ivr.clock import system_clock

if TYPE_CHECKING:
    from ivr.persons.search import Folders
    from ivr.store.engine import Store

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="What is known about one person: list, export, erase (Law 25).")
_console = Console(highlight=False)

Numbers = Annotated[list[str] | None, typer.Option("--number", help="A telephone number of theirs.")]
Emails = Annotated[list[str] | None, typer.Option("--email", help="An e-mail address of theirs.")]
Names = Annotated[list[str] | None, typer.Option("--name", help="Their whole name, as it is written in tickets.")]


@app.command("list")
def list_(
    number: Numbers = None,
    email: Emails = None,
    name: Names = None,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Count what there is about a person, by table."""
    from ivr.persons import search
    from ivr.persons.selectors import wanted

    asked = wanted(numbers=number or (), emails=email or (), names=name or ())

    async def look(store: Store, _: search.Folders) -> search.Found:
        async with store.reading() as unit:
            return await search.find(unit, asked)

    found = _with_store(state, database, look)
    table = Table("table", "theirs", "mention them")
    for what, (own, mentions) in found.counts().items():
        table.add_row(what, str(own), str(mentions))
    _console.print(table)


@app.command()
def export(
    number: Numbers = None,
    email: Emails = None,
    name: Names = None,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.zip", help="Where to write it.")] = Path("person.zip"),
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Write what there is about a person into a ZIP: JSON, voice messages, recordings, e-mails."""
    from ivr.accounts import store as audit
    from ivr.errors import BadInput
    from ivr.persons import export as persons_export
    from ivr.persons import search
    from ivr.persons.selectors import wanted

    asked = wanted(numbers=number or (), emails=email or (), names=name or ())
    if to.exists():
        raise BadInput(field="--to", problem=f"{to} is there already", mend="name a file that is not")

    async def make(store: Store, folders: search.Folders) -> bytes:
        at = system_clock()
        async with store.unit() as unit:
            line = await audit.note(
                unit,
                at=at,
                who=user_name(),
                source="command line",
                action="person.export",
                subject=asked.masked,
                fields=asked.fields,
            )
            await audit.noted(unit, line, 200)
        async with store.reading() as unit:
            found = await search.find(unit, asked)
        return await asyncio.to_thread(
            persons_export.zipped, persons_export.told(found, asked, at), await asyncio.to_thread(found.files, folders)
        )

    to.write_bytes(_with_store(state, database, make))
    _console.print(f"{to}: for this person only; it is as private as what is in it.", markup=False)


@app.command()
def erase(
    number: Numbers = None,
    email: Emails = None,
    name: Names = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Erase who a person was, everywhere; what happened stays in the figures. Export first: nothing comes back."""
    from ivr.persons import erasure, search
    from ivr.persons.selectors import wanted

    asked = wanted(numbers=number or (), emails=email or (), names=name or ())
    if not yes:
        typer.confirm("Nothing comes back. Erase?", abort=True)

    async def remove(store: Store, folders: search.Folders) -> erasure.Erased:
        return await erasure.erase(store, asked, folders, at=system_clock(), who=user_name())

    done = _with_store(state, database, remove)
    for what, count in done.rows.items():
        _console.print(f"erased: {what}: {count}", markup=False)
    _console.print(f"erased: files: {done.files}", markup=False)
    for line in done.left:
        _console.print(f"left: {line}", markup=False)
    _console.print("Logs keep what they say for the days of keep.logs_days; backups as long as you keep them.")


def _with_store(state: Path, database: str | None, act: Callable[[Store, Folders], Awaitable[T]]) -> T:
    from ivr.asterisk.folders import Folders as Below
    from ivr.persons.search import Folders

    settings = settings_in(state, database)
    below = Below.below(settings)
    folders = Folders(messages=below.messages, mails=settings.mails, recordings=below.recordings)
    return with_store(settings, lambda store: act(store, folders))
