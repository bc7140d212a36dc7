"""A request on its way to becoming a ticket: everything that is known of it, and the key that makes it one ticket.

Names and accounts are taken from the directory when the caller is identified. Priority is known only
of callers who were asked whether theirs is an emergency (OV-7). The rest of OV-12 is asked later and not guessed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pydantic import TypeAdapter, ValidationError

from ivr.directory.model import NOBODY, Identity
from ivr.errors import OmnivigilError
from ivr.tickets.promise import NO_PROMISE, Promise


class UnreadableIntake(OmnivigilError):
    """A spooled request cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Requester:
    """The requester, as far as they are known."""

    #: endpoint (a registered phone) or number (a caller ID that the directory knows)
    identified_by: str | None = None
    customer_id: int | None = None
    contact_id: int | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    account_number: str | None = None
    account_name: str | None = None
    account_address: str | None = None
    account_phone: str | None = None


def requester_of(identity: Identity = NOBODY, number: str | None = None) -> Requester:
    """Return what the directory and the call itself tell; `number` is the caller's, as E.164 digits."""
    customer, contact = identity.customer, identity.contact
    return Requester(
        identified_by=identity.by,
        customer_id=customer.id if customer else None,
        contact_id=contact.id if contact else None,
        name=contact.name if contact else None,
        phone=number,
        email=contact.email if contact else None,
        account_number=customer.account if customer else None,
        account_name=customer.name if customer else None,
        account_address=customer.address if customer else None,
        account_phone=customer.phone if customer else None,
    )


@dataclass(frozen=True, kw_only=True)
class VoiceMessage:
    """A recording: the name of its file in the folder of messages, and its length."""

    file: str
    seconds: float
    urgent: bool
    number: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """The addressee of a department's e-mail, and what it is written from."""

    recipient: str
    desk_name: str
    department_name: str
    language: str
    #: IANA name, for the times in it.
    timezone: str


@dataclass(frozen=True, kw_only=True)
class Intake:
    """One request. Entered twice under one `key`, it is still one ticket."""

    key: str
    at: datetime
    desk: str
    department: str
    language: str
    call_id: str | None
    requester: Requester
    message: VoiceMessage | None = None
    notice: Notice | None = None
    promise: Promise = NO_PROMISE
    #: The incident that touches the caller.
    incident_id: int | None = None

    @cached_property
    def reference(self) -> str:
        """Eight digits that are known before the ticket has a number, and kept with it."""
        return f"{int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:8]) % 10**8:08d}"

    def to_json(self) -> bytes:
        """For the spool."""
        return _INTAKE.dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> Intake:
        """Return what `to_json` wrote. Raises UnreadableIntake."""
        try:
            return _INTAKE.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise UnreadableIntake(field=field or None, problem=first["msg"]) from error


_INTAKE = TypeAdapter(Intake)
