"""The e-mails of a ticket's life: to the requester at every step (OV-18), to staff and partners when they must act.

A requester reads them in the ticket's language, staff in the desk's first one, a partner in their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import get_args
from zoneinfo import ZoneInfo

from ivr import wording
from ivr.directory.model import Partner
from ivr.notify.outbox import Email
from ivr.tickets.kinds import Missing
from ivr.tickets.model import Status, Ticket
from ivr.tickets.routing import Cause
from ivr.tickets.service_requests import Quote, Said
from ivr.tickets.sla import Alarm

_STEPS = wording.texts("tickets.steps", get_args(Status))
_WORDS = wording.texts("tickets.emails")
#: What may be asked of a requester, in their words.
_ASKED = wording.texts("tickets.fields")
#: A number's signs in French.
_FRENCH = str.maketrans({",": "\u00a0", ".": ","})
#: What staff and partners read.
_STAFF = wording.texts("tickets.staff")
_ALARMS = wording.texts("tickets.alarms")
_FACTS = wording.texts("tickets.facts")
_CAUSES = wording.texts("tickets.causes", get_args(Cause))


def step_email(
    ticket: Ticket,
    *,
    missing: Sequence[Missing] = (),
    reason: str | None = None,
    solution: str | None = None,
    quote: Quote | None = None,
) -> Email | None:
    """Return what the requester reads about the ticket's present status; None when no address is known."""
    language = _language(ticket)
    words, lines = _WORDS[language], [_STEPS[language][ticket.status]]
    if ticket.status == "new" and missing:
        asked = [_ASKED[language].get(one.field, one.field) for one in missing]
        lines += ["", words["missing"], *(f"– {one}" for one in asked)]
    if ticket.status in ("new", "documented") and quote is not None:
        lines += _quoted(quote, language)
    if ticket.status in ("closed", "waiting-requester") and reason:
        lines += ["", words["reason"].format(text=reason)]
    if ticket.status == "resolved" and solution:
        lines += ["", words["solution"].format(text=solution)]
    return _to_requester(ticket, "\n".join(lines))


def _quoted(quote: Quote, language: str) -> list[str]:
    """Return what it costs and why, by when what must happen, and what else holds (OV-30 to OV-34)."""
    words = _WORDS[language]

    def said(text: Said) -> str:
        if language == "fr":
            return text.fr
        return text.en

    lines: list[str] = []
    if quote.refused is not None:
        lines += ["", said(quote.refused)]
    if quote.fees:
        fees = [f"– {said(fee.reason)}{words['colon']}{_money(fee.amount, language)}" for fee in quote.fees]
        if len(fees) > 1:
            total = [f"– {words['total']}{words['colon']}{_money(quote.total, language)}"]
        else:
            total = []
        lines += ["", words["fees"], *fees, *total]
    dates = [f"– {said(one.what)}{words['colon']}{_day(one.at)}" for one in quote.deadlines]
    if dates or quote.conditions:
        lines += ["", *dates, *(f"– {said(one)}" for one in quote.conditions)]
    return lines


def _money(amount: Decimal, language: str) -> str:
    """As « −1 234,50 $ » or “−$1,234.50”."""
    sign, plain = "−" if amount < 0 else "", f"{abs(amount):,.2f}"
    if language == "fr":
        return f"{sign}{plain.translate(_FRENCH)}\u00a0$"
    return f"{sign}${plain}"


def _day(at: date) -> str:
    if isinstance(at, datetime):
        return f"{at:%Y-%m-%d %H:%M}"
    return f"{at:%Y-%m-%d}"


def answer_email(ticket: Ticket, answer: str) -> Email | None:
    """A technician's own words to the requester; None when no address is known."""
    return _to_requester(ticket, answer)


def partner_email(ticket: Ticket, partner: Partner, cause: Cause) -> Email | None:
    """Tells a partner that a ticket is theirs; None when no address is known."""
    if partner.email is None:
        return None
    language = wording.known(partner.language)
    words = _STAFF[language]
    lines = [words["partner"].format(number=ticket.number, why=_CAUSES[language][cause]), "", *_facts(ticket, language)]
    subject = words["partner-subject"].format(number=ticket.number, about=ticket.service or ticket.kind)
    return _email(ticket, partner.email, subject, lines, language)


def alarm_email(ticket: Ticket, to: str, alarm: Alarm, *, level: int | None, language: str) -> Email:
    """Return what tells a department of a clock, in its language; `level` is where the ticket has gone for it."""
    language = wording.known(language)
    words = _STAFF[language]
    what = _ALARMS[language][f"{alarm.clock}-{alarm.kind}"]
    moved = words["moved"].format(level=level) if level is not None else ""
    said = words["alarm"].format(what=what, level=alarm.level, moved=moved)
    subject = words["alarm-subject"].format(number=ticket.number, alarm=said)
    return _email(ticket, to, subject, [f"{said}.", "", *_facts(ticket, language)], language)


def overdue_email(ticket: Ticket, to: str, zone: ZoneInfo, *, language: str) -> Email:
    """Return what tells staff, in their language, that a promised answer to a message is late (OV-8)."""
    language = wording.known(language)
    words = _STAFF[language]
    promised = ticket.promised_at
    if promised is not None:
        until = words["moment"].format(at=promised.astimezone(zone))
    else:
        until = "–"
    lines = [words["overdue"].format(until=until), "", *_facts(ticket, language)]
    return _email(ticket, to, words["overdue-subject"].format(number=ticket.number), lines, language)


def _facts(ticket: Ticket, language: str) -> list[str]:
    names, colon = _FACTS[language], _WORDS[language]["colon"]
    facts = {
        "account": " – ".join(part for part in (ticket.account_number, ticket.account_name) if part),
        "requester": ticket.requester_name,
        "phone": ticket.requester_phone,
        "priority": ticket.priority,
        "service": ticket.service,
        "observed": ticket.observed,
    }
    return [f"{names[name]}{colon}{value}" for name, value in facts.items() if value]


def _language(ticket: Ticket) -> str:
    return wording.known(ticket.language)


def _to_requester(ticket: Ticket, body: str) -> Email | None:
    if ticket.requester_email is None:
        return None
    language = _language(ticket)
    words = _WORDS[language]
    subject = words["subject"].format(number=ticket.number, service=ticket.service or words["request"])
    return _email(ticket, ticket.requester_email, subject, [body], language)


def _email(ticket: Ticket, to: str, subject: str, lines: list[str], language: str) -> Email:
    body = "\n".join(lines).rstrip() + "\n"
    return Email(to=to, subject=subject, body=body, language=language, ticket_number=ticket.number)
