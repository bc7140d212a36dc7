"""What each waiting caller is told next: their place, the wait, and the callback when it is offered.

app_queue plays one file to everyone who waits, and looks for it by the channel's language: `fr_ov_3f…` first, then
`fr_ov`, then `fr`. So each caller has a folder of that name with the files that are theirs, links that are turned to
other sounds whenever their place changes. Nobody leaves the queue to hear it, and a key pressed meanwhile counts.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivr.asterisk.config import WAITING
from ivr.errors import OmnivigilError
from ivr.prompts.files import write
from ivr.queueing.estimate import wait_prompts
from ivr.queueing.places import Place
from ivr.queueing.watch import QueueWatch

log = structlog.get_logger()

#: The files that app_queue plays in turn (queues.conf's periodic-announce).
FILES = WAITING
#: Whoever has waited no longer than this, in seconds, is told all at once. Later each announcement is short: while
#: it is heard, a change of the services' state is not.
_NEW_S = 20.0
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


#: For each of FILES the sounds that make it.
_Files = tuple[tuple[str, ...], ...]
#: Who a place is, when it is a caller; `waiting` counts all places of the queue.
Who = Callable[[str, Place], Listener | None]
#: The file (absolute, without extension) of a prompt: desk, prompt, language.
SoundOf = Callable[[str, str, str], str]


class News:
    """Keeps every caller's file."""

    def __init__(self, folder: Path, queues: Iterable[str], watch: QueueWatch, who: Who, sound_of: SoundOf) -> None:
        self._folder = folder
        self._queues = tuple(queues)
        self._watch = watch
        self._who = who
        self._sound_of = functools.cache(sound_of)
        #: What each caller's files say now, by the name of their folder.
        self._said: dict[str, _Files] = {}
        #: Sounds put together, to their files; in order of making.
        self._made: dict[tuple[str, ...], Path] = {}

    def clear(self) -> None:
        """Remove what an earlier run left."""
        for old in self._folder.glob("*_ov_*"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self._folder / "ov" / "news", ignore_errors=True)

    async def run(self) -> None:
        """Keep it so until cancelled."""
        await asyncio.to_thread(self.clear)
        version, renewed = -1, 0.0
        loop = asyncio.get_running_loop()
        while True:
            if version != self._watch.version or loop.time() >= renewed + _RENEW_S:
                version, renewed = self._watch.version, loop.time()
                try:
                    await self.refresh()
                except (OmnivigilError, OSError):
                    log.exception("waiting callers are told what they were told before")
            await asyncio.sleep(_EVERY_S)

    async def refresh(self) -> None:
        """Give everyone who waits now their file, and take away those of who is gone. Raises OSError, BadInput."""
        wanted: dict[str, _Files] = {}
        for queue in self._queues:
            for position, place in enumerate(self._watch.places(queue), 1):
                if place.callback is None and (listener := self._who(queue, place)) is not None:
                    wanted[_folder_name(listener)] = self._files(queue, position, listener)
        changed = {name: files for name, files in wanted.items() if self._said.get(name) != files}
        gone = [name for name in self._said if name not in wanted]
        await asyncio.to_thread(self._write, changed, gone)
        self._said = wanted

    def _files(self, queue: str, position: int, listener: Listener) -> _Files:
        place = wait_prompts(position, self._watch.wait_s(queue, position), listener.language)
        offer = ("callback-offer",) if listener.offered else ()
        told = ((*place, *offer) if listener.waited_s <= _NEW_S else place, offer or place)
        return tuple(
            tuple(self._sound_of(listener.desk, prompt, listener.language) for prompt in prompts) for prompts in told
        )

    def _write(self, changed: dict[str, _Files], gone: list[str]) -> None:
        for name, both in changed.items():
            folder = self._folder / name
            folder.mkdir(exist_ok=True)
            for file, sounds in zip(FILES, both, strict=True):
                link = folder / f".{file}.next"
                link.unlink(missing_ok=True)
                link.symlink_to(self._joined(sounds))
                # In one step: Asterisk finds the old one or the new one.
                link.replace(folder / f"{file}.ulaw")
        for name in gone:
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _joined(self, files: tuple[str, ...]) -> Path:
        known = self._made.get(files)
        if known is not None:
            return known
        name = hashlib.sha256("\0".join(files).encode()).hexdigest()[:16]
        path = self._folder / "ov" / "news" / f"{name}.ulaw"
        # Whatever codec a caller has: who waits hears announcements rarely, and G.711 is quickly turned into others.
        write(path, b"".join(Path(f"{file}.ulaw").read_bytes() for file in files))
        self._made[files] = path
        while len(self._made) > _MOST:
            # Whoever's link leads there hears the common announcement once, and is then given another.
            self._made.pop(next(iter(self._made))).unlink(missing_ok=True)
        return path


def _folder_name(listener: Listener) -> str:
    """As the dialplan names the channel's language."""
    return f"{listener.language}_ov_{listener.call_id[:12]}"
