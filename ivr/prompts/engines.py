"""Voice engines behind one interface: recordings, Piper, Pico; the first that can say a thing says it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ivr.errors import OmnivigilError
from ivr.prompts.audio import Pcm, decode
from ivr.prompts.catalog import Utterance

#: Raised when an engine or its pronunciation changes, so that its sounds are made anew.
_PICO_VERSION = "pico-1"
_PIPER_VERSION = "piper-1"
#: One utterance may take this long, in seconds.
_PATIENCE_S = 20.0


class VoiceFailed(OmnivigilError):
    """A voice engine could not speak."""


class Engine(Protocol):
    """Something that can say utterances."""

    def identity(self, utterance: Utterance) -> str | None:
        """What the sound depends on beside the text, or None when this engine cannot say it."""

    def speak(self, utterances: Sequence[Utterance]) -> list[Pcm]:
        """The sound of each. Raises VoiceFailed or NotAudio."""


class Recordings:
    """Recorded prompts: FOLDER/fr/omnivigil.welcome.wav for one desk, FOLDER/fr/welcome.wav for all.

    A text with variables has as many sounds as values, and is left to the voices.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, utterance: Utterance) -> Path | None:
        if utterance.varies:
            return None
        names = (f"{utterance.desk}.{utterance.id}.wav", f"{utterance.id}.wav")
        files = (self._folder / utterance.language / name for name in names)
        return next((file for file in files if file.is_file()), None)

    def identity(self, utterance: Utterance) -> str | None:
        file = self._file(utterance)
        return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else None

    def speak(self, utterances: Sequence[Utterance]) -> list[Pcm]:
        files = [self._file(utterance) for utterance in utterances]
        return [decode(file) for file in files if file is not None]


class Pico:
    """The embedded voice: understood well, sounds like a machine."""

    #: Written as it is said, where the voice would get it wrong.
    SAID: Mapping[str, tuple[tuple[str, str], ...]] = {
        "fr": (("OMNIVIGIL", "Omnivigil"), (r"\*57", "étoile 57")),
        "en": (("OMNIVIGIL", "Omni vigil"), (r"\*57", "star 57")),
    }

    def __init__(self, library: Path, languages: Path) -> None:
        self._library = library
        self._languages = languages

    def identity(self, utterance: Utterance) -> str | None:
        return f"{_PICO_VERSION}:{utterance.voice}" if utterance.voice in self.SAID else None

    def speak(self, utterances: Sequence[Utterance]) -> list[Pcm]:
        with tempfile.TemporaryDirectory() as folder:
            outs = [Path(folder) / f"{n}.wav" for n in range(len(utterances))]
            wishes = "".join(
                json.dumps({"text": self._said(one), "language": one.voice, "out": str(out)}) + "\n"
                for one, out in zip(utterances, outs, strict=True)
            )
            command = [sys.executable, "-m", "ivr.prompts.pico", str(self._library), str(self._languages)]
            _run(command, wishes.encode(), _PATIENCE_S + len(utterances))
            return [decode(out) for out in outs]

    def _said(self, utterance: Utterance) -> str:
        text = utterance.text.replace("«", "").replace("»", "").replace("’", "'")
        for written, said in self.SAID[utterance.voice]:
            text = re.sub(written, said, text)
        return text


class Piper:
    """A neural voice, where a model is configured per language; its program must be on PATH."""

    def __init__(self, models: Mapping[str, Path]) -> None:
        self._models = dict(models)
        self._program = shutil.which("piper")
        if self._models and self._program is None:
            raise VoiceFailed(engine="piper", problem="there is no piper program", mend="pip install piper-tts")

    def identity(self, utterance: Utterance) -> str | None:
        model = self._models.get(utterance.voice)
        return f"{_PIPER_VERSION}:{model.name}:{model.stat().st_size}" if model is not None else None

    def speak(self, utterances: Sequence[Utterance]) -> list[Pcm]:
        return [self._speak(utterance) for utterance in utterances]

    def _speak(self, utterance: Utterance) -> Pcm:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.wav"
            command = [str(self._program), "--model", str(self._models[utterance.voice]), "--output_file", str(out)]
            _run(command, utterance.text.encode() + b"\n", _PATIENCE_S)
            return decode(out)


class Voices:
    """A chain of engines."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self._engines = tuple(engines)

    def choose(self, utterance: Utterance) -> tuple[Engine, str] | None:
        """The first engine that can say it, with its identity."""
        for engine in self._engines:
            if (identity := engine.identity(utterance)) is not None:
                return engine, identity
        return None


def _run(command: list[str], given: bytes, patience_s: float) -> None:
    name = Path(command[-3] if "-m" in command else command[0]).name
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=patience_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VoiceFailed(engine=name, problem=str(error)) from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise VoiceFailed(engine=name, problem=" ".join(words) or f"exit code {done.returncode}")
