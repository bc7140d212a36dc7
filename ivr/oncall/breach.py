"""E-mails operations when an emergency is not taken within the promised half hour (OV-7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ivr import wording
from ivr.desk.schema import Desk
from ivr.notify.outbox import Email
from ivr.oncall.escalation import PROMISE
from ivr.oncall.store import Emergency
from ivr.tickets.model import Ticket

_WORDS = wording.texts("oncall.late")


def late_email(desk: Desk, emergency: Emergency, ticket: Ticket, *, bundled: Sequence[int] = ()) -> Email:
    """Return the e-mail in the desk's first language; `bundled` are the open tickets of a bundle."""
    language = desk.languages[0]
    facts = {
        "number": ticket.number,
        "id": emergency.id,
        "pages": emergency.pages,
        "left": emergency.left_at.astimezone(desk.zone),
        "until": (emergency.left_at + PROMISE).astimezone(desk.zone),
    }
    body = _WORDS[language]["body"].format(**facts)
    if len(bundled) > 1:
        body += _WORDS[language]["bundle"].format(count=len(bundled), first=bundled[0], last=bundled[-1])
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=_WORDS[language]["subject"].format(**facts),
        body=body,
        language=language,
        ticket_number=ticket.number,
    )


def is_late(emergency: Emergency, now: datetime) -> bool:
    """Return whether operations are to be told of it now."""
    return emergency.late_at is None and emergency.taken_at is None and now - emergency.left_at > PROMISE
