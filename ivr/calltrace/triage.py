"""What staff decide: on reports of an account whose recommendations are unanswered (OV-25), on proposed incidents."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ivr import wording
from ivr.calltrace import store
from ivr.calltrace.commit import PROPOSALS
from ivr.errors import BadInput, NotFound
from ivr.events import EventBus
from ivr.store.engine import Unit
from ivr.tickets import store as ticket_store
from ivr.tickets.automation import judge
from ivr.tickets.model import DONE
from ivr.tickets.service import Tickets

_WHY = wording.text("calltrace.unanswered")


class TraceNotFound(NotFound):
    """There is no such call trace."""


class ProposalNotFound(NotFound):
    """There is no such proposal of an incident."""


async def decide(
    unit: Unit, trace_id: str, state: Literal["kept", "ignored"], *, by: str, tickets: Tickets
) -> dict[str, Any]:
    """Take a report up all the same, so that its ticket goes the ordinary way (OV-23), or ignore it and close that.

    The report as it is then. Raises TraceNotFound, and BadInput for one that is not marked as `unanswered`.
    """
    await unit.alone("decision on call trace", trace_id)
    at = tickets.clock()
    row = await store.get(unit, trace_id)
    if row is None:
        raise TraceNotFound(trace=trace_id)
    if row["state"] not in ("unanswered", state):
        problem = f"this report is {row['state']}: there is nothing to decide"
        raise BadInput(field="state", problem=problem, mend="decide on reports whose state is unanswered")
    if row["state"] == state:
        return row
    await store.change(unit, trace_id, {"state": state})
    number = row["ticket_number"]
    await note(unit, number, who=by, at=at, kind="decided", changes={"state": state})
    ticket = await ticket_store.get(unit, number)
    if ticket is not None and state == "kept":
        await judge(unit, ticket, at=at)
    elif ticket is not None and ticket.status not in DONE:
        why = _WHY.get(ticket.language or "fr", _WHY["fr"])
        await tickets.change(unit, number, {"status": "closed"}, by=by, reason=why)
    return row | {"state": state}


async def answer(unit: Unit, trace_id: str, text: str, *, who: str, at: datetime) -> int:
    """Note what the customer answered to our recommendations: their later reports are taken up again (OV-25).

    Return how many recommendations are answered by it. Raises TraceNotFound.
    """
    row = await store.get(unit, trace_id)
    if row is None:
        raise TraceNotFound(trace=trace_id)
    answered = 0
    if row["customer_id"] is not None:
        answered = await store.answer(unit, customer_id=row["customer_id"], text=text, by=who, at=at)
    told, kind = {"answer": text}, "recommendation-answered"
    await note(unit, row["ticket_number"], who=who, at=at, kind=kind, changes=told)
    return answered


async def dismiss(unit: Unit, proposal_id: int, *, who: str, at: datetime, bus: EventBus) -> dict[str, Any]:
    """Dismiss a proposed incident. Returns the proposal as it is then; the first to dismiss it is on record.

    Raises ProposalNotFound.
    """
    await unit.alone(PROPOSALS)
    row = await store.proposal(unit, proposal_id)
    if row is None:
        raise ProposalNotFound(proposal=proposal_id)
    if row["state"] == "dismissed":
        return row
    values = {"state": "dismissed", "dismissed_by": who, "dismissed_at": at}
    await store.change_proposal(unit, proposal_id, values)
    told = {"id": proposal_id, "shared": row["shared"], "value": row["value"], "by": who}
    unit.afterwards(lambda: bus.publish("incident.proposal-dismissed", at, told))
    return row | values


async def note(unit: Unit, number: int, *, who: str, at: datetime, kind: str, changes: dict[str, Any]) -> None:
    """In the ticket's history."""
    ticket = await ticket_store.lock(unit, number)
    if ticket is not None:
        await ticket_store.note(unit, ticket, at=at, who=who, kind=kind, changes=changes)
