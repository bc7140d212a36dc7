"""An announcer over a real database and real files, whose voice hums."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ivr.announcements.announcer import Announcer
from ivr.announcements.on_air import NORMAL, OnAirFiles
from ivr.announcements.sounds import AnnouncementSounds
from ivr.clock import Clock
from ivr.desk.load import Desks
from ivr.events import EventBus
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Voices
from ivr.store.engine import Store
from tests.unit.prompts.voice import HummingVoice


def humming(folder: Path, desks: Desks) -> Sounds:
    """A line's sounds, of which only those are there that tell that all is well."""
    sounds = Sounds(
        folder=folder / "sounds",
        cache=folder / "cache",
        catalog=Catalog(desks),
        voices=Voices([HummingVoice()]),
        core_sounds=folder / "core",
        languages=("fr", "en"),
    )

    async def make() -> None:
        for desk in desks.values():
            for language in desk.languages:
                await sounds.of(desk.id, NORMAL, language, {})

    asyncio.run(make())
    return sounds


async def nobody_waits(desk: str, length_s: float) -> None:
    """There is nobody to interrupt."""


def announcer(
    *, store: Store, desks: Desks, sounds: Sounds, folder: Path, shared: Path, bus: EventBus, clock: Clock
) -> Announcer:
    """Over `sounds` in `shared`; what it keeps for good and puts on the air is in `folder`."""
    return Announcer(
        store=store,
        desks=desks,
        sounds=sounds,
        kept=AnnouncementSounds(sounds, folder=shared / "sounds", kept=folder / "announcements"),
        on_air=OnAirFiles(folder / "on-air"),
        interrupt=nobody_waits,
        bus=bus,
        clock=clock,
    )
