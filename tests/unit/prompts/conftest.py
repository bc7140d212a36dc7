"""A line of one small desk, its voice and its folders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.schema import Desk
from ivr.prompts import music
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import CoreSounds, Engine, Voices
from tests.unit.prompts.voice import HummingVoice, tone, write_wav

#: A Wednesday at 10:00 in Toronto.
NOW = datetime(2026, 3, 11, 14, tzinfo=UTC)


def desk_of(**changes: Any) -> Desk:
    """A desk with one department, in both languages."""
    fields: dict[str, Any] = {
        "id": "small",
        "name": "Small",
        "timezone": "America/Toronto",
        "numbers": ["15145550100"],
        "languages": ["fr", "en"],
        "menu": {"keys": {"1": "help"}, "operator": "help", "languages": {"9": "en"}},
        "departments": {
            "help": {"name": {"fr": "Aide", "en": "Help"}, "email": "help@small.example", "queue": "small-help"}
        },
        "queues": {"small-help": {}},
        "hours": {"monday": ["08:00-12:00", "13:00-17:00"]},
        "texts": {
            "welcome": {"fr": "Bonjour.", "en": "Hello."},
            "menu": {"fr": "Faites le 1.", "en": "Press 1."},
            "closed-hours": {"fr": "Ouvert le lundi.", "en": "Open on Monday."},
            "closed-department": {"fr": "{department} : {opening}.", "en": "{department}: {opening}."},
            "closed-department-no-opening": {"fr": "{department} est fermé.", "en": "{department} is closed."},
        },
    }
    return Desk.model_validate({**fields, **changes})


@pytest.fixture(autouse=True)
def short_music(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute of music takes longer to make than all the rest."""
    monkeypatch.setattr(music, "hold_music", lambda: tone(0.5))


@pytest.fixture
def desk() -> Desk:
    return desk_of()


@pytest.fixture
def voice() -> HummingVoice:
    return HummingVoice()


@pytest.fixture(scope="session")
def core_sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded digits and beep of both speakers."""
    folder = tmp_path_factory.mktemp("core")
    for speaker in CoreSounds.SPEAKERS.values():
        for n, file in enumerate(CoreSounds.FILES.values()):
            write_wav(folder / speaker / file, tone(0.3, rate=8000, hertz=500 + 50 * n).samples, 8000)
    return folder


class Line:
    """Makes the sounds of a line, as often as a line is started."""

    def __init__(self, root: Path, core_sounds: Path, desk: Desk, voice: HummingVoice) -> None:
        self.folder = root / "state" / "sounds"
        self.cache = root / "cache"
        self.core_sounds = core_sounds
        self.desks: dict[str, Desk] = {desk.id: desk}
        self.engines: list[Engine] = [voice]

    @property
    def calendars(self) -> Mapping[str, Mapping[str, Calendar]]:
        return {desk.id: calendars_of(desk) for desk in self.desks.values()}

    def sounds(self) -> Sounds:
        return Sounds(
            folder=self.folder,
            cache=self.cache,
            catalog=Catalog(self.desks),
            voices=Voices(self.engines),
            core_sounds=self.core_sounds,
            languages=["fr", "en"],
        )

    def built(self) -> Sounds:
        sounds = self.sounds()
        sounds.build(self.calendars, NOW)
        return sounds


@pytest.fixture
def line(tmp_path: Path, core_sounds: Path, desk: Desk, voice: HummingVoice) -> Line:
    return Line(tmp_path, core_sounds, desk, voice)
