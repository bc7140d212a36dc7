"""The composition root: built without I/O, every service reachable, features in their order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.asterisk.runtime import Runtime
from ivr.desk.hours import calendars_of
from ivr.desk.load import load_desks
from ivr.desk_reload import LiveCalendars
from ivr.feature import Feature
from ivr.line import Line
from ivr.notify.config import NoticeConfig
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Voices
from ivr.settings import Address, Settings
from ivr.store.engine import Store
from tests.fakes.ami import FakeAmi
from tests.unit.prompts.voice import HummingVoice

_SECRETS = {"agi": "agi", "hep": "hep", "totp": "totp"}
#: What Python tells its audit hooks of when a file, a folder, a socket or a program is touched.
_TOUCHING = ("open", "os.", "socket.", "subprocess.", "shutil.", "sqlite3.")
_touched: list[str] | None = None


def _audit(event: str, args: tuple[Any, ...]) -> None:
    # A module that is imported late is read, which is no I/O of the line.
    if _touched is not None and event.startswith(_TOUCHING) and not str(args[:1]).endswith((".py',)", ".pyc',)")):
        _touched.append(f"{event} {args}")


@contextmanager
def _no_io() -> Iterator[None]:
    global _touched
    _touched = []
    try:
        yield
        assert _touched == []
    finally:
        _touched = None


def build(state: Path) -> Line:
    desks = load_desks()
    sounds = Sounds(
        folder=state / "sounds",
        cache=state / "cache",
        catalog=Catalog(desks),
        voices=Voices([HummingVoice()]),
        core_sounds=state / "core",
        languages=("fr", "en"),
    )
    calendars = LiveCalendars({name: calendars_of(desk) for name, desk in desks.items()})
    store = Store(f"sqlite+aiosqlite:///{state / 'line.sqlite3'}", patience_s=1.0, connecting_s=1.0)
    with _no_io():
        return Line(
            settings=Settings(state=state, transcribe=state / "model"),
            runtime=cast(Runtime, None),
            store=store,
            ami=FakeAmi("support"),
            desks=desks,
            calendars=calendars,
            sounds=sounds,
            secrets=_SECRETS,
            notices=NoticeConfig(mail=Address(host="127.0.0.1", port=2525)),
            clock=lambda: datetime(2026, 11, 18, 15, tzinfo=UTC),
        )


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_audit)


async def test_every_service_is_made_without_io(tmp_path: Path) -> None:
    line = build(tmp_path)
    names = [name for name, made in vars(Line).items() if isinstance(made, cached_property)]
    assert len(names) > 40
    with _no_io():
        for name in names:
            getattr(line, name)
    # The audit saw that nothing was made; so does the folder.
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_each_service_is_made_once(tmp_path: Path) -> None:
    line = build(tmp_path)
    assert line.incidents is line.incidents
    assert line.features is line.features


async def test_parts_have_names_of_their_own_and_one_of_them_is_vital(tmp_path: Path) -> None:
    """The end of what Asterisk tells ends the service; every other part is started again."""
    parts = list(build(tmp_path).background())
    names = [part.name for part in parts]
    assert len(names) == len(set(names))
    assert [part.name for part in parts if part.vital] == ["events"]


async def test_queues_hear_first_and_the_console_last(tmp_path: Path) -> None:
    hearing = [feature.name for feature in build(tmp_path).features if feature.on_event is not None]
    assert hearing == [
        "probes",
        "queues",
        "calls",
        "kept places",
        "tickets",
        "callbacks",
        "on call",
        "refused calls",
        "phones",
        "call traces",
        "queue members",
    ]


async def test_an_event_that_one_feature_cannot_enter_reaches_the_others(tmp_path: Path) -> None:
    line, heard = build(tmp_path), []

    def hears(name: str) -> Feature:
        async def on_event(event: Mapping[str, str]) -> None:
            heard.append((name, event["event"]))
            if name == "broken":
                raise KeyError(name)

        return Feature(name=name, on_event=on_event)

    line.features = (hears("first"), hears("broken"), Feature(name="deaf"), hears("last"))
    ami = cast(FakeAmi, line.ami)
    ami.tell({"event": "Hangup"})
    ami.tell({"event": "DialEnd"})
    await ami.close()
    await line.follow()
    assert heard == [(name, event) for event in ("Hangup", "DialEnd") for name in ("first", "broken", "last")]
