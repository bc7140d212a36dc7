"""What crosses between a phone's process and whoever drives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

Codec = Literal["PCMU", "PCMA", "G722"]

#: RFC 3261 section 25.1: what a URI's user part may hold unescaped, beside letters and digits.
_USER_SAFE = "-_.!~*'()&=+$,;?/"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The From header of a call: what a trunk says of who calls, true or not."""

    #: Any text; None sends no user part at all.
    number: str | None
    #: Display name; any text, quoted as RFC 3261 asks. None sends none.
    name: str | None = None
    host: str = "127.0.0.1"

    @classmethod
    def absent(cls) -> Caller:
        """A From without a number."""
        return cls(number=None)

    @classmethod
    def anonymous(cls) -> Caller:
        """RFC 3323 section 4.1.1.3."""
        return cls(number="anonymous", name="Anonymous", host="anonymous.invalid")

    def uri(self) -> str:
        """The header's value, without a tag."""
        user = "" if self.number is None else quote(self.number, safe=_USER_SAFE) + "@"
        if self.name is None:
            return f"<sip:{user}{self.host}>"
        name = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <sip:{user}{self.host}>'


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What a phone does when it rings."""

    #: answer: after `after_s`; busy: 486 at once; decline: 603 at once; ring: for ever, or until told.
    how: Literal["answer", "busy", "decline", "ring"] = "answer"
    after_s: float = 0.0
    #: A 16-bit mono WAV to play to the caller once answered, so that the other side can recognise it.
    play: Path | None = None
    loop: bool = True


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a phone."""

    kind: str
    phone: str
    #: The call it is about; None for registrations.
    call: int | None
    #: Seconds on the machine's monotonic clock, the same in all processes.
    at: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a call ended."""

    #: SIP status of the INVITE: 200 for a call that was answered, else why it was not.
    status: int
    reason: str
    #: ITU-T Q.850 cause from a Reason header (RFC 3326), where the peer gave one.
    cause: int | None
    by: Literal["us", "them"]
    #: Seconds between the answer and the end; 0 when never answered.
    talked_s: float
