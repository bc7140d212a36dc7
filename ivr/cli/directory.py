"""`./omnivigil directory import|export|template`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ivr.cli.database import with_store
from ivr.cli.options import DatabaseOption, StateOption, database_of, user_name
from ivr.clock import system_clock
from ivr.errors import AllBadInput, BadInput
from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.directory.bulk_import import Plan
    from ivr.directory.desk_references import Known
    from ivr.directory.files import Drafts
    from ivr.store.engine import Store

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True, help="Partners, accounts, contacts, numbers, phones and staff, from and to files."
)
_console = Console(highlight=False)
_aside = Console(highlight=False, stderr=True)

Provider = Annotated[str | None, typer.Option("--provider", help="Whose entries; the main desk's company by itself.")]
Desks = Annotated[Path | None, typer.Option(help="Folder of desk files; by itself those of the line's last start.")]
French = Annotated[bool, typer.Option("--french", help="Headings in French. Both are read.")]

#: Entries that are named one by one.
_NAMED = 30
#: Wrong cells that are told; with more, it is the wrong file.
_MOST_ERRORS = 1000
#: Times that the files are compared again, when somebody changes the directory meanwhile.
_TRIES = 3
_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of CSV files, one of them, or a YAML file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what a list does not have.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking, where nobody can be asked.")] = False,
    provider: Provider = None,
    desks: Desks = None,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Enter what the files say, all or nothing. What they do not name stays as it is, unless --prune."""
    from ivr.directory import files

    with _all_told():
        given = files.load(path)
        company, known = _known(state, desks, provider)
        drafts = files.read(given)
        beside = path if path.is_dir() else path.parent

        def agreed(plan: Plan) -> bool:
            _tell(plan)
            if dry_run or not plan.changes:
                return False
            if any(one.what == "removed" for one in plan.changes) and not yes:
                if not sys.stdin.isatty():
                    mend = "look at what --dry-run says, then give --yes"
                    raise BadInput(field="--prune", problem="removes entries, and nobody is there to ask", mend=mend)
                typer.confirm("Remove these?", abort=True)
            return True

        async def run(store: Store) -> tuple[Plan, Path | None]:
            return await _import(store, drafts, company, known, prune=prune, agreed=agreed, beside=beside)

        plan, kept = _with_store(state, database, run)
    if dry_run or not plan.changes:
        return
    _console.print(
        "Done." if kept is None else f"Done. The new phones’ secrets, told this once: {kept}",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder for CSV files, or the name of a YAML file.")],
    french: French = False,
    provider: Provider = None,
    desks: Desks = None,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Write the directory into files that spreadsheets open and `import` takes. Secrets are not in them."""
    from ivr.directory import bulk_import, files

    company, _ = _known(state, desks, provider)

    async def look(store: Store) -> bulk_import.There:
        async with store.reading() as unit:
            return await bulk_import.look(unit, company)

    rows = bulk_import.told(_with_store(state, database, look))
    if path.suffix.lower() in (".yaml", ".yml"):
        _write(path.parent, {path.name: files.as_yaml(rows)})
    else:
        _write(path, files.as_csv(rows, french=french))
    counts = ", ".join(f"{len(rows[kind])} {kind}" for kind in rows if rows[kind])
    _console.print(f"{path}: {counts or 'nothing to tell'}", markup=False, soft_wrap=True)


@app.command()
def template(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder that is made for them.")],
    french: French = False,
) -> None:
    """Write the files with their headings and one example each, to be filled in."""
    from ivr.directory import files

    made = files.template(french=french)
    for name in made:
        if (path / name).exists():
            raise BadInput(field="PATH", problem=f"{path / name} is there already", mend="name an empty folder")
    _write(path, made)
    _console.print(
        f"{path}: {', '.join(made)}. Replace the examples, then ./omnivigil directory import",
        markup=False,
        soft_wrap=True,
    )


async def _import(
    store: Store,
    drafts: Drafts,
    provider: str,
    known: Known,
    *,
    prune: bool,
    agreed: Callable[[Plan], bool],
    beside: Path,
) -> tuple[Plan, Path | None]:
    from ivr.directory import bulk_import, import_diff

    for left in reversed(range(_TRIES)):
        async with store.reading() as unit:
            there = await bulk_import.look(unit, provider)
        plan = await asyncio.to_thread(
            import_diff.plan,
            there,
            drafts,
            provider=provider,
            known=known,
            prune=prune,
        )
        if not agreed(plan):
            return plan, None
        kept = _keep(beside, plan.secrets) if plan.secrets else None
        try:
            with _progress() as said:
                await bulk_import.carry_out(
                    store, plan, by=user_name(), at=system_clock(), source="command line", said=said
                )
        except BaseException as error:
            # A phone that is not there has no secret either.
            if kept is not None:
                kept.unlink(missing_ok=True)
            if isinstance(error, bulk_import.DirectoryChanged) and left:
                _aside.print("Somebody changed the directory meanwhile: once more.")
                continue
            raise
        return plan, kept
    raise AssertionError("unreachable")


def _keep(folder: Path, secrets: dict[str, str]) -> Path:
    """Write what the new phones register with, for its owner only. Raises BadInput."""
    from ivr.lists.sheets import write_sheet

    for number in range(1, 1000):
        path = folder / ("phones-secrets.csv" if number == 1 else f"phones-secrets-{number}.csv")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_write(path, error) from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(write_sheet(["name", "secret"], secrets.items()))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _cannot_write(path, error) from error
        return path
    raise BadInput(field="PATH", problem=f"{folder} is full of phones-secrets", mend="move them to a safe place")


def _cannot_write(path: Path, error: OSError) -> BadInput:
    problem = f"{path} cannot be written: {error.strerror}; nothing was changed"
    return BadInput(field="PATH", problem=problem, mend="make room, or put the files where you may write")


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, each whole or not at all, for their owner only. Raises BadInput."""
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / name
            partial = path.with_name(f"{name}.partial")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            path.with_name(f"{path.name}.partial").unlink(missing_ok=True)
        problem = f"{path} cannot be written: {error.strerror}"
        raise BadInput(field="PATH", problem=problem, mend="name a folder that you may write") from error


def _tell(plan: Plan) -> None:
    """Print what would change."""
    for note in plan.notes[:_NAMED]:
        _aside.print(f"note: {note}", markup=False, soft_wrap=True)
    if len(plan.notes) > _NAMED:
        _aside.print(f"note: and {len(plan.notes) - _NAMED} more like these")
    if not plan.changes:
        _console.print("Nothing changes.")
        return
    table = Table("", *_SIGNS, "unchanged")
    for kind, unchanged in plan.unchanged.items():
        counts = [sum(one.kind == kind and one.what == what for one in plan.changes) for what in _SIGNS]
        if any(counts) or unchanged:
            table.add_row(kind, *(str(number or "") for number in counts), str(unchanged or ""))
    _console.print(table)
    for one in plan.changes[:_NAMED]:
        fields = f": {', '.join(one.fields)}" if one.fields else ""
        _console.print(f"{_SIGNS[one.what]} {one.kind} {one.key}{fields}", markup=False, soft_wrap=True)
    if len(plan.changes) > _NAMED:
        _console.print(f"  and {len(plan.changes) - _NAMED} more")


@contextmanager
def _all_told() -> Iterator[None]:
    """Print everything that is wrong, a line each, and end with 2."""
    try:
        yield
    except AllBadInput as error:
        for one in error.errors[:_MOST_ERRORS]:
            _aside.print(
                f"{one.field}: {one.problem}. {one.mend[:1].upper()}{one.mend[1:]}.", markup=False, soft_wrap=True
            )
        if len(error.errors) > _MOST_ERRORS:
            _aside.print(f"and {len(error.errors) - _MOST_ERRORS} more")
        _aside.print(f"{len(error.errors)} wrong; nothing was changed.")
        raise SystemExit(2) from None


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_aside, transient=True, disable=not _aside.is_terminal) as shown:
        task = shown.add_task("writing", total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def _known(state: Path, desks: Path | None, provider: str | None) -> tuple[str, Known]:
    """The provider that is meant, and what its desks allow. Raises BadInput, DeskError."""
    from ivr.desk.load import BUILT_IN, load_desks
    from ivr.directory.desk_references import known_of, providers_of

    before = _before(state)
    found = list(load_desks(desks or (before.desks if before is not None else None) or BUILT_IN).values())
    providers = providers_of(found)
    if provider is not None and provider not in providers:
        problem = f"no desk is of the provider {provider!r}"
        raise BadInput(field="--provider", problem=problem, mend=f"use one of {', '.join(providers)}")
    company = provider or providers[0]
    return company, known_of(found, company)


def _before(state: Path) -> Settings | None:
    """The settings of the line's last start."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return Settings.read(state.resolve() / "run" / "settings.json")
    return None


def _with_store(state: Path, database: str | None, act: Callable[[Store], Awaitable[T]]) -> T:
    before = _before(state)
    given = before.database if before is not None else None
    settings = Settings(state=state.resolve(), database=database_of(database) or given)
    settings.state.mkdir(parents=True, exist_ok=True)
    return with_store(settings, act)
