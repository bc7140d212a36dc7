"""A ticket says that its call was cut off: nothing was heard of the caller any more."""

from __future__ import annotations

from datetime import datetime

from ivr.asterisk.ami import Fields
from ivr.calls.log import CallLog
from ivr.calls.model import VANISHED_TALKING
from ivr.clock import Clock
from ivr.process.asides import Asides
from ivr.store.engine import Store
from ivr.tickets import store as statements
from ivr.tickets.intake_commit import LINE


async def note(store: Store, call_id: str, at: datetime) -> None:
    """Note it in the history of the call's ticket, if there is one. Raises StoreUnavailable."""
    async with store.unit() as unit:
        ticket = await statements.of_call(unit, call_id)
        if ticket is not None:
            await statements.add_event(
                unit, ticket.number, at=at, who=LINE, kind="cut-off", changes={}, version=ticket.version
            )


def enter(event: Fields, calls: CallLog, store: Store, clock: Clock, aside: Asides) -> None:
    """Enter a hang-up: a caller who vanished while a technician talked to them has it on their ticket."""
    call = None
    if event.get("event") == "Hangup":
        call = calls.call_of(event.get("uniqueid", ""))
    if call is not None and call.reason == VANISHED_TALKING:
        aside(note(store, call.id, clock()), f"end of call {call.id} on its ticket")
