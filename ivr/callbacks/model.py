"""One callback, from the press of 1 to its end, and the rules it follows. Pure: moments are given.

pending -> dialling -> connected -> done, with dialling -> pending again for a retry (and connected -> pending for a
customer who was called first and cut off before a technician answered), and from every state that is not an end to
cancelled, refused or expired. The place in line is `arrived_at`, and nothing ever changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from ivr.clock import require_aware
from ivr.desk.hours import Calendar
from ivr.desk.schema import CallbackRules
from ivr.errors import OmnivigilError

State = Literal["pending", "dialling", "connected", "done", "cancelled", "refused", "expired"]
ENDED: frozenset[State] = frozenset({"done", "cancelled", "refused", "expired"})
#: How an attempt may end: no 1 pressed, busy, somebody who pressed it and left before a technician answered, or
#: our own side (a technician who hung up, a restart).
Outcome = Literal["no-answer", "busy", "voicemail", "left", "failed", "interrupted"]
#: After our own failure the next attempt may come this soon, in seconds.
_AGAIN_S = 15.0


class NotNow(OmnivigilError):
    """A callback cannot do this in its state."""


@dataclass(frozen=True, kw_only=True)
class Callback:
    """One request to be called back. `number` is E.164 digits; `endpoint` the registered phone to ring instead."""

    id: str
    desk: str
    department: str
    queue: str
    language: str
    number: str
    endpoint: str | None
    call_id: str | None
    customer_id: int | None
    #: Who asked, as the directory knew them then.
    identity: dict[str, Any]
    mode: str
    state: State
    #: When the caller first stood in the queue: their place in line.
    arrived_at: datetime
    requested_at: datetime
    #: No attempt, and no place in the queue, before this.
    not_before: datetime
    deadline: datetime
    #: Attempts that were begun; the number of the present one while dialling.
    attempts: int = 0
    #: Those of them that came to nothing on our own side.
    interrupted: int = 0
    dialled_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self.state in ENDED

    def facts(self) -> dict[str, Any]:
        """As it is told by the API and in events."""
        return dict(vars(self))


def deadline_of(rules: CallbackRules, calendar: Calendar, now: datetime) -> datetime:
    """Return when a request made now lapses: after that many opening hours of the desk.

    A request of Friday evening has Monday before it. A desk that does not open enough within 30 days gives 30 days.
    """
    left = timedelta(hours=rules.open_hours)
    for opening in calendar.openings(now, 30):
        start = max(opening.start, now)
        if opening.end <= start:
            continue
        if opening.end - start >= left:
            return start + left
        left -= opening.end - start
    return now + timedelta(days=30)


def is_heavy(rules: CallbackRules, *, waiting: int, wait_s: float | None, technicians: int) -> bool:
    """Return whether a callback is offered: on heavy demand only (OV-9), and only when somebody is there to call back.

    `waiting` counts live callers and held places; `wait_s` is the estimate for the last of them.
    """
    if technicians < rules.technicians:
        return False
    return waiting >= rules.waiting or (wait_s is not None and wait_s >= rules.wait_s)


def is_today(calendar: Calendar, now: datetime, wait_s: float | None) -> bool:
    """Return whether the turn comes before the desk closes for the day; an unknown wait is taken for a long one.

    The line moves while the desk is open: a turn that would come over lunch comes that much later.
    """
    if wait_s is None:
        return False
    left = timedelta()
    for opening in calendar.openings(now, 1):
        left += max(timedelta(), opening.end - max(opening.start, now))
    return timedelta(seconds=wait_s) < left


def stands(callback: Callback, now: datetime, *, is_open: bool, technicians: int) -> bool:
    """Return whether it should have a place in the queue now."""
    return (
        callback.state == "pending"
        and callback.not_before <= require_aware(now)
        and now < callback.deadline
        and is_open
        and technicians > 0
    )


def in_line(callbacks: Iterable[Callback]) -> list[Callback]:
    """In order of original arrival; of two who came together, who asked first."""
    return sorted(callbacks, key=lambda one: (one.arrived_at, one.requested_at, one.id))


def may_dial(*, position: int, free: int, outstanding: int) -> bool:
    """Whether a customer who is called first may be dialled: their turn is there, and a technician is free for each."""
    return position <= free and outstanding < free


def start_attempt(callback: Callback, now: datetime) -> Callback:
    """Its turn has come. Raises NotNow unless it is pending: no customer is dialled twice."""
    if callback.state != "pending":
        raise NotNow(state=callback.state, wanted="dialling")
    return replace(callback, state="dialling", attempts=callback.attempts + 1, dialled_at=require_aware(now))


def connect(callback: Callback, now: datetime) -> Callback:
    """Somebody answered and pressed 1. Raises NotNow unless it is being dialled."""
    if callback.state != "dialling":
        raise NotNow(state=callback.state, wanted="connected")
    return replace(callback, state="connected", answered_at=require_aware(now))


def after_attempt(
    callback: Callback, outcome: Outcome, rules: CallbackRules, now: datetime, *, crashed: bool = False
) -> Callback:
    """The attempt came to nothing: again later at the same place, or never again.

    After a crash of our own (`crashed`) it is again at once: a customer who was first in line is not overtaken for it.
    Raises NotNow unless it is under way: dialling, or the customer waits for the technician they were called for.
    """
    if callback.state != "dialling" and not (callback.state == "connected" and callback.mode == "customer_first"):
        raise NotNow(state=callback.state, wanted="pending")
    ours = outcome in ("failed", "interrupted")
    interrupted = callback.interrupted + ours
    used_up = not ours and callback.attempts - interrupted >= rules.attempts
    if used_up or callback.attempts >= rules.attempts + _OURS_TOO:
        return end(callback, "expired", f"{callback.attempts} attempts, the last: {outcome}", now)
    pause = timedelta(seconds=_pause_s(rules, ours=ours, crashed=crashed))
    if now + pause >= callback.deadline:
        return end(callback, "expired", f"deadline, the last attempt: {outcome}", now)
    return replace(callback, state="pending", not_before=now + pause, reason=outcome, interrupted=interrupted)


def _pause_s(rules: CallbackRules, *, ours: bool, crashed: bool) -> float:
    if crashed:
        return 0
    return _AGAIN_S if ours else rules.pause_s


#: Failures on our own side do not use up the customer's attempts, but they have a limit: this many more.
_OURS_TOO = 3


def end(callback: Callback, state: State, reason: str, now: datetime) -> Callback:
    """It is over. One that is over already stays as it was."""
    if callback.ended:
        return callback
    return replace(callback, state=state, reason=reason[:200], ended_at=require_aware(now))
