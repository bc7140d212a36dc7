"""The statements that erase. Each takes what is older than a moment, some hundred rows at once; repeating is harmless.

Tickets themselves stay, for their figures: when they came, what they were about, how long they took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, exists, null, or_, select, update

from ivr.access_log.tables import listenings
from ivr.accounts.tables import audit
from ivr.callbacks.tables import callbacks
from ivr.calls.tables import call_events, call_legs, calls
from ivr.calltrace.tables import call_trace_evidence, call_traces, incident_proposals, recommendations
from ivr.directory.tables import caller_languages
from ivr.incidents.tables import incident_followers, incidents
from ivr.mail.tables import mails
from ivr.notify.tables import outbox
from ivr.oncall.tables import emergencies, page_calls
from ivr.sms_inbox.tables import texts
from ivr.store.engine import Unit
from ivr.tickets.model import DONE
from ivr.tickets.tables import messages, solutions, ticket_events, tickets

T = TypeVar("T")

#: What is still to leave is not erased.
LEFT = ("sent", "delivered", "refused", "dead", "withdrawn")
_AT_ONCE = 500
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


async def recordings(unit: Unit, desk: str, before: datetime) -> list[tuple[int, str]]:
    """Ids and files of a desk's voice messages whose recordings have to go."""
    old = (messages.c.desk == desk) & (messages.c.created_at < before) & (messages.c.file != "")
    found = await unit.execute(select(messages.c.id, messages.c.file).where(old).limit(_AT_ONCE))
    return [(row.id, row.file) for row in found]


async def known_files(unit: Unit, files: Sequence[str]) -> set[str]:
    """Which of these recordings are a message's."""
    return set((await unit.execute(select(messages.c.file).where(messages.c.file.in_(files)))).scalars())


async def erase_message(unit: Unit, message_id: int) -> None:
    """That there was a message is kept, and how long it was."""
    of_it = messages.c.id == message_id
    # Before recordings had names without it, keys held the caller's number too.
    key = select(messages.c.key).where(of_it).scalar_subquery()
    await unit.execute(update(tickets).where(tickets.c.intake_key == key).values(intake_key=None))
    nothing = {"file": "", "number": None, "endpoint": None, "transcript": None, "key": f"erased-{message_id}"}
    await unit.execute(update(messages).where(of_it).values(nothing))
    await unit.execute(update(emergencies).where(emergencies.c.message_id == message_id).values(number=None))
    of_emergency = select(emergencies.c.id).where(emergencies.c.message_id == message_id)
    await unit.execute(update(page_calls).where(page_calls.c.emergency_id.in_(of_emergency)).values(number=""))


async def calls_of(unit: Unit, desk: str, before: datetime) -> int:
    """Erase who called and what they did; that there was a call, when, and how it ended stays. How many."""
    told = exists().where(call_events.c.call_id == calls.c.id) | calls.c.ani.is_not(None)
    old = (calls.c.desk == desk) & (calls.c.started_at < before) & calls.c.ended_at.is_not(None) & told
    ids = list((await unit.execute(select(calls.c.id).where(old).limit(_AT_ONCE))).scalars())
    await erase_calls(unit, ids)
    return len(ids)


async def erase_calls(unit: Unit, ids: Sequence[str]) -> None:
    """Erase who made calls and what they did."""
    for some in _some(ids):
        for table in (call_events, call_legs):
            await unit.execute(delete(table).where(table.c.call_id.in_(some)))
        await unit.execute(update(calls).where(calls.c.id.in_(some)).values(ani=None, identity={}, reason=None))


async def tickets_of(unit: Unit, desk: str, before: datetime) -> int:
    """Erase whose a desk's closed tickets were and what was said in them; their figures stay. How many."""
    told = or_(*(tickets.c[name].is_not(None) for name in _SAID))
    old = (tickets.c.desk == desk) & (tickets.c.updated_at < before) & tickets.c.status.in_(DONE) & told
    numbers = list((await unit.execute(select(tickets.c.number).where(old).limit(_TICKETS_AT_ONCE))).scalars())
    await erase_tickets(unit, numbers)
    return len(numbers)


async def erase_tickets(unit: Unit, numbers: Sequence[int]) -> None:
    """Blank what was said in tickets, in their histories and in what solved them."""
    for some in _some(numbers):
        await _erase_tickets(unit, some)


async def _erase_tickets(unit: Unit, numbers: Sequence[int]) -> None:
    await unit.execute(update(tickets).where(tickets.c.number.in_(numbers)).values(dict.fromkeys(_SAID, null())))
    query = select(ticket_events.c.id, ticket_events.c.changes).where(ticket_events.c.ticket_number.in_(numbers))
    for event in await unit.execute(query):
        kept = {name: value for name, value in event.changes.items() if name in _FIGURES}
        if kept != event.changes:
            await unit.execute(update(ticket_events).where(ticket_events.c.id == event.id).values(changes=kept))
    solved = solutions.c.ticket_number.in_(numbers) & solutions.c.problem.is_not(None)
    await unit.execute(update(solutions).where(solved).values(problem=None))


async def callbacks_of(unit: Unit, desk: str, before: datetime) -> int:
    """Erase the numbers of callbacks that are over. How many."""
    old = (callbacks.c.desk == desk) & (callbacks.c.requested_at < before) & callbacks.c.ended_at.is_not(None)
    done = await unit.execute(update(callbacks).where(old, callbacks.c.number != "").values(number="", identity={}))
    return _count(done)


async def erase_callbacks(unit: Unit, ids: Sequence[str]) -> None:
    """Erase the numbers of callbacks that are over."""
    for some in _some(ids):
        await unit.execute(update(callbacks).where(callbacks.c.id.in_(some)).values(number="", identity={}))


async def erase_traces(unit: Unit, ids: Sequence[str]) -> None:
    """Erase the evidence of reported calls, and who the other party was."""
    for some in _some(ids):
        await unit.execute(delete(call_trace_evidence).where(call_trace_evidence.c.trace_id.in_(some)))
        await unit.execute(update(call_traces).where(call_traces.c.id.in_(some)).values(other=None, site=None))
        await unit.execute(update(recommendations).where(recommendations.c.trace_id.in_(some)).values(answer=None))


async def traces(unit: Unit, before: datetime) -> int:
    """Erase the evidence of reported calls, and the other party's number; the verdict stays. How many."""
    ids = select(call_traces.c.id).where(call_traces.c.reported_at < before)
    done = await unit.execute(delete(call_trace_evidence).where(call_trace_evidence.c.trace_id.in_(ids)))
    old = (call_traces.c.reported_at < before) & call_traces.c.other.is_not(None)
    await unit.execute(update(call_traces).where(old).values(other=None, site=None))
    answered = (recommendations.c.given_at < before) & recommendations.c.answer.is_not(None)
    await unit.execute(update(recommendations).where(answered).values(answer=None))
    await unit.execute(delete(incident_proposals).where(incident_proposals.c.updated_at < before))
    return _count(done)


async def languages(unit: Unit) -> int:
    """Erase which language numbers chose whose calls are all erased. How many."""
    heard_of = exists().where(calls.c.ani == caller_languages.c.number)
    return _count(await unit.execute(delete(caller_languages).where(~heard_of)))


async def affected(unit: Unit, before: datetime) -> int:
    """Erase the numbers that incidents resolved before then affected. How many incidents."""
    old = select(incidents.c.id, incidents.c.affected).where(incidents.c.resolved_at < before)
    erased = 0
    for incident in await unit.execute(old):
        if incident.affected.get("numbers"):
            kept = {**incident.affected, "numbers": []}
            await unit.execute(update(incidents).where(incidents.c.id == incident.id).values(affected=kept))
            erased += 1
    return erased


async def notices(unit: Unit, before: datetime) -> int:
    """Erase what notices said and to whom, once they have left or been given up. How many."""
    old = (outbox.c.created_at < before) & outbox.c.state.in_(LEFT) & (outbox.c.body != "")
    return _count(await unit.execute(update(outbox).where(old).values(recipient="", subject="", body="")))


async def erase_notices(unit: Unit, ids: Sequence[int]) -> None:
    """Erase what notices that have left said, and to whom."""
    for some in _some(ids):
        await unit.execute(update(outbox).where(outbox.c.id.in_(some)).values(recipient="", subject="", body=""))


async def mails_before(unit: Unit, before: datetime) -> list[tuple[int, str]]:
    """Ids and keys of e-mails that have to go."""
    old = (mails.c.at < before) & (mails.c.sender != "")
    return [(row.id, row.key) for row in await unit.execute(select(mails.c.id, mails.c.key).where(old).limit(_AT_ONCE))]


async def erase_mail(unit: Unit, mail_id: int) -> None:
    """That an e-mail came, and to which ticket it led, is kept."""
    nothing: dict[str, Any] = {"sender": "", "subject": "", "body": "", "attachments": [], "copied": []}
    await unit.execute(update(mails).where(mails.c.id == mail_id).values(nothing))


async def inbound_texts(unit: Unit, before: datetime) -> int:
    """Erase text messages that came in. How many."""
    return _count(await unit.execute(delete(texts).where(texts.c.at < before)))


async def listened(unit: Unit, before: datetime) -> int:
    """Erase listenings. How many."""
    return _count(await unit.execute(delete(listenings).where(listenings.c.at < before)))


async def audited(unit: Unit, before: datetime) -> int:
    """Erase what was done with the console's accounts. How many."""
    return _count(await unit.execute(delete(audit).where(audit.c.at < before)))


async def followers(unit: Unit, before: datetime) -> int:
    """Erase who followed incidents that were resolved before then, and so are closed. How many."""
    over = select(incidents.c.id).where(incidents.c.resolved_at < before)
    done = await unit.execute(delete(incident_followers).where(incident_followers.c.incident_id.in_(over)))
    return _count(done)


def _some(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """At most so many at once as a statement takes."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _count(done: Any) -> int:
    return int(done.rowcount)
