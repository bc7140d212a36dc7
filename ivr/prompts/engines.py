"""Voice engines behind one interface: recordings, Piper, Pico; the first that can say a thing says it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ivr.errors import OmnivigilError
from ivr.prompts import pico
from ivr.prompts.audio import NotAudio, Pcm, decode, joined, trimmed
from ivr.prompts.catalog import Utterance
from ivr.prompts.pronunciation import said, sentences

#: Raised when an engine is used in another way, so that its sounds are made again. What is said is in the identity.
_PICO_VERSION = "pico-2"
_PIPER_VERSION = "piper-2"
#: Between two sentences, in seconds. An engine's own pause is up to a second: long, in a menu.
PAUSE_S = 0.3
#: To start, and for each sentence, an engine may take this long, in seconds.
_START_S = 30.0
_SENTENCE_S = 5.0


class VoiceFailed(OmnivigilError):
    """A voice engine could not speak."""


class Engine(Protocol):
    """Something that can say utterances."""

    def identity(self, utterance: Utterance) -> str | None:
        """Return what the sound depends on, or None when this engine cannot say it."""

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        """The sound of each, as it comes. Raises NotAudio for the one that has no sound, VoiceFailed for all."""


class Recordings:
    """Recorded prompts: FOLDER/fr/omnivigil.welcome.wav for one desk, FOLDER/fr/welcome.wav for all.

    A text with variables has as many sounds as values, and is left to the voices.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identities: dict[Path, str] = {}

    def _file(self, utterance: Utterance) -> Path | None:
        if utterance.varies:
            return None
        names = (f"{utterance.desk}.{utterance.id}.wav", f"{utterance.id}.wav")
        files = (self._folder / utterance.language / name for name in names)
        return next((file for file in files if file.is_file()), None)

    def identity(self, utterance: Utterance) -> str | None:
        file = self._file(utterance)
        if file is None:
            return None
        if file not in self._identities:
            self._identities[file] = _content(file)
        return self._identities[file]

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        for utterance in utterances:
            file = self._file(utterance)
            if file is None:
                raise NotAudio(file=f"{utterance.language}/{utterance.id}.wav", problem="is gone")
            yield decode(file)


class CoreSounds:
    """Asterisk's recorded digits and beep, from the folder that holds `fr_CA_f_June` and `en_US_f_Allison`."""

    SPEAKERS: Mapping[str, str] = {"fr": "fr_CA_f_June", "en": "en_US_f_Allison"}
    #: Prompt to file below a speaker's folder.
    FILES: Mapping[str, str] = (
        {"beep": "beep.wav"}
        | {f"digit-{n}": f"digits/{n}.wav" for n in range(10)}
        | {f"number-{n}": f"digits/{n}.wav" for n in (*range(10, 20), *range(20, 100, 10), "hundred", "et")}
        | {f"queue-{n}": f"queue-{n}.wav" for n in ("youarenext", "thereare", "holdtime")}
        | {f"queue-{n}": f"queue-{n}.wav" for n in ("minute", "minutes")}
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identities: dict[Path, str] = {}

    @classmethod
    def prompts(cls, language: str) -> tuple[str, ...]:
        """Those of FILES that a language has; « vingt et un » has a word that others do without."""
        return tuple(prompt for prompt in cls.FILES if prompt != "number-et" or language == "fr")

    @classmethod
    def utterance(cls, prompt: str, language: str) -> Utterance:
        """One of FILES in a language; it has no voice, since no engine shall speak it."""
        text = prompt.removeprefix("digit-").removeprefix("number-")
        return Utterance(desk="", id=prompt, language=language, text=text, voice="")

    def _file(self, utterance: Utterance) -> Path:
        return self._folder / self.SPEAKERS[utterance.language] / self.FILES[utterance.id]

    def identity(self, utterance: Utterance) -> str | None:
        if utterance.voice or utterance.id not in self.FILES or utterance.language not in self.SPEAKERS:
            return None
        file = self._file(utterance)
        if not file.is_file():
            return None
        if file not in self._identities:
            self._identities[file] = _content(file)
        return self._identities[file]

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        for utterance in utterances:
            yield decode(self._file(utterance))


class Pico:
    """The embedded voice: understood well, sounds like a machine."""

    def __init__(self, library: Path, languages: Path) -> None:
        self._library = library
        self._languages = languages

    def identity(self, utterance: Utterance) -> str | None:
        if utterance.voice not in pico.VOICES:
            return None
        return f"{_PICO_VERSION}:{utterance.voice}:{said(utterance.text, utterance.voice)}"

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        for needed in (self._library, self._languages):
            if not needed.exists():
                raise VoiceFailed(engine="pico", problem=f"{needed} is missing", mend="run ./omnivigil doctor")
        plans = [_plan(utterance) for utterance in utterances]
        order = list(dict.fromkeys(sentence for plan in plans for sentence in plan))
        with tempfile.TemporaryDirectory(prefix="omnivigil-voice-") as folder:
            outs = {sentence: Path(folder) / f"{n}.raw" for n, sentence in enumerate(order)}
            wishes = [{"text": text, "language": voice, "out": str(outs[voice, text])} for voice, text in order]
            # Run by its file, so that it starts without this package, from whatever folder.
            command = [sys.executable, "-I", str(Path(pico.__file__)), str(self._library), str(self._languages)]
            given = "".join(json.dumps(wish) + "\n" for wish in wishes)
            with _talking("pico", command, given, Path(folder), len(order)) as answers:
                # In the order asked for: a sentence is there when the ones before it are.
                place = {sentence: n for n, sentence in enumerate(order)}
                there = 0
                for utterance, plan in zip(utterances, plans, strict=True):
                    last = max((place[sentence] for sentence in plan), default=-1)
                    while there <= last:
                        if next(answers, None) is None:
                            raise VoiceFailed(engine="pico", problem=f"spoke {there} of {len(order)} sentences")
                        there += 1
                    yield _together(utterance, [_raw(outs[sentence]) for sentence in plan])


class Piper:
    """A neural voice, where a model is configured per language; its program must be on PATH.

    Raises VoiceFailed when the program or a model is missing.
    """

    def __init__(self, models: Mapping[str, Path]) -> None:
        self._models = dict(models)
        self._program = shutil.which("piper") or ""
        if self._models and not self._program:
            raise VoiceFailed(engine="piper", problem="there is no piper program", mend="pip install piper-tts")
        for model in self._models.values():
            if not model.is_file():
                raise VoiceFailed(engine="piper", problem=f"{model} is no file", mend="name the voice's .onnx file")

    def identity(self, utterance: Utterance) -> str | None:
        model = self._models.get(utterance.voice)
        if model is None:
            return None
        return f"{_PIPER_VERSION}:{model.name}:{model.stat().st_size}:{said(utterance.text, utterance.voice)}"

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        plans = [_plan(utterance) for utterance in utterances]
        order = list(dict.fromkeys(sentence for plan in plans for sentence in plan))
        spoken: dict[tuple[str, str], Path] = {}
        with tempfile.TemporaryDirectory(prefix="omnivigil-voice-") as folder:
            for voice, model in self._models.items():
                texts = [text for one, text in order if one == voice]
                if texts:
                    outs = self._run(model, texts, Path(folder) / voice)
                    spoken |= {(voice, text): out for text, out in zip(texts, outs, strict=True)}
            for utterance, plan in zip(utterances, plans, strict=True):
                yield _together(utterance, [decode(spoken[sentence]) for sentence in plan])

    def _run(self, model: Path, texts: list[str], folder: Path) -> list[Path]:
        """One file a line, named by the time it was made; loading the model takes longer than speaking."""
        folder.mkdir()
        command = [self._program, "--model", str(model), "--output_dir", str(folder)]
        with _talking("piper", command, "".join(f"{text}\n" for text in texts), folder.parent, len(texts)) as answers:
            for _ in answers:
                pass
        outs = sorted(folder.glob("*.wav"), key=lambda out: (len(out.name), out.name))
        if len(outs) != len(texts):
            raise VoiceFailed(engine="piper", problem=f"spoke {len(outs)} of {len(texts)} sentences")
        return outs


class Voices:
    """A chain of engines."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self.engines = tuple(engines)

    def choose(self, utterance: Utterance) -> tuple[Engine, str] | None:
        """The first engine that can say it, with its identity."""
        for engine in self.engines:
            if (identity := engine.identity(utterance)) is not None:
                return engine, identity
        return None


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        # It is there and cannot be read: speaking it tells why.
        return "unreadable"


def _plan(utterance: Utterance) -> list[tuple[str, str]]:
    """The sentences to say, each with its voice. Most are parts of several utterances, and are said once."""
    return [(utterance.voice, sentence) for sentence in sentences(said(utterance.text, utterance.voice))]


def _together(utterance: Utterance, parts: list[Pcm]) -> Pcm:
    if not parts:
        raise NotAudio(text=utterance.text, problem="has nothing to say")
    return joined([trimmed(part) for part in parts], PAUSE_S)


def _raw(file: Path) -> Pcm:
    return Pcm(samples=np.fromfile(file, dtype=np.int16), rate=pico.RATE)


@contextlib.contextmanager
def _talking(name: str, command: list[str], given: str, folder: Path, sentences: int) -> Iterator[Iterator[str]]:
    """Run an engine's program; its answers line by line. Raises VoiceFailed when it fails, ends early or hangs."""
    # From a file and not by a pipe, so that neither side ever waits for the other to read.
    stdin, stderr = folder / "stdin", folder / "stderr"
    stdin.write_text(given, encoding="utf-8")
    with stdin.open("rb") as wishes, stderr.open("wb") as complaints:
        try:
            process = subprocess.Popen(
                command,
                stdin=wishes,
                stdout=subprocess.PIPE,
                stderr=complaints,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise VoiceFailed(engine=name, problem=str(error)) from error
    patience = threading.Timer(_START_S + _SENTENCE_S * sentences, process.kill)
    patience.start()
    try:
        yield _answers(name, process, stderr)
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _answers(name: str, process: subprocess.Popen[str], stderr: Path) -> Iterator[str]:
    if process.stdout is not None:
        yield from process.stdout
    if process.wait() != 0:
        words = stderr.read_text(errors="replace").strip().splitlines()[-1:]
        if process.returncode == -signal.SIGKILL:
            ended = "took too long"
        else:
            ended = f"ended with code {process.returncode}"
        raise VoiceFailed(engine=name, problem=" ".join(words) or ended)
