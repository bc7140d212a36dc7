"""The phones as Asterisk's configuration needs them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ivr.directory.model import MAIN, Endpoint
from ivr.directory.sip_passwords import RETIRED
from ivr.directory.snapshot import Book
from ivr.numbers.calling_rights import Right, rights_of

#: Signs that end or change a value in Asterisk's configuration files, and what would be replaced in its dialplan.
_MEANT = re.compile(r'[\x00-\x1f\x7f\x85\u2028\u2029"<>\[\]\\;]|\$(?=[{\[])')

#: What phones of our own people may dial.
_STAFF: tuple[Right, ...] = ("local", "toll-free", "national")


@dataclass(frozen=True, kw_only=True)
class PhoneRow:
    """One SIP account. `ha1` is MD5 of name:omnivigil:password, in hex (RFC 2617 section 3.2.2.2)."""

    name: str
    ha1: str
    #: customer, technician or department
    kind: str
    language: str
    caller_id: str
    #: What it may dial beyond our own numbers.
    rights: tuple[Right, ...]
    #: The number, E.164 digits, by which the outside reaches it; empty for none.
    did: str
    #: The name shown to whoever is called; without signs that mean something to Asterisk.
    display: str
    #: What it may speak with; empty for the line's own choice.
    codecs: tuple[str, ...] = ()
    #: udp or tcp, by which it is rung; empty for that by which it registered.
    transport: str = ""
    #: At most so many calls that it makes at a time; None for no limit of its own.
    call_limit: int | None = None
    #: At most so many devices that are registered with it at a time.
    devices: int = 2


def phone_rows(book: Book) -> list[PhoneRow]:
    """Every phone that has a password, by name.

    A number of two providers' is reached at one of them: the main one, else the first by name.
    """
    reached: dict[str, str] = {}
    for phone in book.endpoints.values():
        if book.number(phone.caller_id, phone.provider) is not None:
            mine, other = phone.provider, reached.get(phone.caller_id, phone.provider)
            reached[phone.caller_id] = min(mine, other, key=lambda provider: (provider != MAIN, provider))
    return [
        PhoneRow(
            name=phone.name,
            ha1=phone.ha1,
            kind=phone.kind,
            language=phone.language,
            caller_id=phone.caller_id,
            rights=_rights(book, phone),
            did=phone.caller_id if reached.get(phone.caller_id) == phone.provider else "",
            display=_MEANT.sub(" ", phone.display).strip(),
            codecs=phone.codecs,
            transport=phone.transport or "",
            call_limit=phone.call_limit,
            devices=phone.devices,
        )
        for phone in sorted(book.endpoints.values(), key=lambda phone: phone.name)
        if not phone.ha1.startswith(RETIRED)
    ]


def _rights(book: Book, phone: Endpoint) -> tuple[Right, ...]:
    if phone.customer_id is None:
        # A customer's phone that is nobody's, as a partner's own, calls the line and our other phones.
        if phone.kind != "customer":
            return _STAFF
        return ()
    customer = book.customers.get(phone.customer_id)
    if customer is not None:
        return rights_of(customer.dial_rights)
    return ()
