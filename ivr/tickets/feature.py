"""Tickets as a feature of the line."""

from __future__ import annotations

from collections.abc import Callable

from ivr.asterisk.ami import Fields
from ivr.feature import Feature, Part, Run
from ivr.tickets.orphan_recordings import Claims
from ivr.tickets.promise_monitor import Overdue
from ivr.tickets.sla_monitor import Clockwork


def feature(
    *, drain: Run, claims: Claims, clockwork: Clockwork, overdue: Overdue, cut_off: Callable[[Fields], None]
) -> Feature:
    """Requests of callers, and what was promised to them.

    `drain` enters what is spooled; `cut_off` notes on the ticket that a call was cut off.
    """

    async def on_event(event: Fields) -> None:
        cut_off(event)

    parts = (
        Part(name="spool", run=drain),
        Part(name="claims", run=claims.run),
        Part(name="tickets' clocks", run=clockwork.run),
        Part(name="promises", run=overdue.run),
    )
    return Feature(name="tickets", parts=parts, on_event=on_event)
