"""What has to be told to somebody, written in the transaction of what it tells. Sending is another's part."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import getaddresses

from sqlalchemy import insert

from ivr.notify.rules import LIFETIME
from ivr.notify.tables import outbox
from ivr.store.engine import Unit

#: Would end a header line of the e-mail and begin another one (RFC 5322 section 2.2).
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


#: Made once: making it costs more than running it.
_INSERT = insert(outbox)


def header_text(text: str) -> str:
    """Fit for one header line."""
    return _CONTROL.sub(" ", text).strip()[:500]


@dataclass(frozen=True, kw_only=True)
class Email:
    """One e-mail; the subject is made fit for a header line when it is put into the outbox.

    `to` may name several recipients, apart by commas: each gets an e-mail of their own and sees no other.
    """

    to: str
    subject: str
    body: str
    language: str
    ticket_number: int | None = None
    #: Where it can be unsubscribed from with one click (RFC 8058).
    leave_url: str | None = None


async def put_email(unit: Unit, email: Email, *, at: datetime) -> None:
    """Have an e-mail sent once this transaction is committed."""
    subject = header_text(email.subject)
    for recipient in recipients_of(email.to):
        await _put(
            unit, "email", recipient, subject, email.body, email.language, email.ticket_number, at, email.leave_url
        )


def recipients_of(text: str) -> list[str]:
    """Every address in a header's text, once; the text itself when it holds none, so that its refusal is seen."""
    found = [address for _, address in getaddresses([header_text(text)]) if address]
    return list(dict.fromkeys(found)) or [header_text(text)[:254]]


@dataclass(frozen=True, kw_only=True)
class Sms:
    """One text message. `to` is E.164 digits without the plus sign."""

    to: str
    body: str
    language: str
    ticket_number: int | None = None


async def put_sms(unit: Unit, sms: Sms, *, at: datetime) -> None:
    """Have a text message sent once this transaction is committed."""
    await _put(unit, "sms", sms.to, "", sms.body, sms.language, sms.ticket_number, at)


async def put_statuspage(unit: Unit, page: str, *, subject: str, body: str, key: str, at: datetime) -> None:
    """Have an update pushed to a page at Statuspage once this transaction is committed; `key` makes it one."""
    values = {"kind": "statuspage", "recipient": page, "subject": header_text(subject), "body": body, "language": ""}
    values |= {"state": "pending", "key": key}
    moments = {"created_at": at, "next_at": at, "expires_at": at + LIFETIME["statuspage"]}
    await unit.execute(unit.insert(outbox).values(values | moments).on_conflict_do_nothing())


async def _put(
    unit: Unit,
    kind: str,
    recipient: str,
    subject: str,
    body: str,
    language: str,
    ticket_number: int | None,
    at: datetime,
    leave_url: str | None = None,
) -> None:
    values = {
        "kind": kind,
        "recipient": recipient,
        "subject": subject,
        "body": body,
        "language": language,
        "ticket_number": ticket_number,
        "leave_url": leave_url,
        "state": "pending",
        "created_at": at,
        "key": secrets.token_hex(16),
        "next_at": at,
        "expires_at": at + LIFETIME[kind],
    }
    await unit.execute(_INSERT, values)
