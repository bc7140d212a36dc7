"""Asking for a number: the caller's own is read back, or another one is keyed in and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agi_scripts.context import LineContext
from ivr.asterisk.fastagi import AgiSession
from ivr.desk.schema import Desk

#: Times that a caller may enter a number.
_TRIES = 3
_WAIT_S = 6.0
#: People look their number up; milliseconds from one digit to the next.
_DIGIT_MS = 10_000


class Say(Protocol):
    """Says prompts and waits; the key pressed."""

    async def __call__(self, *prompts: str, wait_s: float = 0.0) -> str | None: ...


@dataclass(kw_only=True)
class AskedNumber:
    """A number that is being agreed on. Its prompts are `words` with -number, -confirm, -enter, -number-refused."""

    session: AgiSession
    context: LineContext
    desk: Desk
    words: str
    say: Say
    language: Callable[[], str]
    #: What is allowed, as E.164 digits; None for what is not.
    allowed: Callable[[str], str | None]
    #: As it stands; None while none is known.
    number: str | None = None
    #: Whether it was keyed in, and is not the call's own.
    entered: bool = field(default=False, init=False)

    async def agree(self) -> bool:
        """Read it back until it is agreed to, which silence is too; False when the caller would rather not."""
        for _ in range(_TRIES):
            if self.number is None and not await self._enter():
                return False
            digits = tuple(f"digit-{digit}" for digit in as_said(self.number or "", self.desk.region))
            key = await self.say(f"{self.words}-number", *digits, f"{self.words}-confirm", wait_s=_WAIT_S)
            if key in (None, "1"):
                return True
            if key == "2":
                self.number = None
            elif key == self.desk.menu.repeat:
                return False
        return False

    async def _enter(self) -> bool:
        """Have a number dialled and checked."""
        for _ in range(_TRIES):
            sound = await self.context.sounds.of(self.desk.id, f"{self.words}-enter", self.language(), {})
            digits, _ = await self.session.get_data(sound, _DIGIT_MS, 15)
            if not digits.strip("*#"):
                return False
            self.number = self.allowed(digits)
            self.entered = True
            if self.number is not None:
                return True
            await self.say(f"{self.words}-number-refused")
        return False


def as_said(number: str, region: str) -> str:
    """A number's digits as people there say their number: without the country code at home."""
    if region in ("CA", "US") and len(number) == 11 and number.startswith("1"):
        return number[1:]
    return number
