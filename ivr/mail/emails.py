"""What is written on account of e-mails that came in: to their senders, and to staff. Pure."""

from __future__ import annotations

from ivr import wording
from ivr.desk.schema import Desk
from ivr.mail.reasons import said
from ivr.notify.outbox import Email
from ivr.tickets.model import Ticket

_UNREADABLE = wording.texts("mail.unreadable")
_ENCRYPTED = wording.texts("mail.encrypted")
_TOLD = wording.texts("mail.told")


def unreadable_email(desk: Desk, to: str, phone: str) -> Email:
    """Asks somebody whose e-mail cannot be read to write again, in the desk's languages: theirs is not known."""
    spoken = [one for one in desk.languages if one in _UNREADABLE] or [wording.FIRST]
    subjects = [_UNREADABLE[one]["subject"].format(desk=desk.name) for one in spoken]
    bodies = [_UNREADABLE[one]["body"].format(phone=phone) for one in spoken]
    return Email(to=to, subject=subjects[0], body="\n\n–\n\n".join(bodies) + "\n", language=spoken[0])


def encrypted_email(ticket: Ticket, to: str) -> Email:
    """Asks for clear text, in the ticket's language."""
    language = wording.known(ticket.language)
    texts = _ENCRYPTED[language]
    subject = texts["subject"].format(number=ticket.number)
    return Email(to=to, subject=subject, body=texts["body"] + "\n", language=language, ticket_number=ticket.number)


def told_email(
    desk: Desk, outcome: str, *, sender: str, recipient: str, subject: str, reason: str, ticket: int | None = None
) -> Email:
    """Tells operations of an e-mail of which no ticket came by itself: `outcome` is unreadable, refused or held."""
    language = wording.known(desk.languages[0])
    words = _TOLD[language]
    mend = words[{"refused": "gone", "held": "joined"}.get(outcome, "kept")].format(ticket=ticket)
    facts = {"recipient": recipient, "subject": subject or "–", "reason": said(reason, language), "mend": mend}
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words[outcome].format(sender=sender or "–"),
        body=words["body"].format(**facts) + "\n",
        language=language,
    )
