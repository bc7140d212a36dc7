"""What becomes of a notice after each attempt. Pure: nothing is sent and nothing is read here.

A notice is `pending` until a worker holds it (`leased`), says that it is about to send (`sending`) and learns what
came of it. E-mails and webhooks may be sent again, since their receivers know a repetition by its name, and so may what
goes to Statuspage, where every attempt looks first. A text message may not: whenever it is not certain that one did
not leave, it is `unknown`, and only the provider's own list (`reconciling`) makes it `sent`, or `pending` again. What
nobody needs to be told any more is `withdrawn` while it certainly did not leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from ivr.clock import require_aware

Kind = Literal["email", "sms", "webhook", "statuspage"]
State = Literal[
    "pending", "leased", "sending", "unknown", "reconciling", "sent", "delivered", "refused", "dead", "withdrawn"
]

#: Nothing more is done to these by itself.
FINAL: Final[frozenset[State]] = frozenset({"sent", "delivered", "refused", "dead", "withdrawn"})

#: A notice is worth sending this long.
LIFETIME: Final[Mapping[str, timedelta]] = {
    "email": timedelta(days=2),
    # A page or a code that comes in the morning for what happened in the evening only confuses.
    "sms": timedelta(hours=4),
    "webhook": timedelta(days=3),
    "statuspage": timedelta(days=1),
}
#: First and longest pause between attempts, in seconds.
_PAUSES: Final[Mapping[str, tuple[float, float]]] = {
    "email": (15.0, 1800.0),
    "sms": (5.0, 600.0),
    "webhook": (5.0, 3600.0),
    "statuspage": (5.0, 600.0),
}
#: A receiver's own wish is followed up to this, in seconds.
LONGEST_WISH_S: Final = 3600.0
#: An unknown text message is first looked for after this, in seconds, and then this often.
_LOOK_S: Final = 15.0
#: One that is not on the provider's list this long after the attempt did not leave. The list may lag behind.
BELIEVED_AFTER: Final = timedelta(minutes=2)

LATE = "not sent within its time"
NOT_KNOWN = "it could not be found out whether it left"
LOST = "the worker was lost while sending"


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The receiver, or the provider, has it."""

    provider_id: str | None = None
    #: A later word of the provider: sent, delivered, undelivered, failed…
    provider_status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Temporary:
    """It certainly did not leave; another attempt may do."""

    reason: str
    #: In seconds, as the receiver wished.
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Permanent:
    """It did not leave, and never will as it is."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The recipient wants none of these."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """It may have left."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Absent:
    """The provider's list does not have it."""


Outcome: TypeAlias = Accepted | Temporary | Permanent | Refused | Unclear | Absent


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a notice is. `attempts` counts the one under way."""

    kind: Kind
    state: State
    attempts: int
    expires_at: datetime
    unknown_since: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where it goes: its new state, and when something is to be done next, None for never."""

    state: State
    next_at: datetime | None = None
    unknown_since: datetime | None = None
    error: str | None = None


def pause_s(kind: Kind, attempts: int, jitter: float) -> float:
    """Seconds until the next attempt: doubling up to a limit, of which `jitter` (0 up to 1) takes up to half.

    So that what failed together is not tried together.
    """
    first, longest = _PAUSES[kind]
    return min(longest, first * 2.0 ** min(max(attempts, 1) - 1, 30)) * (1 - jitter / 2)


def expired(standing: Standing, now: datetime) -> bool:
    """Return whether it is too late to send it."""
    return require_aware(now) >= standing.expires_at


def settle(standing: Standing, outcome: Outcome, *, now: datetime, jitter: float) -> Step:
    """After an attempt (`sending`) or a look at the provider's list (`reconciling`).

    `jitter` is from 0 up to but not including 1. Raises ValueError for a naive `now`.
    """
    require_aware(now)
    if isinstance(outcome, Accepted):
        return _accepted(outcome)
    if standing.state == "reconciling":
        return _looked(standing, outcome, now, jitter)
    match outcome:
        case Permanent(reason=reason):
            return Step(state="dead", error=reason)
        case Refused(reason=reason):
            return Step(state="refused", error=reason)
        case Temporary(reason=reason, retry_after_s=wish):
            return _again(standing, reason, now, jitter, wish)
        case Unclear(reason=reason) if standing.kind == "sms":
            return Step(state="unknown", next_at=now + timedelta(seconds=_LOOK_S), unknown_since=now, error=reason)
        case Unclear(reason=reason):
            return _again(standing, reason, now, jitter, None)
        case Absent():
            raise ValueError("only a look at the provider's list finds a notice absent")


def _accepted(outcome: Accepted) -> Step:
    state = after_word(outcome.provider_status)
    return Step(state=state, error=f"the provider says {outcome.provider_status}" if state == "dead" else None)


def _again(standing: Standing, reason: str, now: datetime, jitter: float, wish: float | None) -> Step:
    wait = max(pause_s(standing.kind, standing.attempts, jitter), min(wish or 0.0, LONGEST_WISH_S))
    next_at = now + timedelta(seconds=wait)
    if next_at >= standing.expires_at:
        return Step(state="dead", error=f"{LATE}: {reason}")
    return Step(state="pending", next_at=next_at, error=reason)


def _looked(standing: Standing, outcome: Outcome, now: datetime, jitter: float) -> Step:
    since = standing.unknown_since or now
    if isinstance(outcome, Absent):
        if now - since < BELIEVED_AFTER:
            later = now + timedelta(seconds=_LOOK_S)
            return Step(state="unknown", next_at=later, unknown_since=since, error=standing.error)
        if expired(standing, now):
            return Step(state="dead", error=f"{LATE}: {standing.error}" if standing.error else LATE)
        return Step(state="pending", next_at=now, error=standing.error)
    reason = getattr(outcome, "reason", None)
    if expired(standing, now):
        return Step(state="dead", error=f"{NOT_KNOWN}: {reason}")
    wish = outcome.retry_after_s if isinstance(outcome, Temporary) else None
    # Looking does no harm, so it goes on at the same pace however often it failed.
    wait = max(_LOOK_S * (2 - jitter), min(wish or 0.0, LONGEST_WISH_S))
    return Step(state="unknown", next_at=now + timedelta(seconds=wait), unknown_since=since, error=reason)


def lease_lost(standing: Standing, *, now: datetime, jitter: float) -> Step:
    """Whoever held it did not come back in time."""
    if standing.state == "leased":
        # Nothing is sent before `sending` is written, so nothing left.
        return Step(state="pending", next_at=require_aware(now), error=standing.error)
    if standing.state == "reconciling":
        return Step(state="unknown", next_at=now, unknown_since=standing.unknown_since or now, error=standing.error)
    return settle(replace(standing, state="sending"), Unclear(reason=LOST), now=now, jitter=jitter)


def after_word(status: str | None) -> State:
    """The state that a provider's word about an accepted message means."""
    if status in ("failed", "undelivered", "canceled"):
        return "dead"
    if status in ("delivered", "read"):
        return "delivered"
    return "sent"


def heard(state: State, status: str) -> State | None:
    """The new state when the provider tells of a message that is in `state`; None when it says nothing new.

    Words come late, twice and out of order: what is delivered stays so, what failed may only become delivered.
    """
    told = after_word(status)
    if state in ("pending", "leased", "sending", "unknown", "reconciling", "withdrawn"):
        return told
    order = {"sent": 0, "dead": 1, "delivered": 2}
    if state == "refused" or order[told] <= order[state]:
        return None
    return told


#: Why a text message does not arrive: its number is a landline, or gets none; its phone was off; its owner
#: wants none; or something else.
TextTrouble = Literal["no-mobile", "not-reached", "refused", "failed"]
#: Twilio's codes: 21614 and 30006 of landlines, 21211 and 30005 of numbers that are none, 30003 of a phone that is off.
_NO_MOBILE: Final = frozenset(("21211", "21614", "30005", "30006"))
_NOT_REACHED: Final = frozenset(("30003",))
_CODE: Final = re.compile(r"\b[23]\d{4}\b")


def text_trouble(state: State, error: str | None) -> TextTrouble | None:
    """Return why a text message in this state has not arrived; None when it has, or is on its way."""
    if state == "refused":
        return "refused"
    if state != "dead":
        return None
    codes = set(_CODE.findall(error or ""))
    if codes & _NO_MOBILE:
        return "no-mobile"
    if codes & _NOT_REACHED:
        return "not-reached"
    return "failed"
