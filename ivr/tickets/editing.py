"""What staff and other programs do to tickets. Every change is an event with who, when and what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ivr.errors import BadInput, Conflict, NotFound
from ivr.events import EventBus
from ivr.store.engine import Unit
from ivr.tickets import store
from ivr.tickets.ticket import Ticket


class TicketNotFound(NotFound):
    """There is no such ticket."""


class TicketChanged(Conflict):
    """The ticket was changed in the meantime."""


async def create(
    unit: Unit, fields: Mapping[str, Any], *, who: str, at: datetime, key: str | None, bus: EventBus
) -> tuple[Ticket, bool]:
    """A new ticket, and whether it is new: under a `key` that was used before it is the one made then.

    `fields` are a ticket's, checked already. Raises BadInput when the call has a ticket already.
    """
    values = dict(fields) | {"status": "new", "version": 1, "created_at": at, "updated_at": at, "intake_key": key}
    values["customer_id"] = store.customer_with_account(fields.get("account_number"))
    number = await store.add(unit, values)
    if number is None:
        known = await store.find(unit, intake_key=key)
        if known is not None:
            return known, False
        raise BadInput(
            field="call_id", problem="this call has a ticket already", mend="change that one: GET /v1/tickets?call_id="
        )
    changes = {name: value for name, value in fields.items() if value is not None}
    await store.add_event(unit, number, at=at, who=who, kind="created", changes=changes, version=1)
    ticket = await get(unit, number)
    unit.afterwards(lambda: bus.publish("ticket.created", at, ticket.brief()))
    return ticket, True


async def get(unit: Unit, number: int) -> Ticket:
    """A ticket. Raises TicketNotFound."""
    found = await store.get(unit, number)
    if found is None:
        raise TicketNotFound(ticket=number)
    return found


async def change(
    unit: Unit,
    number: int,
    fields: Mapping[str, Any],
    *,
    who: str,
    at: datetime,
    seen_version: int | None,
    bus: EventBus,
) -> Ticket:
    """Set fields of a ticket; as it is afterwards. What is the same already is no change.

    With `seen_version`, raises TicketChanged unless the ticket is still that version. Raises TicketNotFound.
    """
    before = await store.lock(unit, number)
    if before is None:
        raise TicketNotFound(ticket=number)
    if seen_version is not None and seen_version != before.version:
        raise TicketChanged(ticket=number, seen=seen_version, current=before.version)
    changes = {name: value for name, value in fields.items() if getattr(before, name) != value}
    if not changes:
        return before
    values: dict[str, Any] = dict(changes)
    if "account_number" in changes:
        values["customer_id"] = store.customer_with_account(changes["account_number"])
    version = before.version + 1
    await store.change(unit, number, values | {"version": version, "updated_at": at})
    told = {name: {"from": getattr(before, name), "to": value} for name, value in changes.items()}
    await store.add_event(unit, number, at=at, who=who, kind="changed", changes=told, version=version)
    after = await get(unit, number)
    unit.afterwards(lambda: bus.publish("ticket.updated", at, after.brief() | {"changed": sorted(changes)}))
    return after
