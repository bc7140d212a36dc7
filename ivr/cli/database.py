"""The database of a line, for a command that runs beside it or without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.store.engine import Store

T = TypeVar("T")


def with_store(settings: Settings, act: Callable[[Store], Awaitable[T]]) -> T:
    """Open a line's database, bring its tables up to date, and return what `act` does with it.

    Raises StoreUnavailable, SchemaNewer.
    """
    # Late: commands that need no database start without it.
    from ivr.migrations.run import migrate
    from ivr.store.engine import open_store

    async def run() -> T:
        store = open_store(settings.database_url)
        try:
            await migrate(store)
            return await act(store)
        finally:
            await store.close()

    return asyncio.run(run())
