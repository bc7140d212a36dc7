"""Follows Asterisk's queues: who stands where, which technicians are there, how fast calls are answered.

Asterisk's own state is the truth. Events keep this copy of it fresh; it is compared with the whole at the start,
after every gap, and every now and then.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, KeysView, Mapping
from datetime import datetime, timedelta

import structlog

from ivr.asterisk.ami import Fields, ManagerInterface
from ivr.asterisk.queue_members import Member, member_of
from ivr.desk.schema import Queue
from ivr.queueing.estimate import ANSWERS, Answer, expected_wait
from ivr.queueing.places import Place, Places

log = structlog.get_logger()

#: The half of a held place that stands in the queue: Local/ID@callback-queue-0000001f;2
_HELD = re.compile(r"Local/([0-9a-f]{16})@callback-queue-[0-9a-f]+;2")
#: A caller who left the queue is remembered for this long, in seconds: they may come back to their place.
_REMEMBERED_S = 3600.0
#: Between two who came at the same time by the clock.
_MOMENT = timedelta(microseconds=1)
#: Technicians in these states can be given a call now, and these can be given one at all.
_FREE = ("idle", "unknown")
_AWAY = ("invalid", "unavailable")


def held_callback(channel: str) -> str | None:
    """The callback that a channel holds the place of."""
    found = _HELD.fullmatch(channel)
    if found is not None:
        return found[1]
    return None


class QueueWatch:
    """All queues of the line."""

    def __init__(self, queues: Mapping[str, Queue], clock: Callable[[], datetime]) -> None:
        #: Those that the desks have, and all that they had: somebody may wait there still.
        self._served = dict(queues)
        self._queues = dict(queues)
        self._clock = clock
        self._places = {queue: Places() for queue in queues}
        self._members: dict[str, dict[str, Member]] = {queue: {} for queue in queues}
        self._answers: dict[str, deque[Answer]] = {queue: deque(maxlen=ANSWERS) for queue in queues}
        #: When each queue was last empty; somebody waits in it since then.
        self._waiting_since: dict[str, datetime] = {}
        #: When each channel first stood in a queue, and when it was last seen there.
        self._arrivals: dict[str, tuple[datetime, datetime]] = {}
        #: When those arrived whom held places stand for, by callback; it counts, whenever the place was made.
        self.callback_arrivals: dict[str, datetime] = {}
        #: The latest arrival so far: a clock that is set back lets no newcomer pass those who wait.
        self._latest: datetime | None = None
        #: Counts changes, so that others need not compare.
        self.version = 0

    @property
    def queues(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._served)

    @property
    def known(self) -> KeysView[str]:
        """The same and those of before, as they are whenever this is gone through."""
        return self._queues.keys()

    def take(self, queues: Mapping[str, Queue]) -> None:
        """These are the desks' queues from now on."""
        self._served = dict(queues)
        self._queues |= queues
        for queue in queues:
            self._places.setdefault(queue, Places())
            self._members.setdefault(queue, {})
            self._answers.setdefault(queue, deque(maxlen=ANSWERS))
        self.version += 1

    # Reading -------------------------------------------------------------------------------------

    def places(self, queue: str) -> Places:
        """Everyone who waits in a queue."""
        return self._places[queue]

    def where(self, uniqueid: str) -> tuple[str, int] | None:
        """The queue and position of a channel."""
        for queue, places in self._places.items():
            if (position := places.position(uniqueid)) is not None:
                return queue, position
        return None

    def arrived_at(self, uniqueid: str) -> datetime | None:
        """Return when a channel first stood in a queue, also for a while after it left."""
        known = self._arrivals.get(uniqueid)
        if known is not None:
            return known[0]
        return None

    def arrives(self, uniqueid: str, at: datetime) -> None:
        """A channel that is to stand in a queue arrived at another moment than its joining."""
        self._arrivals[uniqueid] = (at, self._clock())

    def members(self, queue: str) -> tuple[Member, ...]:
        """Return who is logged in to a queue."""
        return tuple(self._members[queue].values())

    def technicians(self, queue: str) -> int:
        """Logged in and reachable; who has a break comes back."""
        return sum(m.status not in _AWAY for m in self._members[queue].values())

    def _at_work(self, queue: str) -> int:
        return sum(self.is_on_duty(member) for member in self._members[queue].values())

    def free(self, queue: str) -> int:
        """Return how many can be given a call this moment."""
        return sum(self.is_free(queue, member) for member in self._members[queue].values())

    def is_free(self, queue: str, member: Member) -> bool:
        """Return whether somebody can be given a call this moment."""
        rest = timedelta(seconds=self._queues[queue].wrapup_s)
        rested = member.last_call is None or self._clock() - member.last_call >= rest
        return not member.paused and not member.in_call and member.status in _FREE and rested

    def is_on_duty(self, member: Member) -> bool:
        """Return whether somebody is at work and can be reached, though perhaps in a call."""
        return not member.paused and member.status not in _AWAY

    def wait_s(self, queue: str, position: int) -> float | None:
        """The estimate for a position, in seconds; None without a technician to answer."""
        rules = self._queues[queue]
        answers = tuple(self._answers[queue])
        technicians = self._at_work(queue) or min(1, self.technicians(queue))
        return expected_wait(
            position,
            answers,
            technicians,
            self._clock(),
            handling_s=rules.handling_s,
            waiting_since=self._waiting_since.get(queue) if len(self._places[queue]) else None,
        )

    # Following -----------------------------------------------------------------------------------

    def enter(self, event: Fields) -> None:
        """Enter one event from Asterisk; others than the queues' are passed over."""
        kind, queue = event.get("event", ""), event.get("queue", "")
        if queue not in self._queues:
            return
        if kind == "QueueCallerJoin":
            self._joined(queue, event.get("uniqueid", ""), event.get("channel", ""), _int(event.get("position")))
        elif kind == "QueueCallerLeave":
            self._left(queue, event.get("uniqueid", ""))
        elif kind == "AgentConnect":
            self._answered(queue)
        elif kind == "QueueMemberRemoved":
            self._members[queue].pop(member_of(event).endpoint, None)
        elif kind in ("QueueMemberAdded", "QueueMemberPause", "QueueMemberStatus"):
            member = member_of(event)
            self._members[queue][member.endpoint] = member
        else:
            return
        self.version += 1

    def _answered(self, queue: str) -> None:
        now, answers, since = self._clock(), self._answers[queue], self._waiting_since.get(queue)
        waited_all_the_time = since is not None and bool(answers) and since <= answers[-1].at
        after_s = None
        if waited_all_the_time:
            after_s = (now - answers[-1].at).total_seconds()
        answers.append(Answer(at=now, after_s=after_s))

    def _joined(self, queue: str, uniqueid: str, channel: str, position: int, waited_s: float = 0.0) -> None:
        now = self._clock()
        callback = held_callback(channel)
        known = self._arrivals.get(uniqueid)
        arrived = known[0] if known is not None else self._first_seen(now, waited_s)
        arrived = self.callback_arrivals.get(callback or "", arrived)
        self._arrivals[uniqueid] = (arrived, now)
        if not len(self._places[queue]):
            self._waiting_since[queue] = now
        place = Place(uniqueid=uniqueid, channel=channel, arrived_at=arrived, callback=callback)
        self._places[queue].join(place, position)

    def _first_seen(self, now: datetime, waited_s: float) -> datetime:
        at = now - timedelta(seconds=waited_s)
        if self._latest is not None and at <= self._latest and not waited_s:
            at = self._latest + _MOMENT
        self._latest = max(at, self._latest or at)
        return at

    def _left(self, queue: str, uniqueid: str) -> None:
        place = self._places[queue].leave(uniqueid)
        now = self._clock()
        if place is not None:
            self._arrivals[uniqueid] = (place.arrived_at, now)
        horizon = now - timedelta(seconds=_REMEMBERED_S)
        if len(self._arrivals) > 2 * sum(map(len, self._places.values())) + 1000:
            self._arrivals = {
                name: known
                for name, known in self._arrivals.items()
                if known[1] > horizon or any(places.find(name) for places in self._places.values())
            }

    async def compare(self, ami: ManagerInterface) -> None:
        """Take the whole from Asterisk. Raises Unavailable, AmiRefused."""
        rows = await ami.collect("QueueStatus")
        places: dict[str, list[tuple[int, Fields]]] = {queue: [] for queue in self._queues}
        members: dict[str, dict[str, Member]] = {queue: {} for queue in self._queues}
        for row in rows:
            queue = row.get("queue", "")
            if queue not in self._queues:
                continue
            if row.get("event") == "QueueEntry":
                places[queue].append((_int(row.get("position")), row))
            elif row.get("event") == "QueueMember":
                member = member_of(row)
                members[queue][member.endpoint] = member
        self._members = members
        for queue, entries in places.items():
            since = self._waiting_since.get(queue) if len(self._places[queue]) else None
            self._places[queue] = Places()
            for position, row in sorted(entries, key=lambda one: one[0]):
                self._joined(
                    queue, row.get("uniqueid", ""), row.get("channel", ""), position, float(_int(row.get("wait")))
                )
            if since is not None and entries:
                self._waiting_since[queue] = since
        self.version += 1


def _int(text: str | None) -> int:
    if text is not None and text.lstrip("-").isdigit():
        return int(text)
    return 0
