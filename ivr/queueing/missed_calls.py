"""Technicians who do not take their calls: who declines is not rung again at once, and who misses too many has a break.

app_queue goes on to the next technician by itself, and then rings the same one again two seconds later, without end.
So a technician who declines, or whose phone cannot be rung, rests for a while; after several misses in a row the break
lasts until they come back (*22, or the console), and operations are told, most of all when none is left. Those who wait
keep their places meanwhile, and are offered the callback as ever. A phone that rang in vain is asked at once whether it
is there: app_queue passes over one that is not.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import structlog

from ivr import wording
from ivr.asterisk.ami import RECONNECTED, AmiRefused, Fields, ManagerInterface
from ivr.asterisk.queue_members import RESTING, AmiQueueMembers, Member, member_of
from ivr.desk.load import Desks
from ivr.desk.schema import Desk, Queue
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.notify.outbox import Email, put_email
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store
from ivr.ticks import rest_unless

log = structlog.get_logger()

#: Why a phone that was rung did not take the call.
Miss = Literal["declined", "unanswered", "unreachable"]
#: A break's reason, by what was missed.
REASONS: Mapping[Miss, str] = {"declined": "declined", "unanswered": "no answer", "unreachable": "unreachable"}
#: Hangup causes (ITU-T Q.850) of phones: busy (486, 600), no answer from the user (480), refused (403, 603); and of
#: channels that were not ended at the phone: the caller left, or somebody else answered.
_DECLINED = (17, 19, 21)
_OTHERS = (None, 0, 16, 26)
#: A phone that rang this many seconds less than the queue says has rung for all that time.
_SHORTER_S = 1.0
#: Between two looks at who has rested long enough, in seconds.
_EVERY_S = 5.0
#: Legs whose two events are waited for; a leg that never rang has one only.
_LEGS = 200


def miss_of(*, rang_s: float, ring_s: float, cause: int | None) -> Miss | None:
    """Return why a technician's phone was not answered: by how long it rang, and its hangup cause.

    None for no reason.
    """
    if rang_s >= ring_s - _SHORTER_S:
        return "unanswered"
    if cause in _DECLINED:
        return "declined"
    if cause in _OTHERS:
        return None
    return "unreachable"


@dataclass(frozen=True, kw_only=True)
class InARow:
    """The calls that a technician has missed since their last one, each kind apart."""

    declined: int = 0
    unanswered: int = 0
    unreachable: int = 0

    def and_one(self, miss: Miss) -> InARow:
        """The same after another one."""
        return replace(self, **{miss: getattr(self, miss) + 1})


Consequence = Literal["break", "rest", "nothing"]


def consequence(row: InARow, miss: Miss, rules: Queue) -> Consequence:
    """Return what follows the latest miss: a break until they come back, a short rest, or nothing."""
    if rules.misses and getattr(row, miss) >= rules.misses:
        return "break"
    if miss == "unanswered":
        return "nothing"
    return "rest"


class Misses:
    """Counts them, and sees to what follows."""

    def __init__(
        self,
        *,
        ami: ManagerInterface,
        members: AmiQueueMembers,
        watch: QueueWatch,
        store: Store,
        desks: Desks,
        bus: EventBus,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ami, self._members, self._watch, self._store, self._desks = ami, members, watch, store, desks
        self._bus, self._clock, self._monotonic = bus, clock, monotonic
        self._rows: dict[str, InARow] = {}
        #: Of legs that were rung: why they ended, and of which queue's technician and for how many seconds they rang.
        self._causes: OrderedDict[str, int] = OrderedDict()
        self._rang: OrderedDict[str, tuple[str, str, float]] = OrderedDict()
        #: What is to be done, in order.
        self._missed: list[tuple[str, str, Miss]] = []
        #: Who rests, and until when, by the monotonic clock.
        self._resting: dict[str, float] = {}
        self._wake = asyncio.Event()

    def enter(self, event: Fields) -> None:
        """Enter one event from Asterisk, after the queue's watch has."""
        kind = event.get("event", "")
        if kind == "AgentRingNoAnswer":
            endpoint = event.get("interface", "").partition("/")[2]
            rang_s = int(event.get("ringtime") or 0) / 1000
            _keep(self._rang, event.get("destuniqueid", ""), (event.get("queue", ""), endpoint, rang_s))
            self._ended(event.get("destuniqueid", ""))
        elif kind == "Hangup" and event.get("channel", "").startswith("PJSIP/"):
            _keep(self._causes, event.get("uniqueid", ""), int(event.get("cause") or 0))
            self._ended(event.get("uniqueid", ""))
        elif kind in ("AgentConnect", "QueueMemberAdded"):
            self._rows.pop(event.get("interface", "").partition("/")[2], None)
        elif kind == "QueueMemberPause":
            member = member_of(event)
            if not member.paused and member.endpoint not in self._resting:
                # They are back of their own accord.
                self._rows.pop(member.endpoint, None)
        if event is RECONNECTED:
            self._wake.set()

    def _ended(self, uniqueid: str) -> None:
        if uniqueid not in self._rang or uniqueid not in self._causes:
            return
        queue, endpoint, rang_s = self._rang.pop(uniqueid)
        rules = self._rules().get(queue)
        if rules is None or not endpoint:
            return
        miss = miss_of(rang_s=rang_s, ring_s=rules[1].ring_s, cause=self._causes[uniqueid])
        if miss is not None:
            self._missed.append((queue, endpoint, miss))
            self._wake.set()

    def _rules(self) -> dict[str, tuple[Desk, Queue]]:
        return {name: (desk, queue) for desk in self._desks.values() for name, queue in desk.queues.items()}

    async def run(self) -> None:
        """See to it until cancelled."""
        while True:
            self._wake.clear()
            try:
                while self._missed:
                    await self._see_to(*self._missed.pop(0))
                await self._end_rests()
            except (Unavailable, AmiRefused) as error:
                log.warning("missed call not followed up", error=str(error))
            left = min(self._resting.values(), default=self._monotonic() + _EVERY_S) - self._monotonic()
            await rest_unless(self._wake, min(_EVERY_S, max(0.05, left)))

    async def _see_to(self, queue: str, endpoint: str, miss: Miss) -> None:
        found = self._rules().get(queue)
        if found is None:
            return
        desk, rules = found
        row = self._rows[endpoint] = self._rows.get(endpoint, InARow()).and_one(miss)
        follows = consequence(row, miss, rules)
        log.info("technician missed a call", endpoint=endpoint, queue=queue, reason=miss, follows=follows)
        if follows == "rest":
            self._resting[endpoint] = self._monotonic() + rules.declined_rest_s
            await self._members.pause(None, endpoint, True, RESTING)
        elif follows == "break":
            self._resting.pop(endpoint, None)
            self._rows.pop(endpoint, None)
            await self._members.pause(None, endpoint, True, REASONS[miss])
            await self._tell(desk, queue, endpoint, miss, rules.misses)
        if miss != "declined":
            await self._ask(endpoint)

    async def _ask(self, endpoint: str) -> None:
        try:
            await self._ami.action("PJSIPQualify", {"Endpoint": endpoint})
        except AmiRefused:
            log.info("technician's phone no longer registered", endpoint=endpoint)

    async def _end_rests(self) -> None:
        """End rests that are over, also those that began before this service did."""
        now = self._monotonic()
        resting = {member.endpoint for member in await self._paused() if member.paused_reason == RESTING}
        for endpoint in resting - self._resting.keys():
            self._resting[endpoint] = now
        for endpoint, until in list(self._resting.items()):
            if until > now:
                continue
            if endpoint in resting:
                await self._members.pause(None, endpoint, False, "")
                # Until the event has come that tells of it: only who comes back by themselves has a clean slate.
                self._resting[endpoint] = now + _EVERY_S
            else:
                del self._resting[endpoint]

    async def _paused(self) -> list[Member]:
        return [one for queue in self._watch.queues for one in self._watch.members(queue) if one.paused]

    async def _tell(self, desk: Desk, queue: str, endpoint: str, miss: Miss, count: int) -> None:
        """Operations, by event and e-mail."""
        others = [one for one in self._watch.members(queue) if one.endpoint != endpoint]
        name = next((one.name for one in self._watch.members(queue) if one.endpoint == endpoint), endpoint)
        left = sum(not one.paused and one.status not in ("invalid", "unavailable") for one in others)
        waiting = len(self._watch.places(queue))
        facts: dict[str, Any] = {"endpoint": endpoint, "name": name, "queue": queue, "desk": desk.id, "why": miss}
        facts |= {"misses": count, "left": left, "waiting": waiting}
        log.warning("technician paused after missed calls", **facts)
        self._bus.publish("technician.paused", self._clock(), facts)
        async with self._store.unit() as unit:
            await put_email(unit, notice(desk, facts), at=self._clock())


_WORDS = wording.texts("queueing.missed")


def notice(desk: Desk, facts: Mapping[str, Any]) -> Email:
    """To whom the desk file names, else to the department where the human is; in the desk's first language."""
    language = desk.languages[0]
    words = _WORDS[language]
    known = {**facts, "desk": desk.name}
    lines = [words[facts["why"]] + words["then"], words["left"]]
    lines += [] if facts["left"] else [words["nobody"]]
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words["subject" if facts["left"] else "alone"].format(**known),
        body="\n".join(line.format(**known) for line in lines) + "\n",
        language=language,
    )


def _keep(legs: OrderedDict[str, Any], uniqueid: str, value: object) -> None:
    legs[uniqueid] = value
    while len(legs) > _LEGS:
        legs.popitem(last=False)
