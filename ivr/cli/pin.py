"""`./omnivigil pin`: the PIN by which a technician announces from a phone (*58)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ivr.cli.database import with_store
from ivr.cli.options import DatabaseOption, StateOption, settings_in
from ivr.errors import BadInput

console = Console(highlight=False)


def pin(
    endpoint: Annotated[str, typer.Argument(help="The technician's phone, as 7001.")],
    state: StateOption = Path("var"),
    database: DatabaseOption = None,
) -> None:
    """Set the PIN with which a technician may record announcements (*58). It is asked for, and shown nowhere."""
    from ivr.announcements.pins import check_pin, hashed, put_pin
    from ivr.directory.lookup import Directory
    from ivr.store.engine import Store

    pin_hash = hashed(check_pin(typer.prompt("PIN", hide_input=True, confirmation_prompt=True)))

    async def keep(store: Store) -> None:
        directory = Directory(store)
        await directory.reload()
        technician = directory.technician(endpoint)
        if technician is None:
            mend = "give the phone of a technician of the directory"
            raise BadInput(field="endpoint", problem="this is not a technician's phone", mend=mend)
        async with store.unit() as unit:
            await put_pin(unit, technician.id, pin_hash)

    with_store(settings_in(state, database), keep)
