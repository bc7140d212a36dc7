"""Finds the place of an e-mail that came in: the ticket that it continues, a new one, or none. It changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from ivr.directory.store import writes_for
from ivr.mail import store
from ivr.mail.parser import Mail
from ivr.mail.quoting import only_thanks
from ivr.mail.rules import Automatic, tickets_meant, wants_no_answer
from ivr.store.engine import Unit
from ivr.tickets.model import Ticket

Outcome = Literal["opened", "continued", "noted", "held", "ignored", "unreadable", "refused"]
#: Within an hour so many may answer at once what we send by ourselves; whoever does so more often is a program.
_AT_ONCE: Final = 2
_LOOP: Final = timedelta(hours=1)

#: A ticket by its number, locked where it may be changed.
GetTicket = Callable[[Unit, int], Awaitable[Ticket | None]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an e-mail goes; `ticket` is None for a new one, and for none."""

    outcome: Outcome
    ticket: Ticket | None = None
    reason: str | None = None


async def place(
    unit: Unit, mail: Mail, program: Automatic | None, *, domain: str, now: datetime, get: GetTicket
) -> Place:
    """Onto the ticket it is about, when its sender may write to that one; else onto a new one, if a person wrote it."""
    if program is not None and not program.noted:
        return Place(outcome="ignored", reason=program.reason)
    quiet = _only_noted(mail, program)
    reason = None
    for number, copied in (await _candidates(unit, mail, domain)).items():
        ticket = await get(unit, number)
        if ticket is None:
            continue
        if not (copied and mail.vouched) and not await entitled(unit, ticket, mail):
            reason = f"its sender may not write to ticket {number}"
        elif quiet is not None:
            return Place(outcome="noted", ticket=ticket, reason=quiet)
        elif ticket.status == "closed":
            reason = f"ticket {number} is closed"
            if (following := await _following(unit, mail, reason, get)) is not None:
                return Place(outcome="continued", ticket=following, reason=reason)
        else:
            return Place(outcome="continued", ticket=ticket)
    if program is not None:
        return Place(outcome="ignored", reason=program.reason)
    return await _held(unit, mail, now=now, get=get) or Place(outcome="opened", reason=reason)


def _only_noted(mail: Mail, program: Automatic | None) -> str | None:
    """Return why it changes no ticket's status; None when it may."""
    if program is not None:
        return program.reason
    if mail.reaction:
        return "it is a reaction of a mail program's"
    if wants_no_answer(mail):
        return "its sender wants no automatic answer (X-Auto-Response-Suppress)"
    name = f"{mail.sender_name} {mail.sender.partition('@')[0]}"
    if not mail.attachments and only_thanks(mail.body, name):
        return "it only says thanks"
    return None


async def _candidates(unit: Unit, mail: Mail, domain: str) -> dict[int, bool]:
    """Tickets that it may be about, the most likely first, and whether it was sent to its sender too."""
    found = dict.fromkeys(tickets_meant(mail, domain), False)
    if mail.references:
        for row in await store.with_message_ids(unit, mail.references.split()[-20:]):
            number = row["ticket_number"]
            found[number] = found.get(number, False) or mail.sender in row["copied"]
    return found


async def entitled(unit: Unit, ticket: Ticket, mail: Mail) -> bool:
    """Return whether its sender may write to the ticket: its requester, or one of its account's (OV-20)."""
    if not mail.vouched:
        return False
    if ticket.requester_email is not None and ticket.requester_email.lower() == mail.sender:
        return True
    return ticket.customer_id is not None and await writes_for(unit, ticket.customer_id, mail.sender)


async def _following(unit: Unit, mail: Mail, reason: str, get: GetTicket) -> Ticket | None:
    """The ticket that an earlier answer of theirs to a closed one opened, unless that is closed too."""
    number = await store.opened_by(unit, mail.sender, reason=reason)
    ticket = await get(unit, number) if number is not None else None
    if ticket is not None and ticket.status != "closed":
        return ticket
    return None


async def _held(unit: Unit, mail: Mail, *, now: datetime, get: GetTicket) -> Place | None:
    """With the last ticket of whoever answers each of our e-mails at once: two programs would go on for ever."""
    since = now - _LOOP
    if await store.answers_at_once(unit, mail.sender, since=since, now=now) <= _AT_ONCE:
        return None
    number = await store.opened_by(unit, mail.sender, since=since)
    ticket = await get(unit, number) if number is not None else None
    if ticket is None:
        return None
    return Place(outcome="held", ticket=ticket, reason="it answers our automatic e-mails at once, again and again")
