"""The e-mails of a ticket's life: to the requester at every step (OV-18), to staff and partners when they must act.

A requester reads them in the ticket's language, staff and partners in French.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ivr.directory.model import Partner
from ivr.notify.outbox import Email
from ivr.tickets.kinds import Missing
from ivr.tickets.model import Status, Ticket
from ivr.tickets.service_requests import Quote, Said
from ivr.tickets.sla import Alarm

_STEPS: dict[str, dict[Status, str]] = {
    "fr": {
        "new": "Votre demande a été reçue.",
        "documented": "Votre demande est documentée ; un technicien y répondra.",
        "in-progress": "Un technicien travaille à votre demande.",
        "waiting-requester": "Nous attendons une réponse de votre part.",
        "waiting-partner": "Votre demande est entre les mains de votre partenaire.",
        "waiting-supplier": "Nous attendons une réponse d’un fournisseur.",
        "resolved": "Votre demande est résolue.",
        "closed": "Votre billet est fermé.",
        "reopened": "Votre billet est ouvert de nouveau.",
    },
    "en": {
        "new": "Your request has been received.",
        "documented": "Your request is documented; a technician will answer it.",
        "in-progress": "A technician is working on your request.",
        "waiting-requester": "We are waiting for an answer from you.",
        "waiting-partner": "Your request is in the hands of your partner.",
        "waiting-supplier": "We are waiting for an answer from a supplier.",
        "resolved": "Your request is resolved.",
        "closed": "Your ticket is closed.",
        "reopened": "Your ticket is open again.",
    },
}
_WORDS = {
    "fr": {
        "subject": "Billet {number} : {service}",
        "missing": "Pour aller plus loin, il nous manque :",
        "reason": "Motif : {text}",
        "solution": "Solution : {text}",
        "request": "votre demande",
        "fees": "Frais, avant taxes :",
        "total": "total",
        "colon": " : ",
    },
    "en": {
        "subject": "Ticket {number}: {service}",
        "missing": "To go on, we still need:",
        "reason": "Reason: {text}",
        "solution": "Solution: {text}",
        "request": "your request",
        "fees": "Fees, before tax:",
        "total": "total",
        "colon": ": ",
    },
}
#: What may be asked of a requester, in their words.
_ASKED = {
    "fr": {
        "requester_name": "votre nom",
        "requester_phone": "votre numéro de téléphone ou votre adresse de courriel",
        "requester_email": "votre adresse de courriel",
        "account_number": "le numéro ou le nom de votre compte",
        "account_name": "le nom de votre compte",
        "service": "le service ou la fonctionnalité",
        "observed": "le comportement observé",
        "examples": "deux ou trois exemples précis (heure, date, poste, numéro)",
        "expected": "le comportement attendu",
        "impact": "l’impact (un ou plusieurs employés)",
        "mac": "l’adresse MAC de l’appareil",
        "attempted": "les solutions tentées",
        "details.start": "la date et l’heure prévues",
        "details.work": "le type : nouvelle installation ou déménagement",
        "details.description": "la description des travaux",
        "details.help": "l’assistance demandée",
        "details.use_cases": "des cas d’utilisation détaillés",
        "details.transfer_to": "le compte ou le fournisseur qui reçoit les numéros",
        "details.numbers": "les numéros transférés",
        "details.remove_on": "la date du retrait",
        "details.item": "l’appareil",
        "details.price": "le montant de l’achat",
        "details.received_on": "la date de réception du colis",
        "details.returned_on": "la date du retour",
        "details.diagnosed": "le diagnostic à distance",
        "details.invoice": "la facture d’achat",
        "details.number": "le numéro temporaire",
        "details.lent_on": "la date du prêt",
    },
    "en": {
        "requester_name": "your name",
        "requester_phone": "your telephone number or e-mail address",
        "requester_email": "your e-mail address",
        "account_number": "the number or name of your account",
        "account_name": "the name of your account",
        "service": "the service or feature",
        "observed": "what you observe",
        "examples": "two or three specific examples (time, date, extension, number)",
        "expected": "what you expect",
        "impact": "the impact (one or several employees)",
        "mac": "the device’s MAC address",
        "attempted": "what you have tried",
        "details.start": "the planned date and time",
        "details.work": "the type: new installation or move",
        "details.description": "a description of the work",
        "details.help": "the help you want",
        "details.use_cases": "detailed use cases",
        "details.transfer_to": "the account or provider that gets the numbers",
        "details.numbers": "the numbers to transfer",
        "details.remove_on": "the day of removal",
        "details.item": "the device",
        "details.price": "the price",
        "details.received_on": "the day the parcel came",
        "details.returned_on": "the day of the return",
        "details.diagnosed": "the remote diagnosis",
        "details.invoice": "the invoice",
        "details.number": "the temporary number",
        "details.lent_on": "the day it was lent",
    },
}
#: A number's signs in French.
_FRENCH = str.maketrans({",": "\u00a0", ".": ","})
_ALARMS = {
    ("tmr", "warning"): "TMR bientôt dépassé",
    ("tmr", "breach"): "TMR dépassé",
    ("tr", "warning"): "TR bientôt dépassé",
    ("tr", "breach"): "TR dépassé",
}


def step_email(
    ticket: Ticket,
    *,
    missing: Sequence[Missing] = (),
    reason: str | None = None,
    solution: str | None = None,
    quote: Quote | None = None,
) -> Email | None:
    """What the requester reads about the ticket's present status; None when no address is known."""
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
    """What it costs and why, by when what must happen, and what else holds (OV-30 to OV-34)."""
    words = _WORDS[language]

    def said(text: Said) -> str:
        return text.fr if language == "fr" else text.en

    lines: list[str] = []
    if quote.refused is not None:
        lines += ["", said(quote.refused)]
    if quote.fees:
        fees = [f"– {said(fee.reason)}{words['colon']}{_money(fee.amount, language)}" for fee in quote.fees]
        total = [f"– {words['total']}{words['colon']}{_money(quote.total, language)}"] if len(fees) > 1 else []
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
    return f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"


def answer_email(ticket: Ticket, answer: str) -> Email | None:
    """A technician's own words to the requester; None when no address is known."""
    return _to_requester(ticket, answer)


def partner_email(ticket: Ticket, partner: Partner, why: str) -> Email | None:
    """Tells a partner that a ticket is theirs; None when no address is known."""
    if partner.email is None:
        return None
    lines = [f"Le billet {ticket.number} vous est confié ({why}).", "", *_facts(ticket)]
    return _email(ticket, partner.email, f"Billet {ticket.number} : {ticket.service or ticket.kind}", lines)


def alarm_email(ticket: Ticket, to: str, alarm: Alarm, *, level: int | None) -> Email:
    """Tells a department of a clock; `level` is where the ticket has gone on that account."""
    what = _ALARMS[alarm.clock, alarm.kind]
    moved = f" – passe au niveau {level}" if level is not None else ""
    lines = [f"{what} (niveau {alarm.level}){moved}.", "", *_facts(ticket)]
    return _email(ticket, to, f"Billet {ticket.number} : {what} (niveau {alarm.level}){moved}", lines)


def overdue_email(ticket: Ticket, to: str, zone: ZoneInfo) -> Email:
    """Tells staff that somebody who left a message out of hours was not answered by when they were promised."""
    until = f"{ticket.promised_at.astimezone(zone):%Y-%m-%d à %H:%M}" if ticket.promised_at is not None else "–"
    lines = [
        f"Le message vocal est sans réponse ; elle était promise pour le {until} au plus tard.",
        "",
        *_facts(ticket),
    ]
    return _email(ticket, to, f"Billet {ticket.number} : réponse promise et dépassée", lines)


def _facts(ticket: Ticket) -> list[str]:
    facts = {
        "Compte": " – ".join(part for part in (ticket.account_number, ticket.account_name) if part),
        "Demandeur": ticket.requester_name,
        "Téléphone": ticket.requester_phone,
        "Priorité": ticket.priority,
        "Service": ticket.service,
        "Observé": ticket.observed,
    }
    return [f"{name} : {value}" for name, value in facts.items() if value]


def _language(ticket: Ticket) -> str:
    return ticket.language if ticket.language in _WORDS else "fr"


def _to_requester(ticket: Ticket, body: str) -> Email | None:
    if ticket.requester_email is None:
        return None
    language = _language(ticket)
    words = _WORDS[language]
    subject = words["subject"].format(number=ticket.number, service=ticket.service or words["request"])
    return _email(ticket, ticket.requester_email, subject, [body], language)


def _email(ticket: Ticket, to: str, subject: str, lines: list[str], language: str = "fr") -> Email:
    body = "\n".join(lines).rstrip() + "\n"
    return Email(to=to, subject=subject, body=body, language=language, ticket_number=ticket.number)
