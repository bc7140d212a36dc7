"""The queues as a feature of the line."""

from __future__ import annotations

from ivr.asterisk.ami import Fields
from ivr.asterisk.queue_members import member_of
from ivr.calls.log import CallLog
from ivr.clock import Clock
from ivr.events import EventBus
from ivr.feature import Feature, Part
from ivr.queueing.kept_places import KeptPlaces
from ivr.queueing.missed_calls import Misses
from ivr.queueing.position_announcements import News
from ivr.queueing.queue_state import QueueWatch
from ivr.queueing.roster import Roll


def queues(watch: QueueWatch, roll: Roll, misses: Misses, news: News) -> Feature:
    """Return who stands in the queues and who answers them."""

    async def on_event(event: Fields) -> None:
        watch.enter(event)
        roll.enter(event)
        misses.enter(event)

    parts = (
        Part(name="news", run=news.run),
        Part(name="roll call", run=roll.run),
        Part(name="technicians' misses", run=misses.run),
    )
    return Feature(name="queues", parts=parts, on_event=on_event)


def places(kept: KeptPlaces, calls: CallLog) -> Feature:
    """Places of callers whose calls were cut off."""

    async def on_event(event: Fields) -> None:
        kept.enter(event, calls)

    return Feature(name="kept places", on_event=on_event)


def members(bus: EventBus, clock: Clock) -> Feature:
    """Technicians' logins, log-outs, breaks and states, told to the console."""

    async def on_event(event: Fields) -> None:
        if event.get("event", "").startswith("QueueMember"):
            bus.publish("member.changed", clock(), _facts(event))

    return Feature(name="queue members", on_event=on_event)


def _facts(event: Fields) -> dict[str, str | bool]:
    member = member_of(event)
    return {
        "change": event.get("event", "").removeprefix("QueueMember").lower(),
        "queue": member.queue,
        "endpoint": member.endpoint,
        "name": member.name,
        "paused": member.paused,
        "in_call": member.in_call,
        "status": member.status,
    }
