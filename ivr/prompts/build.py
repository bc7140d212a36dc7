"""Makes the sounds of all texts, once each, and finds them on calls: named by content, in every format of a call."""

from __future__ import annotations

import asyncio
import copy
import functools
import hashlib
import json
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.errors import OmnivigilError
from ivr.prompts import music
from ivr.prompts.audio import NotAudio, Pcm, telephone
from ivr.prompts.catalog import NAMING_PEOPLE, Catalog, PromptMissing, Utterance
from ivr.prompts.engines import CoreSounds, Engine, Voices
from ivr.prompts.files import SoundFiles, write

log = structlog.get_logger()

#: Raised when levels, trimming or formats change, so that every sound is made anew.
_PIPELINE = "3"
#: A sound that a call waits for must be there within this many seconds.
_CALL_WAITS_S = 2.0
#: Where sounds made of others are, and how many there may be: openings come and go, menus are few.
_JOINED = "ov/joined"
_MOST_JOINED = 500


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
        self._files = SoundFiles(folder, cache)
        self._catalog = catalog
        self._voices = Voices((*voices.engines, CoreSounds(core_sounds)))
        self._languages = tuple(languages)
        #: Names of sounds that are in the folder.
        self._there: set[str] = set()
        #: What calls asked for, by (desk, prompt, language, variables), to its file.
        self._known: dict[tuple[str, str, str, tuple[tuple[str, str], ...]], str] = {}
        #: Sounds being made for calls, by name.
        self._making: dict[str, asyncio.Task[None]] = {}
        #: Sounds that are played one after the other, to the one sound that all of them make; None until it is made.
        self._joined: dict[tuple[str, ...], str | None] = {}
        self._joining: set[asyncio.Task[None]] = set()

    # Looking up, on calls --------------------------------------------------------------------------

    async def of(self, desk: str, prompt: str, language: str, variables: Mapping[str, str]) -> str:
        """Absolute file name, without extension, of a prompt's sound; spoken now when it was not built ahead.

        When that takes too long, the prompt's variant that names no opening is played. `digit-0` to `digit-9`
        and `beep` are prompts of every desk. Raises PromptMissing, BuildError, VoiceFailed, TimeoutError.
        """
        key = (desk, prompt, language, tuple(sorted(variables.items())))
        if (known := self._known.get(key)) is not None:
            return known
        utterance = self._utterance(desk, prompt, language, variables)
        name = self.name(utterance)
        if name not in self._there:
            try:
                await self._in_time(name, utterance)
            except (TimeoutError, OmnivigilError, OSError):
                log.exception("prompt synthesis timed out", prompt=prompt, desk=desk, language=language)
                try:
                    plain = self._catalog.utterance(desk, f"{prompt}-no-opening", language, variables)
                except PromptMissing:
                    plain = None
                if plain is None or self.name(plain) not in self._there:
                    raise
                return self._files.path(self.name(plain))
        self._known[key] = self._files.path(name)
        return self._known[key]

    def together(self, files: list[str]) -> list[str]:
        """Sounds that `of` gave and that follow each other, as one sound, which is one command on a call.

        The first time it is asked for, and when it cannot be made, the single sounds.
        """
        if len(files) == 1 or any("/digit-" in file for file in files):
            # Every number is another row.
            return files
        key = tuple(files)
        if key not in self._joined and len(self._joined) < _MOST_JOINED:
            self._joined[key] = None
            self._background(asyncio.to_thread(self._join, key))
        joined = self._joined.get(key)
        if joined is None:
            return files
        return [joined]

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="join sounds")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def _join(self, parts: tuple[str, ...]) -> None:
        name = f"{_JOINED}/{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"
        try:
            self._files.join(name, parts)
        except (OmnivigilError, OSError) as error:
            log.warning("sound files not joined; played one by one", error=str(error))
        else:
            self._joined[parts] = self._files.path(name)

    async def _in_time(self, name: str, utterance: Utterance) -> None:
        """Speak it once, whoever else waits for it, and go on speaking when a call cannot wait longer."""
        task = self._making.get(name)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._make_one, name, utterance), name=f"speak {name}")
            self._making[name] = task
            task.add_done_callback(functools.partial(self._made, name))
        async with asyncio.timeout(_CALL_WAITS_S):
            await asyncio.shield(task)

    def _made(self, name: str, task: asyncio.Task[None]) -> None:
        del self._making[name]
        if not task.cancelled() and task.exception() is None:
            self._there.add(name)

    def _make_one(self, name: str, utterance: Utterance) -> None:
        if not self._files.have(name):
            engine, _ = self._choose(utterance)
            (pcm,) = engine.speak([utterance])
            self._files.keep(name, telephone(pcm))

    async def forget(self, desk: str, prompt: str, language: str, variables: Mapping[str, str]) -> None:
        """Remove what `of` had spoken: a person's name in it is not kept. Raises PromptMissing, OSError."""
        self._known.pop((desk, prompt, language, tuple(sorted(variables.items()))), None)
        name = self.name(self._utterance(desk, prompt, language, variables))
        self._there.discard(name)
        await asyncio.to_thread(self._files.forget, name)

    def fixed(self, desk: str, prompt: str, language: str) -> str:
        """As `of`, for a built prompt without variables, outside of calls."""
        return self._files.path(self.name(self._utterance(desk, prompt, language, {})))

    def say(self, desk: str, prompt: str, language: str, text: str) -> Pcm:
        """Speak a text that no catalogue has, as the line's voice says it. Blocks; raises NotAudio, VoiceFailed,
        BuildError when there is no voice for it."""
        said = Utterance(desk=desk, id=prompt, language=language, text=text, voice=language, varies=True)
        engine, _ = self._choose(said)
        (pcm,) = engine.speak([said])
        return pcm

    def name(self, utterance: Utterance) -> str:
        """Relative to the sounds' folder, without extension: the prompt's id, and its content's hash."""
        return _name(utterance, self._choose(utterance)[1])

    def _utterance(self, desk: str, prompt: str, language: str, variables: Mapping[str, str]) -> Utterance:
        if prompt in CoreSounds.FILES:
            return CoreSounds.utterance(prompt, language)
        return self._catalog.utterance(desk, prompt, language, variables)

    def _choose(self, utterance: Utterance) -> tuple[Engine, str]:
        chosen = self._voices.choose(utterance)
        if chosen is None:
            raise BuildError(prompt=utterance.id, language=utterance.language, problem="no voice speaks it")
        return chosen

    def open(self) -> None:
        """Know what was built, without looking at each file. What is not known is looked for when it is asked for."""
        try:
            self._there = set(json.loads(self._manifest.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            log.warning("prompts not built ahead", manifest=str(self._manifest), error=str(error))

    def as_now(self, desks: Mapping[str, Desk]) -> Sounds:
        """What these say of the texts of these desks, whatever is taken later: for calls that began with them."""
        same = copy.copy(self)
        same._catalog = self._catalog.of(desks)
        return same

    def take(self, others: Sounds) -> None:
        """Say the texts of others, which are built, from now on; whoever plays a sound hears it to its end."""
        self._catalog, self._voices, self._languages = others._catalog, others._voices, others._languages
        # New ones: those that were given away stay as they are.
        self._there, self._known = set(others._there), {}

    # Building, at start ------------------------------------------------------------------------------

    def build(
        self,
        calendars: Mapping[str, Mapping[str, Calendar]],
        now: datetime,
        progress: Callable[[str], None] = lambda _: None,
        *,
        live: bool = False,
    ) -> BuildReport:
        """Make what is missing; of a line that is `live`, beside its calls.

        Raises BuildError that names every prompt without text or sound, VoiceFailed, and BadInput that names the path
        when the disk does not take the sounds.
        """
        if not live:
            # Before Asterisk starts: nobody plays one of them now.
            self._clear()
        wanted, without_text = self._catalog.everything(calendars, now)
        lacks = [_told(error) for error in without_text]
        core = [
            CoreSounds.utterance(prompt, language)
            for language in self._languages
            for prompt in CoreSounds.prompts(language)
        ]
        manifest: dict[str, list[Utterance]] = {}
        missing: dict[str, tuple[Engine, Utterance]] = {}
        for utterance in (*wanted, *core):
            chosen = self._voices.choose(utterance)
            if chosen is None:
                lacks.append(f"{_described(utterance)}: no voice or recording says it")
                continue
            name = _name(utterance, chosen[1])
            if name not in manifest and not self._files.have(name):
                missing[name] = (chosen[0], utterance)
            manifest.setdefault(name, []).append(utterance)
        made = self._make(missing, lacks, progress) if missing else 0
        if lacks:
            raise BuildError(prompts="; ".join(lacks), mend="add the text, or a recording of it")
        self._music()
        self._write_manifest(manifest)
        self._there = set(manifest)
        return BuildReport(sounds=len(manifest), made=made)

    def _clear(self) -> None:
        self._files.clear(_JOINED)
        for prompt in NAMING_PEOPLE:
            # A service that died in the middle of one has left it.
            for name in (name for language in self._languages for name in self._files.like(f"ov/{language}/{prompt}-")):
                self._files.forget(name)

    def _make(
        self,
        missing: Mapping[str, tuple[Engine, Utterance]],
        lacks: list[str],
        progress: Callable[[str], None],
    ) -> int:
        """Return how many sounds were made; another line may have made the others since they were looked for."""
        with self._files.building():
            todo: dict[Engine, dict[str, Utterance]] = {}
            for name, (engine, utterance) in missing.items():
                if not self._files.have(name):
                    todo.setdefault(engine, {})[name] = utterance
            made = 0
            count = sum(len(some) for some in todo.values())
            for engine, some in todo.items():
                for name, pcm in _spoken(engine, some, lacks):
                    self._files.keep(name, pcm)
                    made += 1
                    progress(f"speaking {made} of {count}")
        return made

    def _music(self) -> None:
        name = f"moh/{music.NAME}-{_PIPELINE}"
        if not self._files.have(name):
            self._files.keep(name, music.hold_music())
        self._files.only("moh", name)

    @property
    def _manifest(self) -> Path:
        return self._folder / "ov" / "manifest.json"

    def _write_manifest(self, sounds: Mapping[str, list[Utterance]]) -> None:
        """What each file says, for whoever listens to a recording of the line; what desks share is of none."""
        manifest = {
            name: {
                "desk": said[0].desk if len({one.desk for one in said}) == 1 else "",
                "id": said[0].id,
                "language": said[0].language,
                "text": said[0].text,
            }
            for name, said in sorted(sounds.items())
        }
        write(self._manifest, json.dumps(manifest, ensure_ascii=False, indent=1).encode())


def _spoken(engine: Engine, wishes: Mapping[str, Utterance], lacks: list[str]) -> Iterator[tuple[str, Pcm]]:
    """The sound of each wish by its name; `lacks` gets those that have none. Raises VoiceFailed, BadInput."""
    rest = list(wishes.items())
    while rest:
        try:
            for pcm in engine.speak([utterance for _, utterance in rest]):
                ready = telephone(pcm)
                name, _ = rest.pop(0)
                yield name, ready
        except NotAudio as error:
            # The one whose turn it was has no sound; those after it may.
            _, utterance = rest.pop(0)
            lacks.append(f"{_described(utterance)}: {_facts(error)}")


def _name(utterance: Utterance, identity: str) -> str:
    content = "\0".join((_PIPELINE, identity, utterance.text))
    return f"ov/{utterance.language}/{utterance.id}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _described(utterance: Utterance) -> str:
    return f"{utterance.id} ({utterance.desk or 'every desk'}, {utterance.language})"


def _told(error: PromptMissing) -> str:
    facts = error.facts
    return f"{facts['prompt']} ({facts['desk']}, {facts['language']}): {facts.get('problem', 'no text')}"


def _facts(error: OmnivigilError) -> str:
    return ", ".join(str(fact) for fact in error.facts.values())
