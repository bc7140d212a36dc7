"""Puts what is told to all who wait where Asterisk plays it: one file per desk and language, replaced as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ivr.announcements import stream
from ivr.asterisk.config import HeldStream
from ivr.desk.schema import Desk
from ivr.prompts.build import Sounds
from ivr.prompts.files import write
from ivr.settings import Settings

#: The prompt that tells that all is well.
NORMAL = "services-operational"


def stream_name(desk: str, language: str) -> str:
    """The music class of those who wait for this desk in this language; the dialplan puts it together too."""
    return f"{desk}-{language}"


def streams_of(settings: Settings, desks: Mapping[str, Desk]) -> Iterator[HeldStream]:
    """The held streams that Asterisk is to start."""
    for desk in desks.values():
        for language in desk.languages:
            name = stream_name(desk.id, language)
            # -I and -S: by its file alone, whatever folder and environment Asterisk has.
            program = (sys.executable, "-I", "-S", str(Path(stream.__file__)))
            told = str(OnAirFiles(settings.on_air).path(desk.id, language))
            arguments = (told, str(settings.sounds / "moh"), str(desk.announcement.every_s))
            yield HeldStream(name=name, command=(*program, *arguments))


class OnAirFiles:
    """What the streams say. It stays when the service dies, and is what they begin with when Asterisk starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, desk: str, language: str) -> Path:
        """G.711 µ-law, without header."""
        return self._folder / f"{stream_name(desk, language)}.ulaw"

    def put(self, desk: str, language: str, sound: str) -> bool:
        """Have a built sound (absolute, without extension) said from now on; whether it is another than before.

        Raises BadInput for the disk, and OSError when the sound cannot be read.
        """
        content = Path(f"{sound}.ulaw").read_bytes()
        path = self.path(desk, language)
        if path.is_file() and path.read_bytes() == content:
            return False
        write(path, content)
        return True

    def begin(self, desks: Mapping[str, Desk], sounds: Sounds) -> None:
        """All is well, where nothing is known yet. Raises as `put`."""
        for desk in desks.values():
            for language in desk.languages:
                if not self.path(desk.id, language).is_file():
                    self.put(desk.id, language, sounds.fixed(desk.id, NORMAL, language))
