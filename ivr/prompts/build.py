"""Makes the sounds of all texts, once each: named by content, kept in a cache, in every format of a call."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from ivr.desk.hours import Calendar
from ivr.errors import BadInput, OmnivigilError
from ivr.prompts.audio import FORMATS, NotAudio, Pcm, decode, encoded, levelled
from ivr.prompts.catalog import Catalog, Utterance
from ivr.prompts.engines import Engine, VoiceFailed, Voices
from ivr.prompts.music import hold_music

log = structlog.get_logger()

#: Raised when levels, trimming or formats change, so that every sound is made anew.
_PIPELINE = "1"
#: A sound that a call waits for must be there within this many seconds.
_CALL_WAITS_S = 2.0

#: Folder of the recorded digits of each language, below the core sounds.
DIGITS = {"fr": "fr_CA_f_June", "en": "en_US_f_Allison"}


class BuildError(OmnivigilError):
    """Some prompts have no sound."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """How many sounds there are, and how many of them had to be made now."""

    sounds: int
    made: int


class Sounds:
    """The sounds of one line: built at start, then looked up by prompt on calls."""

    def __init__(
        self,
        *,
        folder: Path,
        cache: Path,
        catalog: Catalog,
        voices: Voices,
        core_sounds: Path,
        languages: Iterable[str],
    ) -> None:
        self._folder = folder
        self._cache = cache
        self._catalog = catalog
        self._voices = voices
        self._core_sounds = core_sounds
        self._languages = tuple(languages)
        self._names: dict[tuple[str, str, str, tuple[tuple[str, str], ...]], str] = {}
        self._manifest: dict[str, Utterance] = {}

    # Looking up, on calls --------------------------------------------------------------------------

    async def of(self, desk: str, prompt: str, language: str, variables: Mapping[str, str]) -> str:
        """Absolute file name, without extension, of a prompt's sound; spoken now when it was not built ahead.

        When that takes too long, the prompt's variant that names no opening is played. Raises PromptMissing,
        VoiceFailed.
        """
        key = (desk, prompt, language, tuple(sorted(variables.items())))
        if (known := self._names.get(key)) is not None:
            return known
        utterance = self._utterance(desk, prompt, language, variables)
        try:
            async with asyncio.timeout(_CALL_WAITS_S):
                name = await asyncio.to_thread(self._make_one, utterance)
        except (TimeoutError, BuildError, VoiceFailed, OSError):
            log.exception("prompt not spoken in time", prompt=prompt, desk=desk, language=language)
            fallback = self._utterance(desk, f"{prompt}-no-opening", language, variables)
            return str(self._folder / self.name(fallback))
        self._names[key] = name
        return name

    def _utterance(self, desk: str, prompt: str, language: str, variables: Mapping[str, str]) -> Utterance:
        if prompt.startswith("digit-"):
            return _digit(language, prompt.removeprefix("digit-"))
        return self._catalog.utterance(desk, prompt, language, variables)

    def fixed(self, desk: str, prompt: str, language: str) -> str:
        """As `of`, for a built prompt without variables, outside of calls."""
        return str(self._folder / self.name(self._catalog.utterance(desk, prompt, language, {})))

    def name(self, utterance: Utterance) -> str:
        """Relative to the sounds' folder, without extension: the prompt's id, and its content's hash."""
        chosen = self._voices.choose(utterance)
        if chosen is None:
            raise BuildError(prompt=utterance.id, language=utterance.language, problem="no voice speaks it")
        return self._name(utterance, chosen[1])

    @staticmethod
    def _name(utterance: Utterance, identity: str) -> str:
        content = "\0".join((_PIPELINE, identity, utterance.text))
        return f"ov/{utterance.language}/{utterance.id}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"

    def open(self) -> None:
        """Make the recorded digits known. Prompts are found by their content when they are first asked for.

        Raises BuildError for a digit that is missing.
        """
        self._digits()

    # Building, at start ------------------------------------------------------------------------------

    def build(
        self,
        calendars: Mapping[str, Mapping[str, Calendar]],
        now: datetime,
        progress: Callable[[str], None] = lambda _: None,
    ) -> BuildReport:
        """Make what is missing. Raises PromptMissing or BuildError, each naming every lack; BadInput for the disk."""
        wanted = self._catalog.everything(calendars, now)
        todo: dict[int, tuple[Engine, list[tuple[Utterance, str]]]] = {}
        without: list[str] = []
        seen: set[str] = set()
        made = 0
        try:
            for utterance in wanted:
                chosen = self._voices.choose(utterance)
                if chosen is None:
                    without.append(f"{utterance.id} ({utterance.desk}, {utterance.language})")
                    continue
                name = self._name(utterance, chosen[1])
                self._manifest[name] = utterance
                if name not in seen and not self._present(name):
                    todo.setdefault(id(chosen[0]), (chosen[0], []))[1].append((utterance, name))
                seen.add(name)
            if without:
                raise BuildError(prompts=", ".join(without), problem="no voice speaks them")
            for engine, wishes in todo.values():
                for start in range(0, len(wishes), 20):
                    some = wishes[start : start + 20]
                    progress(f"speaking {start + len(some)} of {len(wishes)}")
                    for (_, name), pcm in zip(some, engine.speak([one for one, _ in some]), strict=True):
                        self._write(name, levelled(pcm))
                        made += 1
            made += self._digits() + self._music()
            self._write_manifest()
        except OSError as error:
            field, mend = "--state", "free some space, or name a folder on a writable disk"
            raise BadInput(field=field, problem=f"sounds cannot be written: {error}", mend=mend) from error
        return BuildReport(sounds=len(self._manifest), made=made)

    def _make_one(self, utterance: Utterance) -> str:
        chosen = self._voices.choose(utterance)
        if chosen is None:
            raise BuildError(prompt=utterance.id, language=utterance.language, problem="no voice speaks it")
        engine, identity = chosen
        name = self._name(utterance, identity)
        if not self._present(name):
            self._write(name, levelled(engine.speak([utterance])[0]))
        return str(self._folder / name)

    def _digits(self) -> int:
        made = 0
        for language in self._languages:
            for digit in "0123456789":
                source = self._core_sounds / DIGITS[language] / "digits" / f"{digit}.wav"
                utterance = _digit(language, digit)
                try:
                    identity = hashlib.sha256(source.read_bytes()).hexdigest()
                    name = self._name(utterance, identity)
                    self._manifest[name] = utterance
                    self._names["", utterance.id, language, ()] = str(self._folder / name)
                    if not self._present(name):
                        self._write(name, levelled(decode(source)))
                        made += 1
                except (OSError, NotAudio) as error:
                    raise BuildError(prompt=utterance.id, language=language, problem=str(error)) from error
        return made

    def _music(self) -> int:
        if self._present("moh/calm"):
            return 0
        self._write("moh/calm", hold_music())
        return 1

    def _present(self, name: str) -> bool:
        """Whether the sound is there in all formats and whole, taken over from the cache if need be."""
        if _whole(self._folder / name):
            return True
        if not _whole(self._cache / name):
            return False
        (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
        for extension in FORMATS:
            _share(self._cache / f"{name}.{extension}", self._folder / f"{name}.{extension}")
        return True

    def _write(self, name: str, pcm: Pcm) -> None:
        (self._cache / name).parent.mkdir(parents=True, exist_ok=True)
        for extension, content in encoded(pcm).items():
            target = self._cache / f"{name}.{extension}"
            partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
            partial.write_bytes(content)
            partial.replace(target)
        if not self._present(name):
            raise BuildError(prompt=name, problem="came out damaged")

    def _write_manifest(self) -> None:
        """What each file says, for whoever listens to a recording of the line."""
        manifest = {
            name: {"desk": one.desk, "id": one.id, "language": one.language, "text": one.text}
            for name, one in sorted(self._manifest.items())
        }
        path = self._folder / "ov" / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(manifest, ensure_ascii=False, indent=1))
        partial.replace(path)


def _digit(language: str, digit: str) -> Utterance:
    return Utterance(desk="", id=f"digit-{digit}", language=language, text=digit, voice=language)


def _whole(stem: Path) -> bool:
    """All formats are there, and as long as each other: half-written and damaged ones are not."""
    seconds = []
    for extension, rate in FORMATS.items():
        with contextlib.suppress(OSError):
            seconds.append(stem.with_name(f"{stem.name}.{extension}").stat().st_size / rate)
    return len(seconds) == len(FORMATS) and min(seconds) > 0 and max(seconds) - min(seconds) < 0.05


def _share(source: Path, target: Path) -> None:
    if source == target:
        return
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    partial.replace(target)
