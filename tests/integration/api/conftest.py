"""The API on a real socket, over a real database; only Asterisk's queues are a fake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import provide, routes
from api.deps import Health, Services
from api.server import ApiServer
from ivr.accounts.api_tokens import Tokens, keep_token
from ivr.callbacks.bridged_markers import PutThrough
from ivr.callbacks.channels import Prompts
from ivr.callbacks.model import Callback
from ivr.callbacks.reconciler import Keeper
from ivr.calls.log import CallLog
from ivr.calltrace.recordings import Recordings
from ivr.calltrace.service import CallTraces
from ivr.desk.hours import calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.directory.demo import load_demo
from ivr.directory.lookup import Directory
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.evidence.packet_buffer import Ring
from ivr.incidents.service import Incidents
from ivr.maintenance.service import Maintenances
from ivr.metrics.counters import Counters
from ivr.metrics.prometheus import LineMetrics
from ivr.probing.probes import Probes
from ivr.prompts.build import Sounds
from ivr.queueing.queue_state import QueueWatch
from ivr.reports.service import Reports
from ivr.settings import Settings
from ivr.store.engine import Store, Unit
from ivr.subscriptions.service import Subscribers
from ivr.tickets.about_incident import hang
from ivr.tickets.spool import Spool
from ivr.tickets.store import open_tickets
from tests.fakes.announcing import announcer, humming
from tests.fakes.desk_files import World, make_world
from tests.integration.databases import Filling
from tests.plain_http import NO_TLS

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


class AsteriskAway(Unavailable):
    """Asterisk does not answer."""


@dataclass(frozen=True, kw_only=True)
class FakeMember:
    queue: str
    endpoint: str
    paused: bool = False
    in_call: bool = False
    status: str = "idle"
    calls_taken: int = 0
    last_call: datetime | None = None


@dataclass
class FakeMembers:
    """The queues of an Asterisk that does what it is told."""

    members: dict[tuple[str, str], FakeMember] = field(default_factory=dict)
    away: bool = False

    def _asked(self) -> None:
        if self.away:
            raise AsteriskAway

    async def add(self, queue: str, endpoint: str, name: str) -> None:
        self._asked()
        self.members.setdefault((queue, endpoint), FakeMember(queue=queue, endpoint=endpoint))

    async def remove(self, queue: str, endpoint: str) -> None:
        self._asked()
        self.members.pop((queue, endpoint), None)

    async def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> None:
        self._asked()
        for key, member in self.members.items():
            if member.endpoint == endpoint and queue in (None, member.queue):
                self.members[key] = replace(member, paused=paused)

    async def list(self, queue: str | None) -> Sequence[FakeMember]:
        self._asked()
        return [member for member in self.members.values() if queue in (None, member.queue)]


@dataclass
class Line:
    """What a test reaches behind the API."""

    services: Services
    members: FakeMembers
    keeper: Keeper
    watch: QueueWatch
    #: Phones that were rung for one another.
    connected: list[tuple[str, str]]
    health: Health = field(default_factory=lambda: Health(taking_calls=True, components={"asterisk": "ok"}))
    app: FastAPI | None = None
    url: str = ""
    now: datetime = NOW


class NoChannels:
    """No Asterisk: nobody stands anywhere."""

    trunk = True

    async def hang_up(self, channel: str) -> None: ...


async def _nothing(unit: Unit, one: Callback) -> None: ...


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
    directory = Directory(store)
    await directory.reload()
    bus = EventBus()

    async def tickets_of(customer_id: int) -> list[dict[str, object]]:
        async with store.reading() as unit:
            return [ticket.brief() for ticket in await open_tickets(unit, customer_id)]

    async def health() -> Health:
        return made.health

    members = FakeMembers()
    calendars = {name: calendars_of(desk) for name, desk in desks.items()}
    watch = QueueWatch(
        {name: queue for desk in desks.values() for name, queue in desk.queues.items()}, lambda: made.now
    )
    keeper = Keeper(
        store=store,
        channels=NoChannels(),  # type: ignore[arg-type]
        watch=watch,
        desks=desks,
        calendars=calendars,
        prompts=lambda *_: Prompts(greeting="", no_answer=""),
        bus=bus,
        clock=lambda: made.now,
        lapsed=_nothing,
        put_through=PutThrough(tmp_path / "put-through", timedelta()),
    )
    folder = tmp_path / "messages"
    folder.mkdir()
    traces = CallTraces(
        store=store,
        spool=Spool(tmp_path / "traces"),
        ring=Ring(),
        directory=directory,
        desk=next(iter(desks.values())),
        bus=bus,
        clock=lambda: NOW,
        rtp_ports=(10000, 12000),
        # Tests share a busy machine; whether a caller waits too long is told by tests of that.
        patience_s=30.0,
    )
    connected: list[tuple[str, str]] = []

    async def connect(first: str, second: str) -> None:
        connected.append((first, second))

    announcing = announcer(
        store=store,
        desks=desks,
        sounds=sounds,
        folder=tmp_path,
        shared=sounds_folder,
        bus=bus,
        clock=lambda: made.now,
    )
    calls = CallLog(store, bus, open_tickets=tickets_of)
    maintenances = Maintenances(store=store, desks=desks, bus=bus, clock=lambda: made.now, public_url=None)
    services = Services(
        store=store,
        directory=directory,
        tokens=Tokens(store),
        calls=calls,
        bus=bus,
        members=members,
        desks=desks,
        calendars=calendars,
        keeper=keeper,
        watch=watch,
        health=health,
        clock=lambda: made.now,
        announcer=announcing,
        incidents=Incidents(
            store=store,
            desks=desks,
            announcer=announcing,
            bus=bus,
            clock=lambda: made.now,
            hang=hang,
            maintenance=maintenances.now,
            public_url="https://etat.example",
        ),
        maintenances=maintenances,
        reports=Reports(
            store=store, desks=desks, calendars=calendars, clock=lambda: made.now, public_url="https://etat.example"
        ),
        subscribers=Subscribers(store, lambda: made.now),
        metrics=LineMetrics(
            counters=Counters(),
            store=store,
            bus=bus,
            watch=watch,
            calls=calls,
            clock=lambda: made.now,
            ami_connected=lambda: True,
            probes=Probes(store, Settings(state=tmp_path).sip, tmp_path, lambda: made.now),
        ),
        messages=folder,
        traces=traces,
        recordings=Recordings(
            tmp_path / "recordings", store, next(iter(desks.values())).call_trace, lambda: made.now, timedelta(0)
        ),
        connect_phones=connect,
    )
    made = Line(services=services, members=members, keeper=keeper, watch=watch, connected=connected)
    provide(app, services)
    made.app = app
    async with serving(app, bus) as made.url:
        yield made
    await traces.close()
    await services.calls.close()


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
