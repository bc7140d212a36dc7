"""A row of the outbox as an e-mail: plain and HTML, threaded by its ticket, and known to be from a program."""

from __future__ import annotations

import re
from datetime import UTC
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ivr import wording
from ivr.notify.store import Notice

_FOOTERS: Final = wording.texts("notify.footer")
#: Every server takes these (RFC 6152 is an extension).
_SEVEN_BITS: Final = SMTP.clone(cte_type="7bit")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,248}>")
_OURS: Final = re.compile(
    r"<(?:ticket\.(?P<number>\d{1,10})|(?:(?P<of>\d{1,10})\.)?notice\.[0-9a-zA-Z.-]+)@(?P<domain>[^<>@\s]+)>"
)


class NoAddress(ValueError):
    """The recipient is no e-mail address."""


def thread_id(ticket_number: int, domain: str) -> str:
    """The Message-ID that every e-mail about a ticket refers to (RFC 5322 section 3.6.4); none has it itself."""
    return f"<ticket.{ticket_number}@{domain}>"


def message_id(notice: Notice, domain: str) -> str:
    """The notice's Message-ID, the same at every attempt."""
    ticket = f"{notice.ticket_number}." if notice.ticket_number is not None else ""
    return f"<{ticket}notice.{notice.key}@{domain}>"


def is_ours(text: str, domain: str) -> bool:
    """Return whether a Message-ID is one that we made."""
    found = _OURS.fullmatch(text)
    return found is not None and found["domain"].lower() == domain.lower()


def tickets_referred_to(references: str, domain: str) -> list[int]:
    """Numbers of the tickets whose Message-IDs of ours are in In-Reply-To or References, the latest first."""
    numbers = [
        int(found["number"] or found["of"])
        for found in _OURS.finditer(references)
        if found["domain"].lower() == domain.lower() and (found["number"] or found["of"])
    ]
    return list(dict.fromkeys(reversed(numbers)))


def compose(
    notice: Notice, *, sender: str, sender_name: str, domain: str, replies: bool, answered: str | None = None
) -> EmailMessage:
    """The e-mail, for one recipient. `answered` is the Message-ID of what they last wrote about the ticket.

    Raises NoAddress.
    """
    message = EmailMessage(policy=_SEVEN_BITS)
    message["From"] = Address(sender_name, addr_spec=sender)
    message["To"] = _address(notice.recipient)
    message["Subject"] = notice.subject
    message["Date"] = format_datetime(notice.created_at.astimezone(UTC))
    message["Message-ID"] = message_id(notice, domain)
    if notice.ticket_number is not None:
        root = thread_id(notice.ticket_number, domain)
        known = None
        if answered is not None and _MESSAGE_ID.fullmatch(answered):
            known = answered
        message["In-Reply-To"] = known or root
        message["References"] = f"{root} {known}" if known else root
    # RFC 3834 section 5; the second one is what Exchange looks at.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if notice.leave_url is not None:
        # RFC 2369 section 3.2, and with one click: RFC 8058.
        message["List-Unsubscribe"] = f"<{notice.leave_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    language = notice.language if notice.language in _FOOTERS else "en"
    footer = _footer(language, notice.ticket_number, read=replies)
    text = notice.body.rstrip()
    message.set_content(f"{text}\n\n-- \n{footer}\n" if footer else f"{text}\n")
    paragraphs = [part.splitlines() for part in re.split(r"\n\s*\n", text)]
    html = _template().render(language=language, subject=notice.subject, paragraphs=paragraphs, footer=footer)
    message.add_alternative(html, subtype="html")
    # Last, for whatever sets contents removes headers of contents.
    message["Content-Language"] = language
    return message


def _footer(language: str, number: int | None, *, read: bool) -> str:
    if number is None:
        return ""
    return _FOOTERS[language]["read" if read else "unread"].format(number=number)


def _address(text: str) -> Address:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, HeaderParseError) as error:
        raise NoAddress(str(error)) from error
    if not address.username or not address.domain or not text.isprintable():
        raise NoAddress(text)
    return address


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("notice.html.j2")
