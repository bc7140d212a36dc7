"""Makes something of each e-mail that came in, once: a ticket, a word on one, or a line that says why not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from ivr.clock import Clock
from ivr.desk.schema import Desk
from ivr.directory.lookup import Directory
from ivr.directory.model import Contact
from ivr.directory.snapshot import Book
from ivr.errors import OmnivigilError
from ivr.events import EventBus
from ivr.mail import store
from ivr.mail.archive import keep
from ivr.mail.emails import encrypted_email, told_email, unreadable_email
from ivr.mail.mailboxes import Mailbox, mailboxes, written_number
from ivr.mail.parser import LARGEST, Mail, Unreadable, glimpse, parse
from ivr.mail.rules import Automatic, automatic, behind, comes_by_ours, wants_no_answer
from ivr.mail.senders import one_address
from ivr.mail.thread_matching import GetTicket, Outcome, Place, place
from ivr.notify.budgets import Budget, Draw, spend
from ivr.notify.outbox import put_email
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.tickets import service
from ivr.tickets import store as ticket_statements
from ivr.tickets.model import Ticket

log = structlog.get_logger()

#: Who did it, in a ticket's history.
WHO: Final = "mail"
#: What an e-mail about a ticket makes of its status; a closed one is followed by a new one.
_ON_ANSWER: Mapping[str, str] = {"resolved": "reopened", "waiting-requester": "in-progress"}
#: Within an hour no more are taken, from one sender and from all; and no more bytes.
_FROM_ONE: Final = 30
_FROM_ALL: Final = 600
_BYTES: Final = 4 * 1024 * 1024 * 1024
#: E-mails of ours that nobody asked for: to one sender, to all of one domain, and in all. The ticket is opened all the
#: same.
_CONFIRM_ONE: Final = Budget(name="mail-confirmed-one", most=5, within=timedelta(days=1))
_CONFIRM_DOMAIN: Final = Budget(name="mail-confirmed-domain", most=30, within=timedelta(hours=1))
_CONFIRM_ALL: Final = Budget(name="mail-confirmed-hour", most=120, within=timedelta(hours=1))
#: That their e-mail cannot be read is told to nobody twice a day, nor is it asked for twice in clear text.
_UNREAD_ONE: Final = Budget(name="mail-unreadable-one", most=1, within=timedelta(days=1))
_CLEAR_ONE: Final = Budget(name="mail-encrypted-one", most=1, within=timedelta(days=1))
#: What operations are told of e-mails, about one sender and in all.
_TOLD_ONE: Final = Budget(name="mail-told-one", most=3, within=timedelta(days=1))
_TOLD_ALL: Final = Budget(name="mail-told-hour", most=30, within=timedelta(hours=1))
#: Characters of an e-mail that become a ticket's description.
_OBSERVED: Final = 20_000
#: Of an e-mail larger than this, in bytes, one is read at a time, so that memory has a bound.
_LARGE: Final = 1024 * 1024


class TooManyMails(OmnivigilError):
    """More e-mails came in than people write."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of an e-mail."""

    outcome: Outcome
    ticket_number: int | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What is made of an e-mail before anything is done with it."""

    mail: Mail
    recipient: str
    box: Mailbox
    program: Automatic | None


class MailRoom:
    """Takes in e-mails for the departments' addresses."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
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
        largest: int = LARGEST,
    ) -> None:
        """E-mails are kept as they came in `folder`; `domain` is that of our Message-IDs, and `sender` the address that
        ours are from. The `largest` that is taken is in bytes."""
        self._store = store_
        self._directory = directory
        self._desks = desks
        self.folder = folder
        self.largest = largest
        self._domain = domain
        self._clock = clock
        self._bus = bus
        self._tickets = service.Tickets(desks=desks, bus=bus, clock=clock)
        self._refusals = refusals or Refusals()
        self._sender = sender.lower() if sender is not None else None
        self._one_large = asyncio.Lock()

    @property
    def mailboxes(self) -> dict[str, Mailbox]:
        """Every department's address."""
        return mailboxes(self._desks)

    @property
    def _ours(self) -> set[str]:
        """Nobody else writes from these."""
        return {*self.mailboxes, *([self._sender] if self._sender is not None else [])}

    @property
    def _lists(self) -> set[str]:
        """Lists that are an address of ours."""
        return {
            name.lower() for desk in self._desks.values() for one in desk.departments.values() for name in one.lists
        }

    async def take(self, content: bytes, *, return_path: str, recipients: Sequence[str]) -> Taken:
        """Return once it is committed; the same e-mail a second time changes nothing.

        What cannot be read is kept, and told. Raises TooManyMails, StoreUnavailable, OSError: then nothing was done.
        """
        try:
            mail = await self._parsed(content)
        except Unreadable as error:
            return await self._keep_unread(
                content, return_path, self._recipient(recipients), str(error.facts["problem"])
            )
        looked = self.look(mail, return_path=return_path, recipients=recipients)
        mail = looked.mail
        async with self._store.reading() as unit:
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            await self._refuse_floods(unit, mail.sender)
            ignored = (await self._place(unit, looked, ticket_statements.get)).outcome == "ignored"
        if not ignored:
            await asyncio.to_thread(keep, self.folder, mail.key, content)
        async with self._store.unit() as unit:
            await unit.alone("mail", mail.key)
            await unit.alone("mail-sender", mail.sender)
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            found = await self._place(unit, looked, ticket_statements.lock)
            taken = await self._carry_out(unit, looked, found)
            await self._note(unit, looked, len(content), taken)
        log.info("e-mail entered", outcome=taken.outcome, ticket=taken.ticket_number, reason=taken.reason)
        return taken

    @asynccontextmanager
    async def space(self, size: int) -> AsyncIterator[None]:
        """Wait until there is memory for an e-mail of this many bytes: of large ones there is one at a time."""
        if size <= _LARGE:
            yield
            return
        async with self._one_large:
            yield

    async def _parsed(self, content: bytes) -> Mail:
        """Raises Unreadable, whatever is wrong with it: its sender's server is not to come again for ever."""
        try:
            return await asyncio.to_thread(parse, content, self.largest)
        except Unreadable:
            raise
        except Exception as error:
            log.exception("e-mail of an unforeseen kind")
            raise Unreadable(problem="its structure is damaged") from error

    def look(self, mail: Mail, *, return_path: str, recipients: Sequence[str]) -> Looked:
        """Return who really wrote it, to whom, and whether a program did."""
        recipient = self._recipient(recipients)
        box = self.mailboxes[recipient]
        ours, book = self._ours, self._directory.book
        by_our_list = comes_by_ours(mail, ours=ours, lists=self._lists)
        partners = {one.email.lower() for one in book.partners.values() if one.email is not None}
        known = mail.sender in partners or contact_of(book, mail.sender, self._desks[box.desk].provider) is not None
        # Who is a partner by Reply-To would have a partner's rights.
        known = known or (mail.reply_to is not None and mail.reply_to[0] in partners)
        writer = behind(mail, ours=ours, by_our_list=by_our_list, known=known)
        program = automatic(
            writer,
            return_path=return_path,
            domain=self._domain,
            ours=ours,
            by_our_list=by_our_list,
            by_our_form=mail.sender in ours and writer.sender not in ours,
        )
        return Looked(mail=writer, recipient=recipient, box=box, program=program)

    def _recipient(self, recipients: Sequence[str]) -> str:
        return next(address.lower() for address in recipients if address.lower() in self.mailboxes)

    async def _refuse_floods(self, unit: Unit, sender: str) -> None:
        since = self._clock() - timedelta(hours=1)
        if await store.count_since(unit, since, sender) >= _FROM_ONE:
            raise TooManyMails(per_hour=_FROM_ONE)
        if await store.count_since(unit, since) >= _FROM_ALL:
            raise TooManyMails(per_hour=_FROM_ALL)
        if await store.bytes_since(unit, since) >= _BYTES:
            raise TooManyMails(bytes_per_hour=_BYTES)

    async def _place(self, unit: Unit, looked: Looked, get: GetTicket) -> Place:
        return await place(unit, looked.mail, looked.program, domain=self._domain, now=self._clock(), get=get)

    async def foretell(self, unit: Unit, looked: Looked) -> Place:
        """Return where it would go; nothing is changed."""
        return await self._place(unit, looked, ticket_statements.get)

    async def _carry_out(self, unit: Unit, looked: Looked, found: Place) -> Taken:
        ticket = found.ticket
        if found.outcome == "opened":
            ticket = await self._open(unit, looked.mail, looked.box)
        elif found.outcome == "continued" and ticket is not None:
            await self._answered(unit, ticket)
        elif found.outcome == "held" and ticket is not None:
            await self._tell(unit, looked.recipient, found.outcome, looked.mail, found.reason or "", ticket.number)
        if found.outcome in ("opened", "continued") and looked.mail.encrypted and ticket is not None:
            await self._ask_for_clear_text(unit, looked.mail, ticket)
        return Taken(
            outcome=found.outcome, ticket_number=ticket.number if ticket is not None else None, reason=found.reason
        )

    async def _note(self, unit: Unit, looked: Looked, size: int, taken: Taken) -> None:
        mail, at = looked.mail, self._clock()
        values = {
            "key": mail.key,
            "at": at,
            "sender": mail.sender,
            "recipient": looked.recipient,
            "subject": mail.subject,
            "message_id": mail.message_id,
            "body": mail.body,
            "copied": list(mail.copied),
            "attachments": [asdict(one) for one in mail.attachments],
            "size": size,
            "outcome": taken.outcome,
            "reason": taken.reason,
            "ticket_number": taken.ticket_number,
        }
        mail_id = await store.add(unit, values)
        if taken.ticket_number is None:
            return
        ticket = await service.get(unit, taken.ticket_number)
        told = {"mail": mail_id, "from": mail.sender, "subject": mail.subject}
        await ticket_statements.note(unit, ticket, at=at, who=WHO, kind="mail", changes=told)
        after = (await service.get(unit, ticket.number)).brief() | {"changed": ["mail"]}
        unit.afterwards(lambda: self._bus.publish("ticket.updated", at, after))

    async def _answered(self, unit: Unit, ticket: Ticket) -> None:
        """What was done, or waited for this, is worked on again."""
        status = _ON_ANSWER.get(ticket.status)
        if status is not None:
            reason = "the requester answered by e-mail"
            await self._tickets.change(unit, ticket.number, {"status": status}, by=WHO, reason=reason, rights=False)

    async def _open(self, unit: Unit, mail: Mail, box: Mailbox) -> Ticket:
        """A new ticket (OV-11) with the e-mail as what was observed (OV-12)."""
        book = self._directory.book
        named = contact_of(book, mail.sender, self._desks[box.desk].provider)
        # Whom only Reply-To names has the account beside their request, and none of its rights.
        contact = named if mail.vouched else None
        customer = book.customers.get(named.customer_id) if named is not None else None
        observed = "\n\n".join(part for part in (mail.subject, mail.body) if part)[:_OBSERVED]
        fields = {
            "kind": "request",
            "desk": box.desk,
            "department": box.department,
            "language": (named.language if named is not None else None) or box.language,
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
        # Whoever writes says who they are: an address that somebody else made up is not to be flooded by us.
        confirmed = not wants_no_answer(mail) and await self._may_write_to(unit, mail.sender, _CONFIRM_ONE)
        ticket, _ = await self._tickets.create(unit, fields, by=WHO, key=f"mail:{mail.key}", tell=confirmed)
        return ticket

    async def _may_write_to(self, unit: Unit, address: str, of_one: Budget) -> bool:
        draws = (
            Draw(budget=of_one, subject=address),
            Draw(budget=_CONFIRM_DOMAIN, subject=address.rpartition("@")[2]),
            Draw(budget=_CONFIRM_ALL),
        )
        return await spend(unit, draws, now=self._clock(), refusals=self._refusals)

    async def _ask_for_clear_text(self, unit: Unit, mail: Mail, ticket: Ticket) -> None:
        if not wants_no_answer(mail) and await self._may_write_to(unit, mail.sender, _CLEAR_ONE):
            await put_email(unit, encrypted_email(ticket, mail.sender), at=self._clock())

    async def _tell(
        self, unit: Unit, recipient: str, outcome: str, mail: Mail, reason: str, ticket: int | None = None
    ) -> None:
        """Tell operations, who need not hear of every e-mail of one sender."""
        draws = (Draw(budget=_TOLD_ONE, subject=mail.sender), Draw(budget=_TOLD_ALL))
        if await spend(unit, draws, now=self._clock(), refusals=self._refusals):
            facts = {"sender": mail.sender, "subject": mail.subject, "recipient": recipient, "reason": reason}
            desk = self._desks[self.mailboxes[recipient].desk]
            await put_email(unit, told_email(desk, outcome, ticket=ticket, **facts), at=self._clock())

    async def _keep_unread(self, content: bytes, return_path: str, recipient: str, problem: str) -> Taken:
        """Keep what cannot be read; tell staff, and its sender when that is safe."""
        mail, answerable = _outside(content, return_path)
        program = automatic(mail, return_path=return_path, domain=self._domain, ours=self._ours)
        async with self._store.reading() as unit:
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            await self._refuse_floods(unit, mail.sender)
        await asyncio.to_thread(keep, self.folder, mail.key, content)
        reason = problem if program is None else f"{problem}; {program.reason}"
        taken = Taken(outcome="unreadable", ticket_number=None, reason=reason[:200])
        desk = self._desks[self.mailboxes[recipient].desk]
        looked = Looked(mail=mail, recipient=recipient, box=self.mailboxes[recipient], program=program)
        async with self._store.unit() as unit:
            await unit.alone("mail", mail.key)
            if (known := await store.by_key(unit, mail.key)) is not None:
                return _taken(known)
            if program is None:
                await self._tell(unit, recipient, taken.outcome, mail, problem)
            safe = program is None and answerable is not None and not wants_no_answer(mail)
            if safe and answerable is not None and await self._may_write_to(unit, answerable, _UNREAD_ONE):
                email = unreadable_email(desk, answerable, written_number(desk))
                await put_email(unit, email, at=self._clock())
            await self._note(unit, looked, len(content), taken)
        log.warning("unreadable e-mail kept", reason=taken.reason)
        return taken

    async def refused(self, head: bytes, *, size: int, return_path: str, recipients: Sequence[str]) -> None:
        """Note, and tell staff, that an e-mail was larger than is taken; `head` is how it begins.

        Raises StoreUnavailable.
        """
        mail, _ = _outside(head, return_path)
        mail = replace(mail, key=hashlib.sha256(f"{mail.key} {return_path} {size // 1024}".encode()).hexdigest())
        named = [one for one in recipients if one.lower() in self.mailboxes] or [next(iter(self.mailboxes))]
        recipient = self._recipient(named)
        reason = f"it is larger than {self.largest} bytes"
        taken = Taken(outcome="refused", ticket_number=None, reason=reason)
        looked = Looked(mail=mail, recipient=recipient, box=self.mailboxes[recipient], program=None)
        async with self._store.unit() as unit:
            await unit.alone("mail", mail.key)
            if await store.by_key(unit, mail.key) is None:
                await self._tell(unit, recipient, taken.outcome, mail, reason)
                await self._note(unit, looked, size, taken)


def _outside(content: bytes, return_path: str) -> tuple[Mail, str | None]:
    """Return what is known of an e-mail that was not read, and where it may be answered."""
    seen = glimpse(content)
    written = one_address([return_path])
    answerable = written[0] if written is not None else None
    mail = Mail(
        key=seen.key,
        # Never empty, which says that it was erased.
        sender=(answerable or seen.sender or "<>")[:254],
        sender_name="",
        subject=seen.subject,
        message_id=seen.message_id,
        references="",
        body="",
        attachments=(),
        marks=seen.marks,
        hops=0,
        vouched=False,
    )
    return mail, answerable


def contact_of(book: Book, address: str, provider: str) -> Contact | None:
    """A provider's contact with this address; None when several customers have one, so that none is guessed."""
    own = (one for one in book.contacts.values() if one.provider == provider)
    found = [one for one in own if one.email is not None and one.email.lower() == address]
    if len({one.customer_id for one in found}) == 1:
        return found[0]
    return None


def _taken(row: Mapping[str, Any]) -> Taken:
    return Taken(outcome=row["outcome"], ticket_number=row["ticket_number"], reason=row["reason"])
