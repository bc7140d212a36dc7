"""`./omnivigil pin`: the PIN by which a technician announces from a phone (*58)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ivr.cli.options import DatabaseOption, StateOption, database_of
from ivr.errors import BadInput
from ivr.settings import Settings

console = Console(highlight=False)


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
        store = open_store(Settings(state=state.resolve(), database=database_of(database)).database_url)
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
