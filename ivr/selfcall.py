"""The line calls itself through its own trunk, over real SIP and RTP, and tells what it heard."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from sipsim.recognise import Heard, Recogniser

from ivr.asterisk.config import Folders
from ivr.settings import Settings

#: Long enough for the welcome and the menu's first words, in seconds.
LISTEN_S = 12
_LIMIT_S = LISTEN_S + 8.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was heard, in order; empty when the call did not come through."""

    heard: tuple[Heard, ...]

    def lines(self) -> list[str]:
        """For the person at the terminal."""
        if not self.heard:
            return ["nothing: the call did not come through, or no prompt was recognised; see the logs"]
        return [f"{one.start_s:5.1f} s  [{one.language}] « {one.text} »" for one in self.heard]


async def call_ourselves(settings: Settings, number: str) -> Report:
    """Dial `number` on our own SIP address, listen for LISTEN_S seconds, and match what came with the built sounds."""
    folders = Folders.below(settings)
    recording = folders.run / "selfcall.wav"
    recording.unlink(missing_ok=True)
    _place_call(folders, number)
    if not await _recorded(recording):
        return Report(heard=())
    return Report(heard=tuple(await asyncio.to_thread(_recognise, settings.sounds, recording)))


def _place_call(folders: Folders, number: str) -> None:
    """A call file: Asterisk itself dials, so that no account of ours needs the right to."""
    lines = (
        f"Channel: PJSIP/{number}@selfcall",
        "Context: selfcall",
        "Extension: listen",
        "Priority: 1",
        "WaitTime: 5",
        "MaxRetries: 0",
        "Archive: no",
    )
    draft = folders.home / "spool" / "tmp" / "selfcall.call"
    draft.write_text("\n".join(lines) + "\n")
    draft.rename(folders.home / "spool" / "outgoing" / "selfcall.call")


async def _recorded(recording: Path) -> bool:
    """Wait until the recording has come and no longer grows."""
    deadline = time.monotonic() + _LIMIT_S
    size = -1
    while time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        now = recording.stat().st_size if recording.exists() else -1
        if now > 44 and now == size:
            return True
        size = now
    return False


def _recognise(sounds: Path, recording: Path) -> list[Heard]:
    return Recogniser.load(sounds).recognise(recording)
