"""One call as it is known while it lasts. Pure: moments are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

#: What is dialled in a call that we make at somebody's request.
CALLBACK = "callback"
#: Happenings of a call that leaves who talked with it: to somebody else, and back without an answer there.
TRANSFERRED = ("transferred", "returned")
#: Asterisk's hangup cause for a channel that ended as channels should (ITU-T Q.850), and for one of which nothing was
#: heard any more for `rtp_timeout`, neither RTP nor RTCP.
_NORMAL, _SILENT = 16, 44
#: How a call ends on record whose caller vanished from a queue: their place is kept (`ivr.queueing.kept_places`).
VANISHED_IN_QUEUE = "vanished in the queue"
VANISHED_TALKING = "vanished while talking"
#: Beside the time-out, in seconds: a caller answered that shortly before they were missed was not there any more.
_LATE_S = 3.0


class Happening(NamedTuple):
    """One entry of a call's timeline; `seq` counts up from 0 within the call.

    A tuple: a dozen are made on every call, and a frozen dataclass takes three times as long to make.
    """

    seq: int
    at: datetime
    kind: str
    facts: Mapping[str, Any]


@dataclass(kw_only=True)
class Leg:
    """One channel of a call. `role` is caller, member or department; `cause` is Q.850's; `mos` its opinion score."""

    uniqueid: str
    channel: str
    role: str
    endpoint: str | None
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    mos: float | None = None


@dataclass(kw_only=True)
class Call:
    """A call's facts so far."""

    id: str
    linkedid: str
    channel: str
    desk: str
    dialled: str
    ani: str | None
    endpoint: str | None
    customer_id: int | None
    identity: Mapping[str, Any]
    started_at: datetime
    department: str | None = None
    language: str | None = None
    queue: str | None = None
    queued_at: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    ended_at: datetime | None = None
    result: str | None = None
    reason: str | None = None
    #: The number of a caller who asked to be private (RFC 3323): the directory is asked for it, and it is kept nowhere.
    private_number: str | None = None
    events_lost: int = 0
    events: list[Happening] = field(default_factory=list)
    legs: dict[str, Leg] = field(default_factory=dict)

    @property
    def dials_its_caller(self) -> bool:
        """Whether nobody is there yet for whom the call is: a callback, until the customer's phone is dialled."""
        return all(leg.role != "caller" for leg in self.legs.values())

    @property
    def never_met(self) -> bool:
        """Return whether a callback never reached its customer: their phone only rang, or not even that."""
        there = (leg.answered_at is not None for leg in self.legs.values() if leg.role == "caller")
        return self.dialled == CALLBACK and not any(there)

    @property
    def transfer(self) -> str | None:
        """Return where a call is that was answered, transferred, and not answered since: ringing or queue.

        Else None.
        """
        queued = False
        for happening in reversed(self.events):
            if happening.kind == "answered":
                return None
            if happening.kind in TRANSFERRED:
                if queued:
                    return "queue"
                return "ringing"
            queued = queued or happening.kind == "queued"
        return None

    @property
    def state(self) -> str:
        """Where the call is: menu, queue, ringing (a department, or who it is transferred to), talking or ended."""
        if self.ended_at is not None:
            return "ended"
        if self.answered_at is not None:
            return self.transfer or "talking"
        if self.queued_at is not None:
            return "queue"
        if self.department is None:
            return "menu"
        return "ringing"


def vanished(cause: int | None) -> bool:
    """Return whether a caller did not hang up, but was not heard any more: a cut cord, an empty battery."""
    return cause == _SILENT


def as_vanished(reason: str) -> str:
    """A conversation's reason, that its caller hung up, once Asterisk has told that they vanished."""
    return reason.replace("caller hung up", "vanished in the menu").replace("hung up", "vanished")


def answered_to_nobody(call: Call, cause: int | None, at: datetime, *, silent_s: float) -> bool:
    """Return whether a technician answered a caller who had vanished from the queue before.

    `silent_s` is `rtp_timeout`.
    """
    if not vanished(cause) or call.answered_at is None or call.queued_at is None:
        return False
    return (at - call.answered_at).total_seconds() <= silent_s + _LATE_S


def outcome(call: Call, cause: int | None) -> tuple[str, str]:
    """Result and reason of a call whose caller's channel is gone, from how far it came."""
    if call.never_met:
        return "abandoned", "the customer did not answer"
    if vanished(cause):
        if call.answered_at is not None:
            return "answered", VANISHED_TALKING
        if call.queued_at is not None:
            return "abandoned", VANISHED_IN_QUEUE
        if call.department is not None:
            return "abandoned", "vanished before anybody answered"
        return "hung-up-in-menu", "vanished in the menu"
    if call.answered_at is not None:
        return "answered", "hung up after talking" if call.transfer is None else "hung up while transferred"
    if cause not in (None, 0, _NORMAL) and call.department is None:
        return "failed", f"channel ended with cause {cause}"
    if call.queued_at is not None:
        return "abandoned", "hung up in the queue"
    if call.department is not None:
        return "abandoned", "hung up before anybody answered"
    return "hung-up-in-menu", "caller hung up"
