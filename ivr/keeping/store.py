"""The statements that erase. Each takes what is older than a moment, some hundred rows at once; repeating is harmless.

Tickets themselves stay: they are what was agreed with a customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select, update

from ivr.accounts.tables import audit
from ivr.callbacks.tables import callbacks
from ivr.calls.tables import call_events, call_legs, calls
from ivr.calltrace.tables import call_trace_evidence, call_traces
from ivr.incidents.tables import incident_followers, incidents
from ivr.listenings.tables import listenings
from ivr.mail.tables import mails
from ivr.notify.tables import outbox
from ivr.oncall.tables import emergencies
from ivr.store.engine import Unit
from ivr.tickets.tables import messages

#: What is still to leave is not erased.
_LEFT = ("sent", "delivered", "refused", "dead", "withdrawn")
_AT_ONCE = 500


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
    nothing = {"file": "", "number": None, "endpoint": None, "transcript": None}
    await unit.execute(update(messages).where(messages.c.id == message_id).values(nothing))
    await unit.execute(update(emergencies).where(emergencies.c.message_id == message_id).values(number=None))


async def calls_of(unit: Unit, desk: str, before: datetime) -> int:
    """Erase who called and what they did; that there was a call, when, and how it ended stays. How many."""
    told = exists().where(call_events.c.call_id == calls.c.id) | calls.c.ani.is_not(None)
    old = (calls.c.desk == desk) & (calls.c.started_at < before) & calls.c.ended_at.is_not(None) & told
    ids = list((await unit.execute(select(calls.c.id).where(old).limit(_AT_ONCE))).scalars())
    for table in (call_events, call_legs):
        await unit.execute(delete(table).where(table.c.call_id.in_(ids)))
    await unit.execute(update(calls).where(calls.c.id.in_(ids)).values(ani=None, identity={}, reason=None))
    return len(ids)


async def callbacks_of(unit: Unit, desk: str, before: datetime) -> int:
    """Erase the numbers of callbacks that are over. How many."""
    old = (callbacks.c.desk == desk) & (callbacks.c.requested_at < before) & callbacks.c.ended_at.is_not(None)
    done = await unit.execute(update(callbacks).where(old, callbacks.c.number != "").values(number="", identity={}))
    return _count(done)


async def traces(unit: Unit, before: datetime) -> int:
    """Erase the evidence of reported calls, and the other party's number; the verdict stays. How many."""
    ids = select(call_traces.c.id).where(call_traces.c.reported_at < before)
    done = await unit.execute(delete(call_trace_evidence).where(call_trace_evidence.c.trace_id.in_(ids)))
    old = (call_traces.c.reported_at < before) & call_traces.c.other.is_not(None)
    await unit.execute(update(call_traces).where(old).values(other=None, site=None))
    return _count(done)


async def notices(unit: Unit, before: datetime) -> int:
    """Erase what notices said and to whom, once they have left or been given up. How many."""
    old = (outbox.c.created_at < before) & outbox.c.state.in_(_LEFT) & (outbox.c.body != "")
    return _count(await unit.execute(update(outbox).where(old).values(recipient="", subject="", body="")))


async def mails_before(unit: Unit, before: datetime) -> list[tuple[int, str]]:
    """Ids and keys of e-mails that have to go."""
    old = (mails.c.at < before) & (mails.c.sender != "")
    return [(row.id, row.key) for row in await unit.execute(select(mails.c.id, mails.c.key).where(old).limit(_AT_ONCE))]


async def erase_mail(unit: Unit, mail_id: int) -> None:
    """That an e-mail came, and to which ticket it led, is kept."""
    nothing: dict[str, Any] = {"sender": "", "subject": "", "body": "", "attachments": []}
    await unit.execute(update(mails).where(mails.c.id == mail_id).values(nothing))


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


def _count(done: Any) -> int:
    return int(done.rowcount)
