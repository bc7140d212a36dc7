"""Puts what is told to all who wait where Asterisk plays it: one file per desk and language, replaced as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ivr.announcements import stream
from ivr.asterisk.routing import HeldStream
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
            files = OnAirFiles(settings.on_air)
            told, brief = files.path(desk.id, language), files.brief(desk.id, language)
            arguments = (str(told), str(brief), str(settings.sounds / "moh"), str(desk.announcement.every_s))
            yield HeldStream(name=name, command=(*program, *arguments))


class OnAirFiles:
    """What the streams say. It stays when the service dies, and is what they begin with when Asterisk starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, desk: str, language: str) -> Path:
        """G.711 µ-law, without header."""
        return self._folder / f"{stream_name(desk, language)}.ulaw"

    def brief(self, desk: str, language: str) -> Path:
        """The same for what is said once the news has been: in the regular repetition."""
        return self._folder / f"{stream_name(desk, language)}.brief.ulaw"

    def put(self, desk: str, language: str, sound: str, brief: str) -> bool:
        """Have a built sound (absolute, without extension) said from now on, and then another one every so often.

        Whether the first is another than before. Raises BadInput for the disk, and OSError when a sound cannot be
        read.
        """
        # The stream looks for the brief one when the other has changed.
        _replace(self.brief(desk, language), Path(f"{brief}.ulaw").read_bytes())
        return _replace(self.path(desk, language), Path(f"{sound}.ulaw").read_bytes())

    def begin(self, desks: Mapping[str, Desk], sounds: Sounds) -> None:
        """All is well, where nothing is known yet. Raises as `put`."""
        for desk in desks.values():
            for language in desk.languages:
                if not self.path(desk.id, language).is_file():
                    normal = sounds.fixed(desk.id, NORMAL, language)
                    self.put(desk.id, language, normal, normal)


def _replace(path: Path, content: bytes) -> bool:
    """Write a file unless it says so already; whether it did not."""
    if path.is_file() and path.read_bytes() == content:
        return False
    write(path, content)
    return True
