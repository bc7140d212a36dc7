"""Every line that is logged in a conversation says which call it belongs to, also the one that says it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

import agi_scripts
from agi_scripts.context import LineContext
from agi_scripts.conversations import converse
from ivr import logs
from ivr.asterisk import fastagi
from ivr.asterisk.agi_session import AgiSession
from ivr.asterisk.fastagi import FastAgiServer

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, as the service's own processors leave it before it is written."""
    logs.configure()
    written: Lines = []
    configured = structlog.get_config()["processors"][:-1]

    def keep(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        written.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[*configured, keep], cache_logger_on_first_use=False)
    yield written
    structlog.reset_defaults()


def line(**known: str) -> Any:
    """What `converse` asks of the line."""
    version = SimpleNamespace(desks={}, calendars={}, sounds=None)
    calls = SimpleNamespace(id_of=known.get, call_of=lambda uniqueid: None)
    return SimpleNamespace(calls=calls, desk_files=SimpleNamespace(version=lambda at: version))


async def conversed(monkeypatch: pytest.MonkeyPatch, uniqueid: str) -> None:
    """One conversation that logs a line, and fails."""

    async def waiting(session: AgiSession, _: LineContext) -> None:
        structlog.get_logger().info("in the middle")
        raise RuntimeError("broken")

    monkeypatch.setattr(fastagi, "log", structlog.get_logger())
    known = line(**{"17.1": "abc"})
    server = FastAgiServer("127.0.0.1", 0, lambda session: converse(session, known, {"waiting": waiting}))
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"agi_network_script: waiting\nagi_channel: PJSIP/a-1\nagi_uniqueid: {uniqueid}\n\n".encode())
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await server.stop(1)


async def test_each_line_carries_the_call(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    await conversed(monkeypatch, "17.1")
    assert [(one["event"], one["call"], one["channel"]) for one in lines] == [
        ("in the middle", "abc", "PJSIP/a-1"),
        ("FastAGI conversation failed; the dialplan takes over", "abc", "PJSIP/a-1"),
    ]


async def test_one_that_is_no_call_of_ours_carries_its_channel(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    await conversed(monkeypatch, "99.9")
    assert [(one.get("call"), one["channel"]) for one in lines] == [(None, "PJSIP/a-1")] * 2


async def test_what_one_conversation_binds_another_does_not_see(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    await conversed(monkeypatch, "17.1")
    await conversed(monkeypatch, "99.9")
    assert "call" not in lines[-1]


def test_every_conversation_that_makes_a_call_binds_it() -> None:
    """Whoever gives a call its id has it on each line from then on."""
    for script in Path(agi_scripts.__file__).parent.glob("*.py"):
        text = script.read_text(encoding="utf-8")
        assert ("call_id = uuid.uuid4().hex" in text) <= ("bind_contextvars(call=call_id)" in text), script.name
