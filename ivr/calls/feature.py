"""The record of calls as a feature of the line."""

from __future__ import annotations

from ivr.asterisk import dead_contacts
from ivr.asterisk.ami import RECONNECTED, Fields, ManagerInterface
from ivr.calls import asterisk_events, reconcile, refusals
from ivr.calls.adoption import Newcomers
from ivr.calls.cdr_import import Recovery
from ivr.calls.log import CallLog
from ivr.calls.unfinished import Begun
from ivr.clock import Clock
from ivr.feature import Feature, Part
from ivr.process.asides import Asides
from ivr.refusals import Refusals


def record(
    calls: CallLog,
    newcomers: Newcomers,
    recovery: Recovery,
    begun: Begun,
    ami: ManagerInterface,
    clock: Clock,
    aside: Asides,
) -> Feature:
    """Every call and what happens on it, also what happened while the service or Asterisk was away."""

    async def on_event(event: Fields) -> None:
        if event is RECONNECTED:
            aside(reconcile.compare(calls, ami, newcomers, clock), "calls compared with Asterisk's")
        # Begun first: what is told of a call that nobody has begun is passed over.
        newcomers.joined(event)
        asterisk_events.enter(calls, event, clock())

    parts = (
        Part(name="call writer", run=calls.run),
        Part(name="recovery", run=recovery.run),
        Part(name="calls begun", run=begun.run),
    )
    return Feature(name="calls", parts=parts, on_event=on_event)


def refused(noted: Refusals) -> Feature:
    """Calls that the dialplan refused by itself."""

    async def on_event(event: Fields) -> None:
        refusals.enter(event, noted)

    return Feature(name="refused calls", on_event=on_event)


def phones(ami: ManagerInterface, aside: Asides) -> Feature:
    """Phones that do not answer where they are registered: their places are asked."""
    devices = dead_contacts.Devices()

    async def on_event(event: Fields) -> None:
        if (phone := devices.enter(event)) is not None:
            aside(dead_contacts.ask(ami, phone), "a phone's places asked")

    return Feature(name="phones", on_event=on_event)
