"""Asterisk is tried again for ever, with the reason; and a line that ran before starts without its database."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ivr import backoff
from ivr.asterisk import process
from ivr.asterisk.process import AsteriskFailed, AsteriskProcess
from ivr.asterisk.watchdog import AsteriskKeeper, noted
from ivr.cli import up
from ivr.desk.load import load_desks
from ivr.errors import BadInput
from ivr.prepare import Prepared
from ivr.settings import Address, Settings
from ivr.store.engine import StoreUnavailable


def running_one(settings: Settings) -> AsteriskProcess:
    """What `process.start` would give."""
    return AsteriskProcess(runtime=None, settings=settings, pid=1)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A line whose Asterisk is nowhere."""
    (tmp_path / "run").mkdir()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        return Settings(state=tmp_path, sip=Address(host="127.0.0.1", port=free.getsockname()[1]))


def kept(settings: Settings, monkeypatch: pytest.MonkeyPatch, *starts: Exception | AsteriskProcess) -> AsteriskKeeper:
    """A keeper whose starts go like this, one after the other and without rests."""
    left = list(starts)

    async def start(*_: Any) -> AsteriskProcess:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(process, "find", lambda *_: None)
    monkeypatch.setattr(process, "start", start)
    monkeypatch.setattr(backoff, "wait_s", lambda _: 0.0)
    return AsteriskKeeper(settings, None)  # type: ignore[arg-type]


async def test_it_is_tried_until_it_starts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason; who asks for the line's health is told the last one."""
    no_room = OSError(28, "No space left on device", "/somewhere/console")
    running = running_one(settings)
    trying = kept(settings, monkeypatch, AsteriskFailed(last="no configuration"), no_room, running)
    assert await trying._found_or_started() is running
    assert noted(settings) == "cannot start: No space left on device: console"


async def test_it_is_not_started_where_it_would_be_deaf(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would come up without its UDP port and say nothing."""
    running = running_one(settings)
    trying = kept(settings, monkeypatch, running)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as thief:
        thief.bind((settings.sip.host, settings.sip.port))
        starting = asyncio.create_task(trying._found_or_started())
        while not noted(settings):  # noqa: ASYNC110 - there is nothing that would tell us
            await asyncio.sleep(0)
        assert "Address already in use" in noted(settings)
        assert not starting.done()
    assert await starting is running


async def test_a_line_that_ran_before_starts_without_its_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that never ran says what is wrong."""

    async def away(*_: Any, **__: Any) -> Prepared:
        raise StoreUnavailable(problem="connection refused")

    async def nothing(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(up, "prepare", away)
    monkeypatch.setattr(up, "ensure_runtime", nothing)
    monkeypatch.setattr(up, "_take_over", nothing)
    known = Prepared(desks=load_desks(), phones=(), secrets={})
    monkeypatch.setattr(up, "as_before", lambda _: known)
    console = Console(quiet=True)
    assert await up._make_ready(settings, console, before=True, asterisk=True) == (known, False)
    with pytest.raises(StoreUnavailable):
        await up._make_ready(settings, console, before=False, asterisk=True)


async def test_settings_that_cannot_be_written_are_those_of_before_or_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk."""
    path = up._hand_over(settings)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Settings, "write", full)
    assert up._hand_over(settings) == path
    with pytest.raises(BadInput, match="--state"):
        up._hand_over(Settings(state=settings.state))
