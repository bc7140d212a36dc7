"""Makes something of each e-mail that came in, once: a ticket, the continuation of one, or a line that says why not."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.desk.ticketing import Ticketing
from ivr.directory.book import Book
from ivr.directory.directory import Directory
from ivr.directory.people import Contact
from ivr.errors import OmnivigilError
from ivr.events import EventBus
from ivr.mail import store
from ivr.mail.parsed import Mail, parse
from ivr.mail.rules import automatic, tickets_meant
from ivr.notify.budgets import Budget, Draw, spend
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.tickets import editing
from ivr.tickets import store as ticket_statements
from ivr.tickets.ticket import Ticket

log = structlog.get_logger()

#: Who did it, in a ticket's history.
WHO: Final = "mail"
#: What an e-mail about a ticket makes of its status; a closed one is followed by a new one.
_ON_ANSWER: Mapping[str, str] = {"resolved": "reopened", "waiting-requester": "in-progress"}
#: Within an hour no more are taken, from one sender and from all.
_FROM_ONE: Final = 30
_FROM_ALL: Final = 600
#: E-mails that confirm a ticket: to one sender, to all of one domain, and in all. The ticket is opened all the same.
_CONFIRM_ONE: Final = Budget(name="mail-confirmed-one", most=5, within=timedelta(days=1))
_CONFIRM_DOMAIN: Final = Budget(name="mail-confirmed-domain", most=30, within=timedelta(hours=1))
_CONFIRM_ALL: Final = Budget(name="mail-confirmed-hour", most=120, within=timedelta(hours=1))
#: Characters of an e-mail that become a ticket's description.
_OBSERVED: Final = 20_000


class TooManyMails(OmnivigilError):
    """More e-mails came in than people write."""


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose address it is."""

    desk: str
    department: str
    language: str


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of an e-mail."""

    outcome: Literal["opened", "continued", "ignored"]
    ticket_number: int | None
    reason: str | None = None


def mailboxes(desks: Mapping[str, Desk]) -> dict[str, Mailbox]:
    """Every department's address, in lower case. Of two with one address the first desk's gets its e-mails."""
    found: dict[str, Mailbox] = {}
    for desk in desks.values():
        for name, department in desk.departments.items():
            box = Mailbox(desk=desk.id, department=name, language=desk.languages[0])
            found.setdefault(department.email.lower(), box)
    return found


class MailRoom:
    """Takes in e-mails for the departments' addresses."""

    def __init__(
        self,
        store_: Store,
        directory: Directory,
        desks: Mapping[str, Desk],
        *,
        folder: Path,
        domain: str,
        clock: Clock,
        bus: EventBus,
        sender: str | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        """E-mails are kept as they came in `folder`; `domain` is that of our Message-IDs, and `sender` the address that
        ours are from."""
        self._store = store_
        self._directory = directory
        self._desks = desks
        self._folder = folder
        self._domain = domain
        self._clock = clock
        self._bus = bus
        self._refusals = refusals or Refusals()
        self._sender = sender.lower() if sender is not None else None

    @property
    def mailboxes(self) -> dict[str, Mailbox]:
        """Every department's address."""
        return mailboxes(self._desks)

    @property
    def _ours(self) -> set[str]:
        """Nobody else writes from these."""
        return {*self.mailboxes, *([self._sender] if self._sender is not None else [])}

    async def take(self, content: bytes, *, return_path: str, recipients: Sequence[str]) -> Taken:
        """Return once it is committed; the same e-mail a second time changes nothing.

        Raises Unreadable, TooManyMails, StoreUnavailable, OSError: then nothing was done.
        """
        mail = await asyncio.to_thread(parse, content)
        recipient = next(address.lower() for address in recipients if address.lower() in self.mailboxes)
        reason = automatic(mail, return_path=return_path, domain=self._domain, ours=self._ours)
        async with self._store.reading() as unit:
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            await self._refuse_floods(unit, mail.sender)
        if reason is None:
            await asyncio.to_thread(keep, self._folder, mail.key, content)
        async with self._store.unit() as unit:
            await unit.alone("mail", mail.key)
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            taken = (
                Taken(outcome="ignored", ticket_number=None, reason=reason)
                if reason is not None
                else await self._place(unit, mail, self.mailboxes[recipient])
            )
            await self._note(unit, mail, recipient, len(content), taken)
        log.info("e-mail taken in", outcome=taken.outcome, ticket=taken.ticket_number, reason=taken.reason)
        return taken

    async def _refuse_floods(self, unit: Unit, sender: str) -> None:
        since = self._clock() - timedelta(hours=1)
        if await store.count_since(unit, since, sender) >= _FROM_ONE:
            raise TooManyMails(per_hour=_FROM_ONE)
        if await store.count_since(unit, since) >= _FROM_ALL:
            raise TooManyMails(per_hour=_FROM_ALL)

    async def _note(self, unit: Unit, mail: Mail, recipient: str, size: int, taken: Taken) -> None:
        at = self._clock()
        values = {
            "key": mail.key,
            "at": at,
            "sender": mail.sender,
            "recipient": recipient,
            "subject": mail.subject,
            "message_id": mail.message_id,
            "body": mail.body,
            "attachments": [asdict(one) for one in mail.attachments],
            "size": size,
            "outcome": taken.outcome,
            "reason": taken.reason,
            "ticket_number": taken.ticket_number,
        }
        mail_id = await store.add(unit, values)
        if taken.ticket_number is None:
            return
        ticket = await editing.get(unit, taken.ticket_number)
        version = ticket.version + 1
        await ticket_statements.change(unit, ticket.number, {"version": version, "updated_at": at})
        told = {"mail": mail_id, "from": mail.sender, "subject": mail.subject}
        await ticket_statements.add_event(
            unit, ticket.number, at=at, who=WHO, kind="mail", changes=told, version=version
        )
        after = (await editing.get(unit, ticket.number)).brief() | {"changed": ["mail"]}
        unit.afterwards(lambda: self._bus.publish("ticket.updated", at, after))

    async def _place(self, unit: Unit, mail: Mail, box: Mailbox) -> Taken:
        """Onto the ticket it is about, when its sender may write to that one; else onto a new one."""
        reason = None
        for number in tickets_meant(mail, self._domain):
            ticket = await ticket_statements.lock(unit, number)
            if ticket is None:
                continue
            if not await _entitled(unit, ticket, mail.sender):
                reason = f"its sender may not write to ticket {number}"
            elif ticket.status == "closed":
                reason = f"ticket {number} is closed"
            else:
                await self._answered(unit, ticket)
                return Taken(outcome="continued", ticket_number=number)
        ticket = await self._open(unit, mail, box)
        return Taken(outcome="opened", ticket_number=ticket.number, reason=reason)

    async def _answered(self, unit: Unit, ticket: Ticket) -> None:
        """What was done, or waited for this, is worked on again."""
        status = _ON_ANSWER.get(ticket.status)
        if status is not None:
            at, changes = self._clock(), {"status": status}
            await editing.change(
                unit,
                ticket.number,
                changes,
                who=WHO,
                at=at,
                seen_version=None,
                bus=self._bus,
                policy=self._desks[ticket.desk].tickets if ticket.desk in self._desks else Ticketing(),
                reason="the requester answered by e-mail",
                rights=False,
            )

    async def _open(self, unit: Unit, mail: Mail, box: Mailbox) -> Ticket:
        """A new ticket (OV-11) with the e-mail as what was observed (OV-12)."""
        book = self._directory.book
        contact = contact_of(book, mail.sender, self._desks[box.desk].provider)
        customer = book.customers.get(contact.customer_id) if contact is not None else None
        observed = "\n\n".join(part for part in (mail.subject, mail.body) if part)[:_OBSERVED]
        fields = {
            "kind": "request",
            "desk": box.desk,
            "department": box.department,
            "language": (contact.language if contact is not None else None) or box.language,
            "contact_id": contact.id if contact is not None else None,
            "requester_name": (contact.name if contact is not None else mail.sender_name) or None,
            "requester_phone": contact.phone if contact is not None else None,
            "requester_email": mail.sender,
            "account_number": customer.account if customer is not None else None,
            "account_name": customer.name if customer is not None else None,
            "account_address": customer.address if customer is not None else None,
            "account_phone": customer.phone if customer is not None else None,
            "observed": observed or None,
        }
        at = self._clock()
        # Whoever writes says who they are: an address that somebody else made up is not to be flooded by us.
        draws = (
            Draw(budget=_CONFIRM_ONE, subject=mail.sender),
            Draw(budget=_CONFIRM_DOMAIN, subject=mail.sender.rpartition("@")[2]),
            Draw(budget=_CONFIRM_ALL),
        )
        confirmed = await spend(unit, draws, now=at, refusals=self._refusals)
        ticket, _ = await editing.create(
            unit,
            fields,
            who=WHO,
            at=at,
            key=f"mail:{mail.key}",
            bus=self._bus,
            tell=confirmed,
            policy=self._desks[box.desk].tickets,
        )
        return ticket


def contact_of(book: Book, address: str, provider: str) -> Contact | None:
    """A provider's contact with this address; None when several customers have one, so that none is guessed."""
    own = (one for one in book.contacts.values() if one.provider == provider)
    found = [one for one in own if one.email is not None and one.email.lower() == address]
    return found[0] if len({one.customer_id for one in found}) == 1 else None


async def _entitled(unit: Unit, ticket: Ticket, sender: str) -> bool:
    """Whether this address may write to the ticket: its requester's, or one of its account's (OV-20)."""
    if ticket.requester_email is not None and ticket.requester_email.lower() == sender:
        return True
    return ticket.customer_id is not None and await store.may_continue(unit, ticket.customer_id, sender)


def _taken(row: Mapping[str, Any]) -> Taken:
    return Taken(outcome=row["outcome"], ticket_number=row["ticket_number"], reason=row["reason"])


def file_of(folder: Path, key: str) -> Path:
    """Where an e-mail is kept as it came."""
    return folder / f"{key}.eml"


def keep(folder: Path, key: str, content: bytes) -> None:
    """Write an e-mail to disk and wait until it is there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = file_of(folder, key)
    # The same e-mail may be delivered twice at once.
    begun = path.with_suffix(f".{secrets.token_hex(4)}.part")
    with begun.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    begun.replace(path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
