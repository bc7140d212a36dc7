"""The whole line with PostgreSQL instead of SQLite, and without it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from ivr.tools.postgresql_server import Cluster, ServerFailed
from tests.calls.line import CLOSED, Line, hear, running_line, wait_for
from tests.calls.messages import speech
from tests.integration.databases import cluster_in

NUMBER = "18446664844"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that may be stopped; it keeps what it confirmed."""
    # Root's own folders would be closed to the server, which runs as nobody then.
    folder = Path(tempfile.mkdtemp(prefix="ov-pg-"))
    folder.chmod(0o755)
    server = Cluster(folder=folder / "s", programs=cluster_in(folder).programs, settings={"max_connections": "50"})
    server.start()
    try:
        yield server
    finally:
        with suppress(ServerFailed):
            server.stop("immediate")
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def line(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A closed line on it."""
    options = ("--database-url", cluster.url("postgres"))
    with running_line(tmp_path_factory.mktemp("postgresql") / "line", now=CLOSED, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def known(line: Line) -> Recogniser:
    return Recogniser.load(Path(line.state) / "sounds")


async def _leave_message(line: Line, known: Recogniser, number: str, *, confirmed: str) -> None:
    async with RawCall(line.server, NUMBER, number) as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "closed-emergency")
        await asyncio.sleep(5)
        await call.press("1")
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        await call.speak(speech(line, 4))
        await call.press("#")
        await asyncio.to_thread(hear, known, call.heard, "message-review")
        await call.press("1")
        await asyncio.to_thread(hear, known, call.heard, confirmed)
        assert await call.ended_by_line(30)


async def test_a_message_becomes_a_ticket(line: Line, known: Recogniser) -> None:
    """OV-7, OV-11: and the call is on record whole."""
    await _leave_message(line, known, "14185559001", confirmed="message-received-urgent")
    call = await asyncio.to_thread(line.ended_call_from, "14185559001")
    assert line.api("GET", f"/v1/tickets/{call['ticket']['number']}")["priority"] == "urgente"
    assert not (Path(line.state) / "omnivigil.sqlite3").exists()


async def test_a_message_left_while_the_server_is_down_is_a_ticket_afterwards(
    line: Line, cluster: Cluster, known: Recogniser
) -> None:
    """It is on disk before the caller hears that it was received, and entered once when the server is back."""
    await asyncio.to_thread(cluster.stop, "immediate")
    try:
        await _leave_message(line, known, "14185559002", confirmed="message-received-urgent")
    finally:
        await asyncio.to_thread(cluster.start)

    def entered() -> dict[str, str] | None:
        answer = line.raw_api("GET", "/v1/calls", params={"ani": "14185559002"})
        calls = answer.json()["items"] if answer.status_code == 200 else []
        found: dict[str, str] | None = line.api("GET", f"/v1/calls/{calls[0]['id']}")["ticket"] if calls else None
        return found

    ticket = await asyncio.to_thread(wait_for, entered, "the message's ticket", 60)
    assert line.api("GET", f"/v1/tickets/{ticket['number']}")["priority"] == "urgente"
