"""Enters a request: ticket, event, voice message and e-mail in one transaction, once for each key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ivr.directory import store as directory
from ivr.events import EventBus
from ivr.notify.outbox import put_email
from ivr.store.engine import Unit
from ivr.tickets import sla_store, store
from ivr.tickets.intake import Intake, Requester, VoiceMessage
from ivr.tickets.message_email import message_email
from ivr.tickets.model import Ticket

#: Who did it, in a ticket's history, when a caller did.
LINE = "line"
#: A further message by one caller within this time is about the same thing.
SAME_THING = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class _Entered:
    ticket: Ticket
    new: bool


async def enter(unit: Unit, intake: Intake, *, bus: EventBus | None = None) -> Ticket:
    """The request's ticket: the one it has already, the one of its call, or a new one (OV-11).

    What listeners are told is told once the transaction is committed.
    """
    if intake.message is not None and (number := await store.ticket_of_message(unit, intake.key)) is not None:
        return await _ticket(unit, number)
    entered = await _find_or_add(unit, intake)
    ticket = entered.ticket
    if intake.message is not None:
        ticket = await _attach(unit, intake, intake.message, entered)
    if bus is not None and (entered.new or intake.message is not None):
        kind = "ticket.created" if entered.new else "ticket.updated"
        unit.afterwards(lambda: bus.publish(kind, intake.at, ticket.brief()))
    return ticket


async def _find_or_add(unit: Unit, intake: Intake) -> _Entered:
    if (found := await store.find(unit, intake_key=intake.key, call_id=intake.call_id)) is not None:
        return _Entered(ticket=await _locked(unit, found.number), new=False)
    if (same := await _of_same_caller(unit, intake)) is not None:
        return _Entered(ticket=await _locked(unit, same.number), new=False)
    ticket = await store.add(unit, _values(intake))
    if ticket is None:
        # Somebody entered it between the two statements.
        found = await store.find(unit, intake_key=intake.key, call_id=intake.call_id)
        if found is None:
            raise RuntimeError(f"ticket {intake.key} is neither new nor there")
        return _Entered(ticket=await _locked(unit, found.number), new=False)
    changes = {"department": intake.department, "identified_by": intake.requester.identified_by}
    await store.add_event(unit, ticket.number, at=intake.at, who=LINE, kind="created", changes=changes, version=1)
    return _Entered(ticket=ticket, new=True)


async def _of_same_caller(unit: Unit, intake: Intake) -> Ticket | None:
    """The open ticket of the message that the same caller left for the same department a moment ago."""
    message = intake.message
    if message is None or (message.number is None and message.endpoint is None):
        return None
    await unit.alone("messages", intake.desk, intake.department)
    return await store.of_recent_message(
        unit,
        desk=intake.desk,
        department=intake.department,
        number=message.number,
        endpoint=message.endpoint,
        since=intake.at - SAME_THING,
    )


def values_of(requester: Requester) -> dict[str, Any]:
    """Return the columns of a ticket that say whose it is."""
    return {
        # A request may have waited on disk while its customer was removed.
        "customer_id": directory.existing_customer(requester.customer_id),
        "contact_id": directory.existing_contact(requester.contact_id),
        "requester_name": requester.name,
        "requester_phone": requester.phone,
        "requester_email": requester.email,
        "account_number": requester.account_number,
        "account_name": requester.account_name,
        "account_address": requester.account_address,
        "account_phone": requester.account_phone,
    }


def _values(intake: Intake) -> dict[str, Any]:
    return {
        "kind": "request",
        "status": "new",
        "priority": "urgente" if intake.message is not None and intake.message.urgent else intake.promise.priority,
        "desk": intake.desk,
        "department": intake.department,
        "language": intake.language,
        "reference": intake.reference,
        "intake_key": intake.key,
        "call_id": intake.call_id,
        "incident_id": intake.incident_id,
        **values_of(intake.requester),
        "promised_at": intake.promise.until,
        "version": 1,
        "created_at": intake.at,
        "updated_at": intake.at,
    }


async def _attach(unit: Unit, intake: Intake, message: VoiceMessage, entered: _Entered) -> Ticket:
    """Add the voice message to its ticket, which it may make urgent (OV-7) but never less so."""
    ticket = entered.ticket
    values = {
        "key": intake.key,
        "ticket_number": ticket.number,
        "call_id": intake.call_id,
        "desk": intake.desk,
        "department": intake.department,
        "language": intake.language,
        "number": message.number,
        "endpoint": message.endpoint,
        "file": message.file,
        "seconds": message.seconds,
        "urgent": message.urgent,
        "created_at": intake.at,
    }
    message_id = await store.add_message(unit, values)
    if message_id is None:
        return ticket
    changed: dict[str, Any] = {}
    if message.urgent:
        changed["priority"] = "urgente"
    if ticket.promised_at is None and intake.promise.until is not None:
        changed["promised_at"] = intake.promise.until
    told = {"message": message_id, "seconds": message.seconds, "urgent": message.urgent}
    await store.note(unit, ticket, at=intake.at, who=LINE, kind="message", changes=told, values=changed)
    if intake.notice is not None:
        await put_email(unit, message_email(intake, message, intake.notice, ticket.number), at=intake.at)
    after = await _ticket(unit, ticket.number)
    await sla_store.settle(unit, ticket, after, at=intake.at)
    return after


async def _ticket(unit: Unit, number: int) -> Ticket:
    return _there(await store.get(unit, number), number)


async def _locked(unit: Unit, number: int) -> Ticket:
    return _there(await store.lock(unit, number), number)


def _there(found: Ticket | None, number: int) -> Ticket:
    if found is None:
        raise RuntimeError(f"ticket {number} vanished within its own transaction")
    return found
