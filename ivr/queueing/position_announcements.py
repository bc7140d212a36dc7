"""What each waiting caller is told next: their place, the wait, and the callback when it is offered.

app_queue plays one file to everyone who waits, and looks for it by the channel's language: `fr_ov_3f…` first, then
`fr_ov`, then `fr`. So each caller has a folder of that name with the files that are theirs, links that are turned to
other sounds whenever their place changes. Nobody leaves the queue to hear it, and a key pressed meanwhile counts.

While it is heard, the held stream with the state of the services is not. So a change of that state cuts short what is
being told, and for some seconds nothing else is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivr.asterisk.ami import AmiRefused, ManagerInterface
from ivr.asterisk.config import WAITING
from ivr.asterisk.contract import Variable
from ivr.errors import OmnivigilError
from ivr.prompts.files import write
from ivr.queueing.estimate import wait_prompts
from ivr.queueing.places import Place
from ivr.queueing.queue_state import QueueWatch
from ivr.ticks import rest

log = structlog.get_logger()

#: The files that app_queue plays in turn (queues.conf's periodic-announce).
FILES = WAITING
#: Whoever has waited no longer than this, in seconds, is told all at once; later each announcement is short.
_NEW_S = 20.0
#: So long after a change of the services' state, in seconds, that is all that is heard by whoever waited already; more
#: when it takes longer to say.
QUIET_S = 10.0
#: What may be heard before it, in seconds: what Asterisk has read already.
_BEFORE_IT_S = 2.0
#: What is told then: 20 ms of nothing, for app_queue looks for some file.
_NOTHING = b"\xff" * 160
#: Seconds between two looks; a place that changed meanwhile is told with the next announcement anyway.
_EVERY_S = 0.5
#: Estimates change with time alone: everyone's is renewed at least so often, in seconds.
_RENEW_S = 10.0
#: Sounds put together and kept; the oldest give way.
_MOST = 4000


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A waiting caller: which call, on which desk, in which language, and whether a callback is offered to them."""

    call_id: str
    desk: str
    language: str
    offered: bool
    waited_s: float
    #: Whether a text message at the incident's next stages is offered.
    follow: bool = False


#: For each of FILES the desk and the sounds that make it; no sounds are silence.
_Files = tuple[tuple[str, ...], ...]
#: Who a place is, when it is a caller; `waiting` counts all places of the queue.
Who = Callable[[str, Place], Listener | None]
#: The file (absolute, without extension) of a prompt: desk, prompt, language.
SoundOf = Callable[[str, str, str], str]


async def adopt(ami: ManagerInterface, channel: str, call_id: str, language: str) -> None:
    """Give a channel that the dialplan queued by itself its call, and what it is told. Raises Unavailable."""
    values = {Variable.CALL: call_id, Variable.LANGUAGE: language, "CHANNEL(language)": folder_of(language, call_id)}
    try:
        for name, value in values.items():
            await ami.action("Setvar", {"Channel": channel, "Variable": name, "Value": value})
    except AmiRefused:
        # The caller is gone.
        return


class News:
    """Keeps every caller's file."""

    def __init__(self, folder: Path, queues: Iterable[str], watch: QueueWatch, who: Who, sound_of: SoundOf) -> None:
        self._folder = folder
        self._queues = queues
        self._watch = watch
        self._who = who
        self._sound_of = functools.cache(sound_of)
        #: What each caller's files say now, by the name of their folder.
        self._said: dict[str, _Files] = {}
        #: Desk and sounds put together, to their files; in order of making.
        self._made: dict[tuple[str, ...], Path] = {}
        self._numbers = itertools.count(1)
        #: Desks whose state has just changed, and until when (the loop's time) their callers hear nothing else.
        self._quiet: dict[str, float] = {}
        self._quiet_s: dict[str, float] = {}
        self._writing = asyncio.Lock()
        #: Callers whose sounds could not be had, by channel or folder, each told once.
        self._untold: dict[str, None] = {}

    def forget_sounds(self) -> None:
        """The texts are others now."""
        self._sound_of.cache_clear()

    def clear(self) -> None:
        """Remove what an earlier run left."""
        for old in self._folder.glob("*_ov_*"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self._folder / "ov" / "news", ignore_errors=True)

    async def run(self) -> None:
        """Keep it so until cancelled."""
        await asyncio.to_thread(self.clear)
        self._said, self._made = {}, {}
        version, renewed = -1, 0.0
        loop = asyncio.get_running_loop()
        while True:
            over = [desk for desk, until in self._quiet.items() if until <= loop.time()]
            for desk in over:
                del self._quiet[desk]
            if over or version != self._watch.version or loop.time() >= renewed + _RENEW_S:
                version, renewed = self._watch.version, loop.time()
                try:
                    await self.refresh()
                except (OmnivigilError, OSError):
                    log.exception("position announcements not updated")
            await rest(_EVERY_S)

    async def interrupt(self, desk: str, length_s: float) -> None:
        """The state of a desk's services is about to be told, in so many seconds: end what its callers are being told,
        and wait with more.

        Asterisk reads a file as it plays it, half a second ahead: one that is cut off ends there. Raises OSError.
        """
        quiet_s = max(QUIET_S, length_s + _BEFORE_IT_S)
        self._quiet[desk] = asyncio.get_running_loop().time() + quiet_s
        self._quiet_s[desk] = quiet_s
        async with self._writing:
            old = [self._made.pop(files) for files in tuple(self._made) if files[0] == desk]
            await self._refresh(anew=desk)
            await asyncio.to_thread(_cut_off, old)

    async def refresh(self) -> None:
        """Give everyone who waits now their file, and take away those of who is gone.

        One whose file cannot be had is in nobody's way: they hear what they heard before, and it is tried again.
        """
        async with self._writing:
            await self._refresh()

    async def _refresh(self, anew: str = "") -> None:
        wanted: dict[str, _Files] = {}
        for queue in tuple(self._queues):
            for position, place in enumerate(self._watch.places(queue), 1):
                # One whose prompts are not there hears the common announcement; everybody else their own.
                try:
                    if place.callback is None and (listener := self._who(queue, place)) is not None:
                        files = self._files(queue, position, listener)
                        wanted[folder_of(listener.language, listener.call_id)] = files
                except Exception as error:
                    self._not_told(place.uniqueid, error)
        changed = {n: files for n, files in wanted.items() if self._said.get(n) != files or files[0][0] == anew}
        gone = [name for name in self._said if name not in wanted]
        failed = await asyncio.to_thread(self._write, changed, gone)
        for name, reason in failed.items():
            # To be written at the next look.
            wanted.pop(name)
            self._not_told(name, reason)
        self._said = wanted

    def _files(self, queue: str, position: int, listener: Listener) -> _Files:
        if self._is_quiet(listener):
            return tuple((listener.desk,) for _ in FILES)
        place = wait_prompts(position, self._watch.wait_s(queue, position), listener.language)
        offer = ("callback-offer",) if listener.offered else ()
        # With the next announcement, whichever it is: an incident has begun, and a text may spare them the wait.
        follow = ("incident-follow-waiting",) if listener.follow else ()
        first = (*place, *offer) if listener.waited_s <= _NEW_S else place
        told = ((*first, *follow), (*(offer or place), *follow))
        return tuple(
            (listener.desk, *(self._sound_of(listener.desk, prompt, listener.language) for prompt in prompts))
            for prompts in told
        )

    def _not_told(self, who: str, error: Exception) -> None:
        if who not in self._untold:
            self._untold[who] = None
            while len(self._untold) > _MOST:
                del self._untold[next(iter(self._untold))]
            log.error("position announcement failed for one caller", who=who, error=str(error))

    def _is_quiet(self, listener: Listener) -> bool:
        """Return whether a caller is to hear the change only; those who came after it know it already."""
        left_s = self._quiet.get(listener.desk, 0.0) - asyncio.get_running_loop().time()
        return left_s > 0 and listener.waited_s >= self._quiet_s[listener.desk] - left_s

    def _write(self, changed: dict[str, _Files], gone: list[str]) -> dict[str, OSError]:
        """Those whose files could not be written, with the reason."""
        failed: dict[str, OSError] = {}
        for name, both in changed.items():
            try:
                self._write_one(name, both)
            except OSError as error:
                failed[name] = error
        for name in gone:
            shutil.rmtree(self._folder / name, ignore_errors=True)
        return failed

    def _write_one(self, name: str, both: _Files) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        for file, sounds in zip(FILES, both, strict=True):
            link = folder / f".{file}.next"
            link.unlink(missing_ok=True)
            link.symlink_to(self._joined(sounds))
            # In one step: Asterisk finds the old one or the new one.
            link.replace(folder / f"{file}.ulaw")

    def _joined(self, files: tuple[str, ...]) -> Path:
        known = self._made.get(files)
        if known is not None:
            return known
        path = self._folder / "ov" / "news" / f"{next(self._numbers)}.ulaw"
        # Whatever codec a caller has: who waits hears announcements rarely, and G.711 is quickly turned into others.
        write(path, b"".join(Path(f"{file}.ulaw").read_bytes() for file in files[1:]) or _NOTHING)
        self._made[files] = path
        while len(self._made) > _MOST:
            # Whoever's link leads there hears the common announcement once, and is then given another.
            self._made.pop(next(iter(self._made))).unlink(missing_ok=True)
        return path


def _cut_off(files: Iterable[Path]) -> None:
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            os.truncate(file, 0)
            file.unlink()


def folder_of(language: str, call_id: str) -> str:
    """The language of a waiting caller's channel, which is the name of the folder with their files."""
    return f"{language}_ov_{call_id[:12]}"
