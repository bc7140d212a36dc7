"""The e-mails of a call trace: to support and the partner (OV-21), to the requester (OV-18), to operations."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ivr import wording
from ivr.calltrace.intake import TraceIntake
from ivr.calltrace.rules import Shared
from ivr.notify.outbox import Email
from ivr.quality import words

_WORDS = wording.texts("calltrace.emails")


def summary(intake: TraceIntake, language: str) -> str:
    """The verdict with its reasons, for the ticket."""
    found = _WORDS[words.language_of(language)]
    mos = _mos(intake, language)
    lines = [found["mos"].format(mos=mos), words.cause_text(intake.verdict, language)]
    return "\n".join([*lines, *words.reason_texts(intake.verdict, language)])


def _mos(intake: TraceIntake, language: str) -> str:
    if intake.mos is None:
        return _WORDS[words.language_of(language)]["unknown"]
    text = f"{intake.mos:.1f}"
    if language == "fr":
        return text.replace(".", ",")
    return text


def page_of(trace_id: str, public_url: str) -> str:
    """Return where staff see a report, in a browser; without `public_url` the path alone."""
    return f"{public_url}/console/traces/{trace_id}/report"


def partners_page_of(trace_id: str, public_url: str) -> str:
    """Return where the partner sees it."""
    return f"{public_url}/console/portal/traces/{trace_id}/report"


def emails(
    intake: TraceIntake, *, trace_id: str, number: int, unanswered: bool, anew: bool = False, public_url: str = ""
) -> list[Email]:
    """To the department and the partner, in staff's language, and to the requester in their own.

    `anew`: they have been told another finding before. `public_url` is where readers find us.
    """
    staff = words.language_of(intake.notice.language)
    found = _WORDS[staff]
    requester = intake.requester
    zone = ZoneInfo(intake.notice.timezone)
    account = " – ".join(part for part in (requester.account_number, requester.account_name) if part)
    facts = {
        "number": number,
        "who": requester.account_name or intake.device,
        "priority": intake.priority,
        "account": account or found["unknown"],
        "device": intake.device,
        "other": intake.other or found["unknown"],
        "started": f"{intake.started.astimezone(zone):%H:%M:%S}" if intake.started else found["unknown"],
        "at": intake.at.astimezone(zone),
        "zone": intake.notice.timezone,
        "mos": _mos(intake, staff),
        "verdict": words.cause_text(intake.verdict, staff),
        "confidence": f"{intake.confidence * 100:.0f}" + (" %" if staff == "fr" else "%"),
        "advice": words.advice(intake.verdict, staff),
    }
    names = [
        "title",
        *(["anew"] if anew else []),
        *(["unanswered"] if unanswered else []),
        "ticket",
        "account",
        "device",
        "at",
        "mos",
        "verdict",
    ]
    lines = [found[name].format(**facts) for name in names]
    lines += words.reason_texts(intake.verdict, staff)
    if facts["advice"]:
        lines.append(found["advice"].format(**facts))
    subject = found["subject"].format(**facts)
    to = [(intake.notice.recipient, page_of(trace_id, public_url))]
    if intake.partner is not None and intake.partner.email is not None:
        to.append((intake.partner.email, partners_page_of(trace_id, public_url)))
    told = []
    for one, page in to:
        body = "\n".join([*lines, found["report"].format(page=page), ""])
        told.append(Email(to=one, subject=subject, body=body, language=staff, ticket_number=number))
    if requester.email:
        own = words.language_of(intake.language)
        texts = _WORDS[own]
        body = (
            texts["own-anew" if anew else "own"]
            + "\n"
            + texts["ticket"].format(number=number, priority=intake.priority)
            + "\n"
        )
        if advised := words.advice(intake.verdict, own):
            body += texts["advice"].format(advice=advised) + "\n"
        subject = texts["own-subject"].format(number=number)
        told.append(Email(to=requester.email, subject=subject, body=body, language=own, ticket_number=number))
    return told


def together_email(shared: Shared, recipient: str, language: str, lines: Sequence[str]) -> Email:
    """Several reports that may be one incident, with the list of them."""
    language = words.language_of(language)
    found = _WORDS[language]
    facts = {"count": len(shared.traces), "by": found[shared.by], "value": shared.value}
    body = "\n".join([found["together"].format(**facts), "", *lines, ""])
    return Email(to=recipient, subject=found["together-subject"].format(**facts), body=body, language=language)
