"""The API on a real socket, over a real database; only Asterisk's manager is a fake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import provide, routes
from api.deps import Services, services_of
from api.server import ApiServer
from ivr.accounts.api_tokens import keep_token
from ivr.asterisk.queue_members import Member, member_of
from ivr.asterisk.runtime import Runtime
from ivr.callbacks.reconciler import Keeper
from ivr.desk.hours import calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.desk_reload import LiveCalendars
from ivr.directory.demo import load_demo
from ivr.events import EventBus
from ivr.health import Health
from ivr.line import Line as BuiltLine
from ivr.notify.config import NoticeConfig
from ivr.prompts.build import Sounds
from ivr.queueing.queue_state import QueueWatch
from ivr.settings import Settings
from ivr.store.engine import Store
from tests.fakes.ami import FakeAmi
from tests.fakes.announcing import announcer, humming
from tests.fakes.desk_files import World, make_world
from tests.integration.databases import Filling
from tests.plain_http import NO_TLS

#: Between the processes of a line that has one.
SECRETS = {"agi": "agi", "hep": "hep", "totp": "totp", "ami_service": "ami"}

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@dataclass
class Line:
    """What a test reaches behind the API."""

    #: The line itself, over a manager that is a fake.
    built: BuiltLine
    services: Services
    ami: FakeAmi
    health: Health = field(default_factory=lambda: Health(taking_calls=True, components={"asterisk": "ok"}))
    app: FastAPI | None = None
    url: str = ""
    now: datetime = NOW

    @property
    def keeper(self) -> Keeper:
        """The callbacks."""
        return self.built.keeper

    @property
    def watch(self) -> QueueWatch:
        """Who stands in the queues."""
        return self.built.watch

    @property
    def members(self) -> dict[tuple[str, str], Member]:
        """Who is logged in to Asterisk's queues, by queue and endpoint."""
        rows = [row for queue in self.ami.queues.members.values() for row in queue.values()]
        return {(one.queue, one.endpoint): one for one in map(member_of, rows)}

    @property
    def connected(self) -> list[tuple[str, str]]:
        """Phones that were rung for one another."""
        return [(one["channel"].split("/")[1].split("@")[0], one["exten"]) for one in self.ami.queues.originated]


@pytest.fixture(scope="session")
def desks() -> Desks:
    return load_desks()


@pytest.fixture(scope="session")
def filling() -> Filling:
    """The demo directory and two tokens."""

    async def fill(store: Store) -> None:
        async with store.unit() as unit:
            await load_demo(unit)
            await keep_token(unit, "writer", "console", ["read", "write"], NOW)
            await keep_token(unit, "officer", "privacy", ["read", "write", "persons"], NOW)
            await keep_token(unit, "operator", "crm", ["read", "directory:write"], NOW)
            await keep_token(unit, "editor", "desks", ["read", "desks:write"], NOW)
            await keep_token(unit, "looker", "crm", ["directory:read"], NOW)
            await keep_token(unit, "theirs", "crm", ["directory:write"], NOW, provider="autre")
            await keep_token(unit, "reader", "wallboard", ["read"], NOW)

    return Filling(name="demo", fill=fill)


@pytest.fixture(scope="session")
def sounds_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds are named by content, so that all tests can share them."""
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="session")
def sounds(sounds_folder: Path, desks: Desks) -> Sounds:
    return humming(sounds_folder, desks)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """The API's routes, which take longer to make than most tests to run. Each test puts its own line behind them."""
    return routes()


@pytest.fixture
async def line(
    store: Store, tmp_path: Path, desks: Desks, sounds: Sounds, sounds_folder: Path, app: FastAPI
) -> AsyncIterator[Line]:
    async def health() -> Health:
        return made.health

    ami = FakeAmi(*(queue for desk in desks.values() for queue in desk.queues))
    built = BuiltLine(
        settings=Settings(state=tmp_path),
        runtime=cast(Runtime, None),
        store=store,
        ami=ami,
        desks=desks,
        calendars=LiveCalendars({name: calendars_of(desk) for name, desk in desks.items()}),
        sounds=sounds,
        secrets=SECRETS,
        notices=NoticeConfig(public_url="https://etat.example"),
        clock=lambda: made.now,
    )
    # Tests share the sounds, and a busy machine; whether a caller waits too long is told by tests of that.
    built.announcer = announcer(
        store=store,
        desks=desks,
        sounds=sounds,
        folder=tmp_path,
        shared=sounds_folder,
        bus=built.bus,
        clock=built.clock,
    )
    built.traces._patience_s = 30.0
    built.messages.mkdir(parents=True)
    await built.directory.reload()
    services = replace(services_of(built), health=health, notices=NoticeConfig(), desk_files=None)
    made = Line(built=built, services=services, ami=ami)
    provide(app, services)
    made.app = app
    async with serving(app, built.bus) as made.url:
        yield made
    await built.traces.close()
    await built.calls.close()


@contextlib.asynccontextmanager
async def serving(app: FastAPI, bus: EventBus) -> AsyncIterator[str]:
    """The API's address while it is served."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = ApiServer(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        bus.close()
        server.end()
        await task
        listening.close()


@pytest.fixture
async def client(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=line.url, headers={"Authorization": "Bearer writer"}, timeout=30, verify=NO_TLS
    ) as made:
        yield made


@pytest.fixture
async def stranger(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=line.url, timeout=30, verify=NO_TLS) as made:
        yield made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds that are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def world(line: Line, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Behind the line: the main desk's file, which may be written."""
    made = make_world(tmp_path / "own", cache, monkeypatch)
    assert line.app is not None
    line.app.state.services = replace(
        line.services, desks=made.desks, calendars=made.calendars, desk_files=made.files(), clock=lambda: made.now
    )
    return made
