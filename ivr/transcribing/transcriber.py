"""Has new voice messages written down, one after the other."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from ivr.tickets import store as tickets
from ivr.ticks import rest

log = structlog.get_logger()

#: What was left longer ago was listened to by somebody.
_SINCE = timedelta(days=1)
#: A message lasts three minutes at most; the recogniser may take several times that.
_LONGEST_S = 900.0
_ATTEMPTS = 2
#: Somebody reads it: what is longer is noise that was taken for words.
MOST = 5000


def program_of(model: Path) -> tuple[str, ...]:
    """faster-whisper in a process of its own, with a model folder."""
    return (sys.executable, "-m", "ivr.transcribing.engine", str(model))


class Transcriber:
    """Runs `program FILE LANGUAGE`, whose output is the text."""

    def __init__(self, program: Sequence[str], store: Store, bus: EventBus, clock: Clock, *, messages: Path) -> None:
        self._program, self._store, self._bus, self._clock = tuple(program), store, bus, clock
        self._messages = messages
        self._failed: dict[int, int] = {}

    async def run(self, every_s: float = 5.0) -> None:
        """Write down what comes, until cancelled."""
        while True:
            try:
                while await self.once():
                    continue
            except (Unavailable, OSError) as error:
                log.warning("transcription suspended", error=str(error))
            await rest(every_s)

    async def once(self) -> bool:
        """Write one message down; whether there was one. Raises StoreUnavailable, OSError."""
        given_up = [message for message, count in self._failed.items() if count >= _ATTEMPTS]
        async with self._store.reading() as unit:
            found = await tickets.without_transcript(unit, self._clock() - _SINCE, given_up)
        if found is None:
            return False
        said = await self._said(self._messages / Path(found["file"]).name, found["language"])
        if said is None:
            self._failed[found["id"]] = self._failed.get(found["id"], 0) + 1
            return True
        async with self._store.unit() as unit:
            await tickets.put_transcript(unit, found["id"], said)
            told = {"message": found["id"], "ticket": str(found["ticket_number"])}
            unit.afterwards(lambda: self._bus.publish("message.transcribed", self._clock(), told))
        return True

    async def _said(self, file: Path, language: str) -> str | None:
        process = await asyncio.create_subprocess_exec(
            *self._program, str(file), language, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_LONGEST_S):
                said, errors = await process.communicate()
        except TimeoutError:
            log.warning("transcription timed out", file=file.name)
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            log.warning("transcription failed", file=file.name, error=" ".join(last)[:300])
            return None
        text = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", said.decode("utf-8", "replace")).split())
        return text[:MOST]
