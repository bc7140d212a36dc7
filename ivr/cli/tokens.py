"""`./omnivigil token NAME|list|revoke`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from ivr.accounts.api_tokens import SCOPES
from ivr.cli.database import with_store
from ivr.cli.options import DatabaseOption, StateOption, settings_in
from ivr.clock import system_clock
from ivr.errors import BadInput

T = TypeVar("T")


class _MakingByDefault(TyperGroup):
    """`token NAME` makes one, as `token make NAME` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MakingByDefault,
    no_args_is_help=True,
    help="Tokens for the API: `token NAME` makes one and prints it, `list` and `revoke` look after them.",
)
_console = Console(highlight=False)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Who will use it; shown in tickets' histories.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", help=f"What it may do; several if need be: {', '.join(SCOPES)}. directory:write may read."
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="May look, but change nothing.")] = False,
    persons: Annotated[bool, typer.Option("--persons", help="May export and erase what is known of a person.")] = False,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Good for this provider's directory only, as a desk file names it.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", help="Good for so many days; without, until revoked.")] = None,
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Make a token for the API and print it, once: only its digest is kept."""
    from ivr.accounts.api_tokens import check_provider, check_token_name, create_token, end_of
    from ivr.store.engine import Store

    scopes = _scopes(scope or [], read_only=read_only, persons=persons, provider=provider)
    check_provider(scopes, provider)
    called, now = check_token_name(name), system_clock()
    ends = end_of(days, now)

    async def create(store: Store) -> str:
        async with store.unit() as unit:
            return await create_token(unit, called, scopes, now, expires_at=ends, provider=provider)

    print(with_store(settings_in(state, database), create))  # noqa: T201 - what the command is for


def _scopes(asked: list[str], *, read_only: bool, persons: bool, provider: str | None) -> list[str]:
    """Return what a token may do. Raises BadInput."""
    if read_only and persons:
        raise BadInput(field="--persons", problem="who may only look erases nobody", mend="leave --read-only out")
    if asked and (read_only or persons):
        raise BadInput(field="--scope", problem="says it all", mend="leave --read-only and --persons out")
    for one in asked:
        if one not in SCOPES:
            mend = f"give one of {', '.join(SCOPES)}"
            raise BadInput(field="--scope", problem=f"there is no scope {one!r}", mend=mend)
    if "directory:write" in asked and provider is None:
        # Who enters customers and phones looks at their calls as well.
        asked = ["read", *asked]
    if asked:
        return list(dict.fromkeys(asked))
    if read_only:
        return ["read"]
    return ["read", "write", *(["persons"] if persons else [])]


@app.command("list")
def list_(state: StateOption = Path("var"), database: DatabaseOption = None) -> None:
    """The tokens that are not revoked: what each may do, when it was last used, and until when it is good."""
    from ivr.accounts.api_tokens import Token, every
    from ivr.store.engine import Store

    async def look(store: Store) -> list[Token]:
        async with store.reading() as unit:
            return await every(unit)

    table = Table("name", "scopes", "provider", "made", "last used", "good until")
    table.columns[1].overflow = "fold"
    for one in with_store(settings_in(state, database), look):
        if one.expires_at is not None:
            ends = f"{one.expires_at:%Y-%m-%d %H:%M}"
        else:
            ends = "no end"
        if one.expires_at is not None and one.expires_at <= system_clock():
            over = " (over)"
        else:
            over = ""
        if one.last_used_at is not None:
            used = f"{one.last_used_at:%Y-%m-%d %H:%M}"
        else:
            used = "never"
        table.add_row(
            one.name, " ".join(one.scopes), one.provider or "every", f"{one.created_at:%Y-%m-%d}", used, ends + over
        )
    _console.print(table)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name; every token of this name goes.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Make every token of a name worthless. A running line takes them no more within 5 seconds."""
    from ivr.accounts import store as audit
    from ivr.accounts.api_tokens import revoke_named
    from ivr.store.engine import Store

    async def end(store: Store) -> int:
        at = system_clock()
        async with store.unit() as unit:
            count = await revoke_named(unit, name, at)
            line = await audit.note(
                unit,
                at=at,
                who=getpass.getuser(),
                source="command line",
                action="revoke token",
                subject=name,
                fields=(),
            )
            await audit.noted(unit, line, 200)
            return count

    _console.print(f"revoked: {with_store(settings_in(state, database), end)}", markup=False)
