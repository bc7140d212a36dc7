"""Retention of requesters and of what was said in tickets and voice messages.

Tickets themselves stay, for their figures: when they came, what they were about, how long they took.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import null, or_, select, update

from ivr.retention.declarations import (
    Belongs,
    DeskSweep,
    FileSweep,
    PersonalData,
    Retention,
    Row,
    RowFile,
    StraySweep,
)
from ivr.store.engine import BATCH, Unit, batches
from ivr.tickets.model import DONE
from ivr.tickets.tables import messages, solutions, ticket_alarms, ticket_events, ticket_spans, tickets

_TICKETS_AT_ONCE = 100
#: What tickets say of a person, in words that a person chose.
_SAID = (
    *("intake_key", "contact_id", "requester_name", "requester_contact", "requester_address", "requester_phone"),
    *("requester_email", "account_number", "account_name", "account_address", "account_phone", "observed", "examples"),
    *("expected", "mac", "attempted", "details"),
)
#: What stays of a ticket's history.
_FIGURES = frozenset(
    (
        *("status", "priority", "level", "kind", "department", "language", "partner_id", "incident_id", "impact"),
        *("programming_min", "on_site", "installation", "outside", "service", "clock", "due_at", "identified_by"),
    )
)


async def due(unit: Unit, desk: str, before: datetime) -> list[tuple[Any, str]]:
    """Return ids and files of a desk's voice messages whose recordings have to go. At most some hundred."""
    old = (messages.c.desk == desk) & (messages.c.created_at < before) & (messages.c.file != "")
    found = await unit.execute(select(messages.c.id, messages.c.file).where(old).limit(BATCH))
    return [(row.id, row.file) for row in found]


async def known_files(unit: Unit, files: Sequence[str]) -> set[str]:
    """Return which of these recordings are a message's."""
    return set((await unit.execute(select(messages.c.file).where(messages.c.file.in_(files)))).scalars())


async def forget_messages(unit: Unit, ids: Sequence[Any]) -> None:
    """Blank voice messages: that there was one is kept, and how long it was."""
    for message_id in ids:
        of_it = messages.c.id == message_id
        # Before recordings had names without it, keys held the caller's number too.
        key = select(messages.c.key).where(of_it).scalar_subquery()
        await unit.execute(update(tickets).where(tickets.c.intake_key == key).values(intake_key=None))
        nothing = {"file": "", "number": None, "endpoint": None, "transcript": None, "key": f"erased-{message_id}"}
        await unit.execute(update(messages).where(of_it).values(nothing))


async def erase(unit: Unit, desk: str, before: datetime) -> int:
    """Erase whose a desk's closed tickets were and what was said in them; their figures stay. How many."""
    told = or_(*(tickets.c[name].is_not(None) for name in _SAID))
    old = (tickets.c.desk == desk) & (tickets.c.updated_at < before) & tickets.c.status.in_(DONE) & told
    numbers = list((await unit.execute(select(tickets.c.number).where(old).limit(_TICKETS_AT_ONCE))).scalars())
    await forget_tickets(unit, numbers)
    return len(numbers)


async def forget_tickets(unit: Unit, numbers: Sequence[Any]) -> None:
    """Blank what was said in tickets, in their histories and in what solved them."""
    for some in batches(numbers):
        await _forget_tickets(unit, some)


async def _forget_tickets(unit: Unit, numbers: Sequence[int]) -> None:
    await unit.execute(update(tickets).where(tickets.c.number.in_(numbers)).values(dict.fromkeys(_SAID, null())))
    query = select(ticket_events.c.id, ticket_events.c.changes).where(ticket_events.c.ticket_number.in_(numbers))
    for event in await unit.execute(query):
        kept = {name: value for name, value in event.changes.items() if name in _FIGURES}
        if kept != event.changes:
            await unit.execute(update(ticket_events).where(ticket_events.c.id == event.id).values(changes=kept))
    solved = solutions.c.ticket_number.in_(numbers) & solutions.c.problem.is_not(None)
    await unit.execute(update(solutions).where(solved).values(problem=None))


def _recording(row: Row) -> str | None:
    return row["file"] or None


_OF_A_TICKET = (Belongs(column="ticket_number", table="tickets", key="number"),)

PERSONAL = PersonalData(
    tables=(
        Retention(
            table=tickets,
            keep="tickets_days",
            whose=(
                *("requester_name", "requester_contact", "requester_phone", "requester_email"),
                *("account_name", "account_phone"),
            ),
            belongs=(
                Belongs(column="number", table="messages", key="ticket_number"),
                Belongs(column="number", table="inbound_mails", key="ticket_number"),
            ),
            forget=forget_tickets,
            by="number",
        ),
        Retention(table=ticket_events, keep="tickets_days", belongs=_OF_A_TICKET),
        Retention(
            table=messages,
            keep="messages_days",
            whose=("number",),
            belongs=_OF_A_TICKET,
            forget=forget_messages,
            with_ticket=True,
            file=RowFile(folder="messages", name=_recording),
        ),
        Retention(table=solutions, keep="tickets_days", belongs=_OF_A_TICKET),
    ),
    impersonal=(ticket_spans, ticket_alarms),
    desk_sweeps=(DeskSweep(name="tickets", erase=erase, keep="tickets_days"),),
    file_sweeps=(FileSweep(name="messages", table="messages", folder="messages", keep="messages_days", due=due),),
    stray_sweeps=(StraySweep(name="stray recordings", folder="messages", keep="messages_days", known=known_files),),
)
