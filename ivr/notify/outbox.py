"""What has to be told to somebody, written in the transaction of what it tells. Sending is another's part."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import getaddresses

from sqlalchemy import func, insert, select, update

from ivr.notify.delivery import LIFETIME
from ivr.notify.gsm import fit
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
    #: What it is about, when it can be withdrawn: as in page.17. Letters, digits, dots.
    about: str | None = None


async def put_sms(unit: Unit, sms: Sms, *, at: datetime) -> None:
    """Have a text message sent once this transaction is committed, in as few parts as it can be told in."""
    await _put(unit, "sms", sms.to, "", fit(sms.body), sms.language, sms.ticket_number, at, about=sms.about)


async def withdraw_sms(unit: Unit, about: str, *, to: str | None = None, at: datetime) -> None:
    """Nobody, or not the one at this number, needs to be told `about` this any more: what did not leave does not."""
    c = outbox.c
    told = (c.kind == "sms") & c.key.startswith(f"{about}.", autoescape=True)
    if to is not None:
        told &= c.recipient == to
    values = {"state": "withdrawn", "next_at": None, "lease": None, "leased_until": None}
    await unit.execute(update(outbox).where(told, c.state.in_(("pending", "leased"))).values(values))
    # Of these it is not known; one that turns out not to have left is not sent again.
    unsure = c.state.in_(("sending", "unknown", "reconciling"))
    await unit.execute(update(outbox).where(told, unsure).values(expires_at=at))


async def texts_since(unit: Unit, about: str, *, to: str | None = None, since: datetime) -> int:
    """How many text messages that are `about` something of this kind were put since then, for one number or for all;
    those that were withdrawn are not counted."""
    c = outbox.c
    mine = (c.kind == "sms") & c.key.startswith(f"{about}.", autoescape=True) & (c.created_at > since)
    if to is not None:
        mine &= c.recipient == to
    query = select(func.count()).select_from(outbox).where(mine, c.state != "withdrawn")
    found: int = (await unit.execute(query)).scalar_one()
    return found


async def put_statuspage(unit: Unit, page: str, *, subject: str, body: str, key: str, at: datetime) -> None:
    """Have an update pushed to a page at Statuspage once this transaction is committed; `key` makes it one."""
    values = {"kind": "statuspage", "recipient": page, "subject": header_text(subject), "body": body, "language": ""}
    values |= {"state": "pending", "key": key}
    moments = {"created_at": at, "next_at": at, "expires_at": at + LIFETIME["statuspage"]}
    await unit.execute(unit.insert(outbox).values(values | moments).on_conflict_do_nothing())


async def _put(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    kind: str,
    recipient: str,
    subject: str,
    body: str,
    language: str,
    ticket_number: int | None,
    at: datetime,
    leave_url: str | None = None,
    about: str | None = None,
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
        "key": f"{about}.{secrets.token_hex(16)}" if about is not None else secrets.token_hex(16),
        "next_at": at,
        "expires_at": at + LIFETIME[kind],
    }
    await unit.execute(_INSERT, values)
