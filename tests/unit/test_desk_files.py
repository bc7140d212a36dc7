"""Desk files taken into force while the line runs: whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from ivr import desk_files, prepare
from ivr.asterisk.runtime import Runtime
from ivr.desk.kept import keep, kept
from ivr.desk.load import BUILT_IN, Desks
from ivr.desk_files import DeskFiles, LiveCalendars, NotReloaded
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.prompts import music
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Voices
from ivr.settings import Settings
from tests.unit.prompts.voice import HummingVoice, sound_files, tone


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


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds that are made once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def world(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "desks").mkdir()
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

    monkeypatch.setattr(desk_files, "sounds_of", sounds_of)
    monkeypatch.setattr(music, "hold_music", lambda: tone(0.5))
    # Thousands of openings, of which none is spoken here.
    monkeypatch.setattr("ivr.prompts.catalog.DAYS_AHEAD", 1)
    with prepare.take(settings) as taken:
        keep(taken.copy, prepare.copy_of(settings))
        sounds = sounds_of(settings, None, taken.desks)
        sounds.build(taken.calendars, World.now)
        return World(settings=settings, desks=taken.desks, calendars=LiveCalendars(taken.calendars), sounds=sounds)


async def test_new_hours_menu_and_texts_are_in_force_at_once_and_calls_that_go_on_keep_the_old(world: World) -> None:
    files = world.files()
    began, old_hours = world.now, world.calendars["omnivigil"]["support"]
    world.now += timedelta(minutes=1)
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    world.edit("13:00-17:00", "13:00-18:00")
    world.edit("Nous sommes fermés en ce moment.", "Nous sommes fermés.")
    told: list[str] = []
    outcome = await files.reload(by="test", say=told.append)
    assert outcome.in_force
    assert any("queues.support.wrapup_s: 15 → 30" in line for line in told)
    assert any(line.startswith("Warning: omnivigil: texts.closed-hours.fr") for line in told)
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (30, 30, [30], 1)
    assert world.calendars["omnivigil"]["support"] is not old_hours

    old, new = files.version(began), files.version(None)
    assert old.desks["omnivigil"].queues["support"].wrapup_s == 15
    assert old.calendars["omnivigil"]["support"] is old_hours
    assert new.desks["omnivigil"].queues["support"].wrapup_s == 30
    said = [one.sounds.fixed("omnivigil", "closed-hours", "fr") for one in (old, new)]
    assert said[0] != said[1] == world.sounds.fixed("omnivigil", "closed-hours", "fr")
    assert all(sound_files(sound)[0].exists() for sound in said)
    assert files.version(world.now + timedelta(seconds=1)) is new


async def test_a_check_and_files_that_say_the_same_change_nothing(world: World) -> None:
    files = world.files()
    world.edit("# Dates that differ", "# Another comment\n# Dates that differ")
    assert (await files.reload(by="test")).changes == ()
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    outcome = await files.reload(by="test", check=True)
    assert (len(outcome.changes), outcome.in_force) == (1, False)
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [], 0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("wrapup_s: 15", "wrapup_s: soon", "omnivigil.yaml:"),
        ("departments:\n", "departments: {\n", "omnivigil.yaml:"),
        ("    fr: >-\n      Nous sommes fermés", "    xx: >-\n      Nous sommes fermés", "texts"),
    ],
)
async def test_a_broken_file_keeps_the_last_good_one_and_says_so_until_it_is_mended(
    world: World, before: str, after: str, told: str
) -> None:
    files = world.files()
    world.edit(before, after)
    with pytest.raises(NotReloaded, match=told):
        await files.reload(by="test")
    assert files.problem is not None
    assert told in files.problem
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [], 0)
    # So does a service that starts meanwhile, and it runs.
    another = world.files()
    await another.look()
    assert another.problem is not None
    world.edit(after, before)
    await files.reload(by="test")
    assert files.problem is None


async def test_where_asterisk_takes_nothing_up_all_stays_as_it_was(world: World) -> None:
    files = world.files()
    world.edit("wrapup_s: 15", "wrapup_s: 30")
    world.away = True
    with pytest.raises(NotReloaded, match="Asterisk"):
        await files.reload(by="test")
    # It is given the old ones again.
    assert (world.wrapup_s, world.kept_wrapup_s, world.given, world.switched) == (15, 15, [30, 15], 0)
    world.away = False
    assert (await files.reload(by="test")).in_force
    assert world.wrapup_s == 30


def test_the_files_of_another_folder_are_not_the_last_good_ones(world: World) -> None:
    assert kept(BUILT_IN, prepare.copy_of(world.settings)) is None
