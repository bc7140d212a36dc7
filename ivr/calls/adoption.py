"""Callers whom the dialplan took to a queue by itself, because the service was away when they came.

They are met where they stand: from then on they are a call like every other, on the board, with their customer for
the technician who answers, and told their place, the wait and the callback. What they heard before is not known.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from ivr.asterisk.ami import Fields, ManagerInterface
from ivr.calls.asterisk_events import caller_endpoint, queue_of, spoken
from ivr.calls.log import CallLog
from ivr.clock import Clock
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.directory.model import Identity

log = structlog.get_logger()

#: The caller's number as E.164 digits and who it is, from what the network says and the phone's account.
#: By what the network says, the registered phone, and the id of the desk that was called.
Identify = Callable[[str, str | None, str], tuple[str | None, Identity]]
#: Call, desk, department, language.
OpenTicket = Callable[[str, Desk, str, str], None]
#: Has a channel play what is told to one call: channel, call, language.
Adopt = Callable[[str, str, str], None]

#: Where the dialplan acts alone, and where it takes a caller whose decision it was given.
_CONTEXTS = ("fallback", "line")
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d)")


@dataclass(frozen=True, kw_only=True)
class Newcomers:
    """Begins the calls that no conversation has begun."""

    calls: CallLog
    desks: Desks
    identify: Identify
    open_ticket: OpenTicket
    adopt: Adopt
    clock: Clock

    def joined(self, event: Fields) -> None:
        """Somebody joined a queue (QueueCallerJoin); passed over when their call is known, or is none of callers'."""
        if event.get("event") == "QueueCallerJoin":
            self._meet(event, event.get("queue", ""))

    async def look(self, ami: ManagerInterface) -> None:
        """Meet those who stand in queues already. Raises Unavailable and AmiRefused."""
        for channel in await ami.collect("CoreShowChannels"):
            queue = queue_of(channel)
            if queue is not None and (call_id := self._meet(channel, queue)) is not None:
                self.calls.queued(call_id, self.clock(), queue=queue)

    def _meet(self, channel: Fields, queue: str) -> str | None:
        """The call that was begun; None when there was nothing to begin."""
        linkedid, name = channel.get("linkedid", ""), channel.get("channel", "")
        desk = next((desk for desk in self.desks.values() if queue in desk.queues), None)
        callers = channel.get("uniqueid") == linkedid and channel.get("context") in _CONTEXTS
        if desk is None or not callers or not name.startswith("PJSIP/"):
            return None
        begun = None
        if self.calls.id_of(linkedid) is None:
            begun = self._begin(channel, desk)
            log.info("caller already in a queue adopted", call=begun, queue=queue)
        call = self.calls.call_of(linkedid)
        if call is None or call.ended_at is not None:
            return begun
        if call.language is None:
            # Only the dialplan has decided where they go.
            language = spoken(channel)
            language = language if language in desk.languages else desk.languages[0]
            department = _department(desk, queue)
            self.calls.route(call.id, department=department, language=language)
            self.open_ticket(call.id, desk, department, language)
        if call.language is not None and not channel.get("language", "").endswith(call.id[:12]):
            self.adopt(name, call.id, call.language)
        return begun

    def _begin(self, channel: Fields, desk: Desk) -> str:
        name = channel.get("channel", "")
        endpoint = caller_endpoint(name)
        number, identity = self.identify(channel.get("calleridnum", ""), endpoint, desk.id)
        call_id, at = uuid.uuid4().hex, self.clock()
        self.calls.begin(
            call_id,
            linkedid=channel.get("linkedid", ""),
            channel=name,
            desk=desk.id,
            dialled="",
            ani=number,
            endpoint=endpoint,
            identity=identity,
            at=at - _duration(channel),
        )
        self.calls.note(call_id, "met-in-queue", at, why="the service was away")
        return call_id


def _department(desk: Desk, queue: str) -> str:
    """The department whose calls wait there; the operator's, should several share it."""
    sharing = [name for name, department in desk.departments.items() if department.queue == queue]
    if desk.menu.operator in sharing or not sharing:
        return desk.menu.operator
    return sharing[0]


def _duration(channel: Fields) -> timedelta:
    """Return how long a channel has been there, where that is told (HH:MM:SS)."""
    found = _DURATION.fullmatch(channel.get("duration", ""))
    hours, minutes, seconds = map(int, found.groups()) if found is not None else (0, 0, 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
