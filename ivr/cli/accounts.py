"""`./omnivigil account add|reset-second-factor|reset-password`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivr.cli.database import with_store
from ivr.cli.options import DatabaseOption, StateOption, settings_in
from ivr.clock import system_clock

app = typer.Typer(no_args_is_help=True, help="Accounts of the console.")


@app.command("add")
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
    from ivr.cli import account_adding
    from ivr.store.engine import Store

    account_adding.check(name=name, role=role)
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)

    async def keep(store: Store) -> None:
        await account_adding.add(
            store,
            name=name,
            role=role,
            partner=partner,
            phone=phone,
            provider=provider,
            password=password,
            at=system_clock(),
        )

    with_store(settings_in(state, database), keep)


@app.command("reset-second-factor")
def reset_second_factor(
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Ask an account for no codes any more: its phone and recovery codes are lost, or the key in secrets.json is."""
    import getpass

    from ivr.accounts import second_factor_admin
    from ivr.store.engine import Store

    async def reset(store: Store) -> None:
        await second_factor_admin.reset(store, name, who=getpass.getuser(), at=system_clock())

    with_store(settings_in(state, database), reset)


@app.command("reset-password")
def reset_password(
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Give an account another password and print it, once; it must be changed at the next sign-in."""
    import getpass

    from ivr.accounts import second_factor_admin
    from ivr.store.engine import Store

    async def reset(store: Store) -> str:
        return await second_factor_admin.reset_password(store, name, who=getpass.getuser(), at=system_clock())

    print(with_store(settings_in(state, database), reset))  # noqa: T201 - what the command is for
