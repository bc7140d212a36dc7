"""Who the line knows. Numbers are E.164 digits without the plus sign; languages are as in `fr`."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Any, Literal

ContactKind = Literal["administrateur", "facturation", "utilisateur"]
EndpointKind = Literal["customer", "technician", "department"]
Tier = Literal["standard", "elite"]


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


@dataclass(frozen=True, kw_only=True)
class Customer:
    """An account."""

    id: int
    account: str
    name: str
    address: str | None = None
    phone: str | None = None
    partner_id: int | None = None
    #: What its phones may dial beyond our own numbers, as in `ivr.dialling`.
    dial_rights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person at a customer's (OV-20)."""

    id: int
    customer_id: int
    name: str
    kind: ContactKind
    email: str | None = None
    phone: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Technician:
    """Someone who answers queues."""

    id: int
    name: str
    queues: tuple[str, ...]
    language: str


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


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that belongs to a customer, and to one person there when `contact_id` says so."""

    e164: str
    customer_id: int
    contact_id: int | None = None


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
        parts = {name: dict(vars(part)) if is_dataclass(part) else part for name, part in vars(self).items()}
        if self.customer is not None:
            parts["customer"] = vars(self.customer) | {"dial_rights": list(self.customer.dial_rights)}
        if self.technician is not None:
            parts["technician"] = vars(self.technician) | {"queues": list(self.technician.queues)}
        return parts


NOBODY = Identity()
