"""The ceiling of `bench tickets`: FastAPI, SQLAlchemy, nothing else. `python -m bench.rivals.bare_tickets PORT URL`.

Three rows in one transaction, as a ticket, its first event and its e-mail are; no tokens, rules, clocks or listeners.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_metadata = MetaData()
_tables = [
    Table(name, _metadata, Column("id", Integer, primary_key=True), Column("name", String(200)), Column("body", Text))
    for name in ("bare_tickets", "bare_events", "bare_outbox")
]


class Given(BaseModel):
    """What the clients of either send."""

    requester_name: str
    requester_email: str
    account_number: str
    observed: str


def bare(engine: AsyncEngine) -> FastAPI:
    """One operation."""

    @contextlib.asynccontextmanager
    async def tables(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(_metadata.create_all)
        yield

    app = FastAPI(lifespan=tables)

    @app.post("/v1/tickets", status_code=201)
    async def create(given: Given) -> dict[str, str]:
        async with engine.begin() as connection:
            for table in _tables:
                await connection.execute(table.insert(), {"name": given.requester_name, "body": given.observed})
        return given.model_dump()

    return app


def engine_of(url: str) -> AsyncEngine:
    """As durable as ours; SQLite has one writer at a time."""
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=8)
    engine = create_async_engine(url, pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine


if __name__ == "__main__":
    uvicorn.run(bare(engine_of(sys.argv[2])), port=int(sys.argv[1]), log_level="warning", access_log=False)
