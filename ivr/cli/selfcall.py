"""The line calls itself through its own trunk, over real SIP and RTP, and tells what it heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sipsim.raw import CallFailed, RawCall
from sipsim.recognise import Heard, Recogniser

from ivr.settings import Settings

#: The number that the line gives when it calls itself; not one that a customer can have.
OUR_NUMBER = "5145550199"
#: Long enough for the welcome and the menu's first words, in seconds.
_LISTEN_S = 6.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was heard, in order; and why nothing was, when nothing was."""

    heard: tuple[Heard, ...]
    failure: str | None = None

    def lines(self) -> list[str]:
        """For the person at the terminal."""
        if self.failure is not None or not self.heard:
            return [f"nothing: {self.failure or 'no prompt was recognised'}; see the logs"]
        return [f"{one.start_s:5.1f} s  [{one.language}] « {one.text} »" for one in self.heard]


async def call_ourselves(settings: Settings, number: str) -> Report:
    """Dial `number` on our own SIP address, listen, and match what came with the built sounds."""
    try:
        async with RawCall((settings.sip.host, settings.sip.port), number, OUR_NUMBER) as call:
            await asyncio.sleep(_LISTEN_S)
            signal = call.heard()
    except (CallFailed, OSError) as error:
        return Report(heard=(), failure=str(error))
    recogniser = await asyncio.to_thread(Recogniser.load, settings.sounds)
    return Report(heard=tuple(await asyncio.to_thread(recogniser.recognise, signal)))
