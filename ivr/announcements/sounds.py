"""The sounds of announcements: spoken by the line's voice, or taken from recordings."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

from ivr.announcements.model import LONGEST_S
from ivr.errors import BadInput
from ivr.prompts.audio import NotAudio, Pcm, decode, telephone
from ivr.prompts.build import Sounds
from ivr.prompts.files import SoundFiles

#: As sound cards and recorders make them, in Hz.
_RATES = range(4000, 192_001)
_MOST_CHANNELS = 8
#: Formats of uncompressed sound: integers, floats, A-law, µ-law, and those that a longer header names (RFC 2361).
_UNCOMPRESSED = (1, 3, 6, 7, 0xFFFE)
PROMPT = "announcement"


class AnnouncementSounds:
    """Makes them, and keeps them for good: a recording cannot be made again. Everything here blocks."""

    def __init__(self, sounds: Sounds, *, folder: Path, kept: Path) -> None:
        self._sounds = sounds
        self._folder = folder
        self._kept = kept
        self._files = SoundFiles(folder, kept)

    def path(self, name: str) -> str:
        """As Asterisk is told it: absolute, without extension. Puts it back, should it have gone. Raises NotAudio."""
        if not self._files.have(name):
            raise NotAudio(file=name, problem="is gone")
        return self._files.path(name)

    def speak(self, field: str, desk: str, language: str, text: str) -> str:
        """The name of a text's sound. Raises BadInput that names `field`, VoiceFailed."""
        try:
            pcm = self._sounds.say(desk, PROMPT, language, text)
        except NotAudio as error:
            problem = f"the voice cannot say it: {error.facts.get('problem')}"
            raise BadInput(field=field, problem=problem, mend="write it in other words") from error
        return self.keep(field, language, pcm)

    def preview(self, field: str, desk: str, language: str, text: str) -> Pcm:
        """A text as it would sound on the telephone; it is kept nowhere. Raises as `speak`."""
        try:
            return telephone(self._sounds.say(desk, PROMPT, language, text))
        except NotAudio as error:
            problem = f"the voice cannot say it: {error.facts.get('problem')}"
            raise BadInput(field=field, problem=problem, mend="write it in other words") from error

    def keep(self, field: str, language: str, pcm: Pcm) -> str:
        """Level, trim and keep a recording; its name. Raises BadInput that names `field`."""
        try:
            ready = telephone(pcm)
        except NotAudio as error:
            problem = str(error.facts.get("problem"))
            raise BadInput(field=field, problem=problem, mend="give a recording of somebody speaking") from error
        if ready.seconds > LONGEST_S:
            mend = f"say it in at most {LONGEST_S:g} s"
            raise BadInput(field=field, problem=f"lasts {ready.seconds:.0f} s", mend=mend)
        name = f"ov/{language}/{PROMPT}-{hashlib.sha256(ready.samples.tobytes()).hexdigest()[:16]}"
        self._files.keep(name, ready)
        self._sync(name)
        return name

    def _sync(self, name: str) -> None:
        """On disk for good before anybody is told that it is kept."""
        stem = self._kept / name
        paths = [path for path in stem.parent.iterdir() if path.name.lstrip(".").startswith(stem.name)]
        for path in (*paths, stem.parent, stem.parent.parent, self._kept):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def wav(field: str, content: bytes) -> Pcm:
    """A WAV file at any usual rate. Raises BadInput that names `field` for what is none, or too long.

    Looked at before it is decoded: a few bytes can claim to hold hours.
    """
    mend = "give an uncompressed WAV file, as any recorder makes it"
    rate, byte_rate = _header(content)
    if not byte_rate:
        raise BadInput(field=field, problem="is not a WAV file", mend=mend)
    if rate not in _RATES:
        raise BadInput(field=field, problem=f"says that it has {rate} samples a second", mend=mend)
    seconds = len(content) / byte_rate
    if seconds > LONGEST_S + 1:
        problem = f"lasts {seconds:.0f} s"
        raise BadInput(field=field, problem=problem, mend=f"say it in at most {LONGEST_S:g} s")
    try:
        return decode(content)
    except NotAudio as error:
        raise BadInput(field=field, problem=f"is no usable WAV file: {error.facts['problem']}", mend=mend) from error


def _header(content: bytes) -> tuple[int, int]:
    """Samples and bytes a second of an uncompressed WAV file (RIFF); zeros for anything else."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0, 0
    place = 12
    while place + 8 <= len(content):
        name, size = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        if name == b"fmt " and size >= 16 and place + 24 <= len(content):
            kind, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", content, place + 8)
            coherent = 1 <= channels <= _MOST_CHANNELS and bits in (8, 16, 24, 32, 64) and align == channels * bits // 8
            if kind in _UNCOMPRESSED and coherent:
                return (rate, rate * align)
            return (0, 0)
        place += 8 + size + size % 2
    return 0, 0
