"""Asterisk's word on which calls still go on: after a restart of the service, and after one of Asterisk's own.

Calls outlive the service. Whoever waited when it ended is still told their place when it is back, and whoever answers
them sees who calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from ivr import outside_staff
from ivr.asterisk.ami import AmiRefused, Fields, ManagerInterface
from ivr.calls import store as statements
from ivr.calls.adoption import Newcomers
from ivr.calls.asterisk_events import endpoint_of, queue_of, spoken
from ivr.calls.log import CallLog
from ivr.calls.model import Call, outcome
from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.store.engine import Store

log = structlog.get_logger()

#: Why a call is over whose end nobody saw.
UNSEEN = "asterisk-restarted"


async def resume(calls: CallLog, store: Store, ami: ManagerInterface, clock: Clock) -> None:
    """Take up again the calls of an earlier run that go on; the others are over.

    Raises Unavailable and AmiRefused; then no call was touched.
    """
    channels = await _channels(ami)
    at = clock()
    async with store.unit() as unit:
        going_on = [call for call in await statements.left_open(unit) if call.linkedid in channels]
        over = await statements.close_left_open(unit, at=at, but=[call.id for call in going_on])
    for call in going_on:
        calls.resume(call, at, language=spoken(channels[call.linkedid]))
        _catch_up(calls, call, channels, at)
    if going_on or over:
        log.info("calls of the previous run reconciled", going_on=len(going_on), over=over)


def _catch_up(calls: CallLog, call: Call, channels: Mapping[str, Fields], at: datetime) -> None:
    """What happened to a call while nobody looked, as far as it can be seen from where its channel is now."""
    channel = channels[call.linkedid]
    queue = queue_of(channel)
    if queue is None:
        return
    if call.queued_at is None:
        calls.queued(call.id, at, queue=queue)
    bridge = channel.get("bridgeid")
    if call.answered_at is not None or not bridge:
        return
    for uniqueid, other in channels.items():
        name = other.get("channel", "")
        person = name.startswith("PJSIP/") or outside_staff.of_channel(name) is not None
        if person and uniqueid != call.linkedid and other.get("bridgeid") == bridge:
            calls.leg(call.id, uniqueid, channel=name, role="member", at=at, endpoint=endpoint_of(name))
            calls.leg_answered(call.id, uniqueid, at)
            calls.answered(call.id, at, endpoint=endpoint_of(name))


async def end_unseen(calls: CallLog, ami: ManagerInterface, clock: Clock) -> None:
    """End the calls whose channel is gone though nothing was told of it. Raises Unavailable and AmiRefused."""
    # What begins from now on is there, or its end is told.
    known = calls.live()
    channels = await _channels(ami)
    gone = [call for call in known if call.linkedid not in channels and call.ended_at is None]
    at = clock()
    for call in gone:
        for leg in call.legs.values():
            if leg.ended_at is None:
                calls.leg_ended(call.id, leg.uniqueid, at)
        result, _ = outcome(call, None)
        calls.end(call.id, at, result=result, reason=UNSEEN)
        calls.hung_up(call.id, at)
    if gone:
        log.warning("calls ended unobserved: no longer in Asterisk", calls=len(gone))


async def take_up(calls: CallLog, store: Store, ami: ManagerInterface, newcomers: Newcomers, clock: Clock) -> None:
    """At the start: resume the calls of an earlier run, and meet those who stand in queues. Raises nothing."""
    try:
        await resume(calls, store, ami, clock)
        await newcomers.look(ami)
    except (Unavailable, AmiRefused) as error:
        log.warning("calls of the previous run not reconciled", error=str(error))


async def compare(calls: CallLog, ami: ManagerInterface, newcomers: Newcomers, clock: Clock) -> None:
    """After a gap: end the calls that are gone, and meet those who came. Raises nothing: the next gap repeats it."""
    try:
        await end_unseen(calls, ami, clock)
        await newcomers.look(ami)
    except (Unavailable, AmiRefused) as error:
        # It is away again: when it is back, this comes again.
        log.warning("calls not reconciled with Asterisk; retrying", error=str(error))


async def uniqueids(ami: ManagerInterface) -> set[str]:
    """Return the uniqueids of all channels. Raises Unavailable and AmiRefused."""
    return set(await _channels(ami))


async def _channels(ami: ManagerInterface) -> Mapping[str, Fields]:
    """Every channel there is, by its uniqueid."""
    return {row.get("uniqueid", ""): row for row in await ami.collect("CoreShowChannels")}
