"""Takes requests from callers. None is lost: it is committed, or it is on disk, before this returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog

from ivr.directory.model import Identity
from ivr.events import EventBus
from ivr.store.engine import Store
from ivr.tickets.intake import Intake, Notice, VoiceMessage, requester_of
from ivr.tickets.intake_commit import enter
from ivr.tickets.promise import NO_PROMISE, Promise
from ivr.tickets.spool import Spool

log = structlog.get_logger()

#: A caller waits this long, in seconds, for the database; then the request goes to disk.
_PATIENCE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the caller may be told: the ticket's number, or only the reference while it has none."""

    ticket_number: str | None
    reference: str


async def take_in(
    store: Store, spool: Spool, intake: Intake, *, bus: EventBus | None = None, patience_s: float | None = None
) -> Receipt:
    """Make a request durable and, when the database is there, a ticket. Idempotent by its key.

    Raises OSError when neither the database nor the disk takes it. Goes on when the caller's conversation is
    cancelled.
    """
    patience_s = _PATIENCE_S if patience_s is None else patience_s
    taking = spool.hold(_take_in(store, spool, intake, bus, patience_s), name=f"intake {intake.reference}")
    receipt: Receipt = await asyncio.shield(taking)
    return receipt


async def _take_in(store: Store, spool: Spool, intake: Intake, bus: EventBus | None, patience_s: float) -> Receipt:
    # Not cancelled when patience ends: a commit that is under way may come through, and the key makes it harmless.
    entering = spool.hold(_enter(store, intake, bus), name=f"ticket {intake.reference}")
    await asyncio.wait({entering}, timeout=patience_s)
    if entering.done() and not entering.cancelled() and entering.exception() is None:
        return Receipt(ticket_number=str(entering.result()), reference=intake.reference)
    await spool.put(intake)
    log.warning("request spooled to disk: database unavailable", reference=intake.reference)
    return Receipt(ticket_number=None, reference=intake.reference)


async def _enter(store: Store, intake: Intake, bus: EventBus | None) -> int:
    async with store.unit() as unit:
        ticket = await enter(unit, intake, bus=bus)
    return ticket.number


async def leave_message(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    store: Store,
    spool: Spool,
    *,
    key: str,
    at: datetime,
    desk: str,
    department: str,
    language: str,
    call_id: str | None,
    identity: Identity,
    message: VoiceMessage,
    notice: Notice,
    promise: Promise = NO_PROMISE,
    incident_id: int | None = None,
    bus: EventBus | None = None,
) -> Receipt:
    """A caller left a voice message: a ticket, the message and the department's e-mail (OV-7, OV-8).

    Another message by the same caller, soon after, joins the ticket of the first.

    `key` tells this message from every other one; the name of its recording does. Raises OSError when
    neither the database nor the disk takes it.
    """
    intake = Intake(
        key=key,
        at=at,
        desk=desk,
        department=department,
        language=language,
        call_id=call_id,
        requester=requester_of(identity, message.number),
        message=message,
        notice=notice,
        promise=promise,
        incident_id=incident_id,
    )
    return await take_in(store, spool, intake, bus=bus)


async def open_for_call(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    store: Store,
    spool: Spool,
    *,
    at: datetime,
    desk: str,
    department: str,
    language: str,
    call_id: str,
    identity: Identity,
    number: str | None,
    incident_id: int | None = None,
    bus: EventBus | None = None,
) -> Receipt:
    """A call goes to a department: it has a ticket from then on (OV-11). Once per call."""
    intake = Intake(
        key=f"call:{call_id}",
        at=at,
        desk=desk,
        department=department,
        language=language,
        call_id=call_id,
        requester=requester_of(identity, number),
        incident_id=incident_id,
    )
    return await take_in(store, spool, intake, bus=bus)
