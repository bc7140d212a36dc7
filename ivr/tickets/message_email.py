"""The e-mail that tells a department of a voice message (OV-8)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ivr import wording
from ivr.notify.outbox import Email
from ivr.tickets.intake import Intake, Notice, VoiceMessage

_WORDS = wording.texts("tickets.message")


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
