"""Who the line knows. Numbers are E.164 digits without the plus sign; languages are as in `fr`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Final, Literal

from ivr import outside_staff as outside

ContactKind = Literal["administrateur", "facturation", "utilisateur"]
EndpointKind = Literal["customer", "technician", "department"]
Tier = Literal["standard", "elite"]


#: The provider of desk files that name none, and of what was entered before there were several.
MAIN: Final = "main"
#: What is spoken to whom nothing better is known about.
FALLBACK_LANGUAGE: Final = "fr"

#: Who at a partner's may be warned of an incident by text message (OV-27).
WARNED_ROLES = ("administrateur", "telephonie-niveau-3")


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A reseller that looks after customers."""

    id: int
    name: str
    tier: Tier
    phone: str | None = None
    email: str | None = None
    provider: str = MAIN
    key: str = ""
    #: URL of their own page for tickets.
    portal: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Customer:
    """An account."""

    id: int
    account: str
    name: str
    address: str | None = None
    phone: str | None = None
    partner_id: int | None = None
    #: What its phones may dial beyond our own numbers, as in `ivr.numbers.calling_rights`.
    dial_rights: tuple[str, ...] = ()
    provider: str = MAIN
    language: str | None = None
    #: The desk that serves it; None for any of its provider's.
    desk: str | None = None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person at a customer's (OV-20)."""

    id: int
    customer_id: int
    name: str
    kind: ContactKind
    email: str | None = None
    #: The first of `phones`.
    phone: str | None = None
    language: str | None = None
    provider: str = MAIN
    key: str = ""
    phones: tuple[str, ...] = ()
    #: Kinds of ticket that a utilisateur may ask for, whatever the desk says of utilisateurs.
    rights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Technician:
    """Someone who answers queues."""

    id: int
    name: str
    queues: tuple[str, ...]
    #: The first of `languages`.
    language: str
    provider: str = MAIN
    key: str = ""
    #: By queue, for those that are answered after others.
    penalties: Mapping[str, int] = field(default_factory=dict)
    #: Each with its penalty, as {"language": "fr", "penalty": 0}.
    languages: tuple[Mapping[str, Any], ...] = ()
    skills: tuple[str, ...] = ()
    #: E.164 digits of a telephone that is none of ours, instead of a phone.
    external_number: str | None = None
    #: Name of their account of the console.
    account: str | None = None

    @property
    def outside(self) -> str | None:
        """Return what stands for their phone in queues, when they answer on a telephone that is none of ours."""
        if self.external_number is not None:
            return outside.endpoint_of(self.id)
        return None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A phone that registers. `ha1` is MD5 of name:omnivigil:password, in hex (RFC 2617 section 3.2.2.2)."""

    name: str
    kind: EndpointKind
    language: str
    ha1: str
    caller_id: str
    display: str
    customer_id: int | None = None
    contact_id: int | None = None
    technician_id: int | None = None
    provider: str = MAIN
    department: str | None = None
    #: Empty for the line's own choice.
    codecs: tuple[str, ...] = ()
    #: udp or tcp; None for either.
    transport: str | None = None
    #: At most so many calls at a time; None for no limit of its own.
    call_limit: int | None = None
    #: At most so many devices that are registered with it at a time.
    devices: int = 2
    #: MAC address of the device that is set up with it, as 12 hexadecimal digits.
    mac: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number that belongs to a customer, and to one person there when `contact_id` says so."""

    e164: str
    customer_id: int
    contact_id: int | None = None
    provider: str = MAIN


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a caller is taken to be, and by what: the phone's registration (proven) or the number (claimed)."""

    by: Literal["endpoint", "number"] | None = None
    customer: Customer | None = None
    contact: Contact | None = None
    partner: Partner | None = None
    technician: Technician | None = None
    language: str | None = None

    def facts(self) -> dict[str, Any]:
        """As it is kept with the call and shown to whoever answers."""
        return {name: _facts(part) if is_dataclass(part) else part for name, part in vars(self).items()}


def _facts(part: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(part).items()}


NOBODY = Identity()


def slug(text: str) -> str:
    """A key made of a name: `reseaux-boreal` of « Réseaux Boréal »; at most 40 characters, at least one."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "x"
