"""Desk files on disk behind a line of which nothing else is real."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from ivr import desk_reload, prepare
from ivr.asterisk.runtime import Runtime
from ivr.desk.last_good import keep
from ivr.desk.load import BUILT_IN, Desks
from ivr.desk_reload import DeskFiles, LiveCalendars
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.prompts import music
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Voices
from ivr.settings import Settings
from tests.unit.prompts.voice import HummingVoice, tone


@dataclass
class World:
    """A line of which only the desk files are real."""

    settings: Settings
    desks: Desks
    calendars: LiveCalendars
    sounds: Sounds
    #: What Asterisk was given, by wrap-up time of its queue, and whether it takes anything.
    given: list[int] = field(default_factory=list)
    away: bool = False
    switched: int = 0
    now: datetime = datetime(2026, 11, 25, 15, tzinfo=UTC)

    def edit(self, before: str, after: str) -> None:
        path = cast(Path, self.settings.desks) / "omnivigil.yaml"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")

    async def asterisk(self, desks: Desks, sounds: Sounds) -> None:
        self.given.append(desks["omnivigil"].queues["support"].wrapup_s)
        if self.away:
            raise Unavailable(component="Asterisk")

    def on_switch(self) -> None:
        self.switched += 1

    def files(self) -> DeskFiles:
        return DeskFiles(
            self.settings,
            cast(Runtime, None),
            desks=self.desks,
            calendars=self.calendars,
            sounds=self.sounds,
            asterisk=self.asterisk,
            switched=self.on_switch,
            bus=EventBus(),
            clock=lambda: self.now,
        )

    @property
    def wrapup_s(self) -> int:
        return self.desks["omnivigil"].queues["support"].wrapup_s

    @property
    def kept_wrapup_s(self) -> int:
        return prepare.in_force(self.settings)[0]["omnivigil"].queues["support"].wrapup_s


def make_world(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A copy of the main desk's file, in force; `cache` may be shared."""
    (tmp_path / "desks").mkdir(parents=True)
    shutil.copy(BUILT_IN / "omnivigil.yaml", tmp_path / "desks")
    settings = Settings(state=tmp_path / "state", desks=tmp_path / "desks")

    def sounds_of(settings: Settings, runtime: object, desks: Desks) -> Sounds:
        return Sounds(
            folder=tmp_path / "sounds",
            cache=cache,
            catalog=Catalog(desks),
            voices=Voices([HummingVoice()]),
            core_sounds=tmp_path / "core",
            languages=(),
        )

    monkeypatch.setattr(desk_reload, "sounds_of", sounds_of)
    monkeypatch.setattr(music, "hold_music", lambda: tone(0.5))
    # Thousands of openings, of which none is spoken here.
    monkeypatch.setattr("ivr.prompts.catalog.DAYS_AHEAD", 1)
    with prepare.take(settings) as taken:
        keep(taken.copy, prepare.copy_of(settings))
        sounds = sounds_of(settings, None, taken.desks)
        sounds.build(taken.calendars, World.now)
        return World(settings=settings, desks=taken.desks, calendars=LiveCalendars(taken.calendars), sounds=sounds)
