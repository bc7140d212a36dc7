"""The e-mail that tells a department of a voice message (OV-8)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ivr.notify.outbox import Email
from ivr.tickets.intake import Intake, Notice, VoiceMessage

_WORDS = {
    "fr": {
        "subject": "Billet {number} : message vocal – {department}",
        "urgent": "URGENT – Billet {number} : message vocal – {department}",
        "title": "Un message vocal a été laissé pour {department} ({desk}).",
        "title-urgent": "Un message vocal d’urgence a été laissé pour {department} ({desk}).",
        "ticket": "Billet : {number}",
        "at": "Reçu le : {at:%Y-%m-%d à %H:%M} ({zone})",
        "length": "Durée : {seconds:.0f} s",
        "until": "À répondre au plus tard : {until:%Y-%m-%d à %H:%M}",
        "phone": "Téléphone : {phone}",
        "name": "Nom : {name}",
        "account": "Compte : {account}",
        "unknown": "inconnu",
    },
    "en": {
        "subject": "Ticket {number}: voice message – {department}",
        "urgent": "URGENT – Ticket {number}: voice message – {department}",
        "title": "A voice message was left for {department} ({desk}).",
        "title-urgent": "An emergency voice message was left for {department} ({desk}).",
        "ticket": "Ticket: {number}",
        "at": "Received: {at:%Y-%m-%d at %H:%M} ({zone})",
        "length": "Length: {seconds:.0f} s",
        "until": "To be answered by: {until:%Y-%m-%d at %H:%M}",
        "phone": "Telephone: {phone}",
        "name": "Name: {name}",
        "account": "Account: {account}",
        "unknown": "unknown",
    },
}


def message_email(intake: Intake, message: VoiceMessage, notice: Notice, number: int) -> Email:
    """In the department's language, English when there are no words for it."""
    words = _WORDS.get(notice.language, _WORDS["en"])
    requester, until = intake.requester, intake.promise.until
    account = " – ".join(part for part in (requester.account_number, requester.account_name) if part)
    facts = {
        "number": number,
        "department": notice.department_name,
        "desk": notice.desk_name,
        "at": intake.at.astimezone(ZoneInfo(notice.timezone)),
        "zone": notice.timezone,
        "seconds": message.seconds,
        "until": until.astimezone(ZoneInfo(notice.timezone)) if until is not None else None,
        "phone": message.number or message.endpoint or words["unknown"],
        "name": requester.name or words["unknown"],
        "account": account or words["unknown"],
    }
    title = words["title-urgent" if message.urgent else "title"]
    told = ("ticket", "at", *(("until",) if until is not None else ()), "length", "phone", "name", "account")
    lines = [title, "", *(words[name] for name in told)]
    return Email(
        to=notice.recipient,
        subject=words["urgent" if message.urgent else "subject"].format(**facts),
        body="\n".join(lines).format(**facts) + "\n",
        language=notice.language if notice.language in _WORDS else "en",
        ticket_number=number,
    )
