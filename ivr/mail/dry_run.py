"""What the line would make of an e-mail that somebody has in a file, told to an operator; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from ivr.clock import Clock
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.directory.lookup import Directory
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.mail.ingest import Looked, MailRoom, contact_of
from ivr.mail.mailboxes import domain_of
from ivr.mail.parser import Mail, Unreadable, glimpse, parse
from ivr.mail.quoting import fold
from ivr.mail.thread_matching import Place
from ivr.notify.config import NoticeConfig
from ivr.store.engine import Store

#: Lines of a text that are told.
_LINES: Final = 60
_BECOMES: Final[Mapping[str, str]] = {
    "opened": "a new ticket",
    "continued": "joins ticket {number}, which is worked on again if it was resolved or waited for this",
    "noted": "noted on ticket {number}, whose status stays",
    "held": "held with ticket {number}, without an answer",
    "ignored": "left alone",
}


async def of_mail(
    content: bytes, store: Store, desks: Mapping[str, Desk], config: NoticeConfig, clock: Clock
) -> list[str]:
    """Return who wrote it, what becomes of it and why, its text and what is attached.

    Raises Unreadable, told with `of_unreadable`.
    """
    mail = parse(content, config.mail_largest)
    directory = Directory(store)
    try:
        await directory.reload()
    except (Unavailable, SQLAlchemyError):
        return [*_facts(mail), "Account: not known, for the database does not answer", *_contents(mail)]
    desk = main_of(desks)
    room = MailRoom(
        store,
        directory,
        desks,
        folder=Path(),
        domain=domain_of(desk, config),
        clock=clock,
        bus=EventBus(),
        sender=config.smtp.sender if config.smtp else None,
        largest=config.mail_largest,
    )
    recipients = [one for one in mail.copied if one in room.mailboxes] or [desk.departments[desk.menu.operator].email]
    looked = room.look(mail, return_path=mail.marks.get("return-path", mail.sender), recipients=recipients)
    async with store.reading() as unit:
        place = await room.foretell(unit, looked)
    return [*_facts(mail), *_judged(mail, looked, place, directory, desks), *_contents(mail)]


def of_unreadable(content: bytes, error: Unreadable) -> Iterator[str]:
    """Return what is told of an e-mail that cannot be read."""
    seen = glimpse(content)
    yield f"Subject: {seen.subject or '–'}"
    yield f"Becomes: kept as unreadable, and staff are told: {error.facts['problem']}"


def _facts(mail: Mail) -> Iterator[str]:
    yield f"From: {mail.sender}" + (f" ({mail.sender_name})" if mail.sender_name else "")
    yield f"Subject: {mail.subject or '–'}"


def _judged(mail: Mail, looked: Looked, place: Place, directory: Directory, desks: Mapping[str, Desk]) -> Iterator[str]:
    writer, box = looked.mail, looked.box
    if writer.sender != mail.sender:
        yield f"Written by: {writer.sender}" + ("" if writer.vouched else ", who has no rights by that")
    contact = contact_of(directory.book, writer.sender, desks[box.desk].provider)
    customer = None
    if contact is not None:
        customer = directory.book.customers.get(contact.customer_id)
    if customer is not None:
        account = f"{customer.account} {customer.name}"
    else:
        account = "unknown"
    yield f"Account: {account}" + (f", contact {contact.name}" if contact is not None else "")
    yield f"Department: {box.department} of {box.desk}"
    number = place.ticket.number if place.ticket is not None else None
    yield f"Becomes: {_BECOMES[place.outcome].format(number=number)}"
    if place.reason is not None:
        yield f"Because: {place.reason}"
    if writer.encrypted:
        yield "Encrypted: its sender is asked for clear text"


def _contents(mail: Mail) -> Iterator[str]:
    for nth, one in enumerate(mail.attachments, 1):
        yield f"Attachment {nth}: {one.name}, {one.type}, {one.size} bytes"
    folded = fold(mail.body, mail.sender_name)
    for heading, text in (("Text", folded.own), ("Folded away", folded.rest)):
        lines = text.strip("\n").split("\n") if text.strip() else []
        if lines:
            yield f"{heading}:"
            yield from (f"  {line}" for line in lines[:_LINES])
            if len(lines) > _LINES:
                yield f"  … and {len(lines) - _LINES} lines more"
