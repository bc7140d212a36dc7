"""A ticket. Every field of OV-12 may be unknown, and is then None: none is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Status = Literal[
    "new",
    "documented",
    "in-progress",
    "waiting-requester",
    "waiting-partner",
    "waiting-supplier",
    "resolved",
    "closed",
    "reopened",
]
Priority = Literal["urgente", "haute", "moyenne", "normale"]
Impact = Literal["one", "several"]

#: Nothing is left to do.
DONE: tuple[Status, ...] = ("resolved", "closed")
OPEN: tuple[Status, ...] = tuple(status for status in get_args(Status) if status not in DONE)
#: Somebody else has to do something first; the TR clock stands still.
WAITING: tuple[Status, ...] = ("waiting-requester", "waiting-partner", "waiting-supplier")


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One request (OV-11 to OV-13). `examples` holds time, date, extension and number of each."""

    number: int
    kind: str
    status: Status
    priority: Priority | None
    level: int | None
    desk: str
    department: str
    language: str | None
    reference: str | None
    call_id: str | None
    customer_id: int | None
    contact_id: int | None
    #: The partner who has it, when one has (OV-16, OV-17).
    partner_id: int | None = None
    #: The incident that it is about, when its requester is touched by one (OV-27).
    incident_id: int | None = None
    requester_name: str | None
    requester_contact: str | None
    requester_address: str | None
    requester_phone: str | None
    requester_email: str | None
    account_number: str | None
    account_name: str | None
    account_address: str | None
    account_phone: str | None
    service: str | None
    observed: str | None
    examples: list[dict[str, Any]] | None
    expected: str | None
    impact: Impact | None
    mac: str | None
    attempted: str | None
    #: What this kind asks for beyond OV-12, by name.
    details: dict[str, Any] | None = None
    #: More minutes of programming than these are the partner's (OV-16).
    programming_min: int | None = None
    #: It takes a visit (OV-16).
    on_site: bool | None = None
    #: It takes knowledge of the customer's installation (OV-16).
    installation: bool | None = None
    #: Its cause is outside the demarcation point, so that no TMR is owed (OV-18).
    outside: bool | None = None
    version: int
    created_at: datetime
    updated_at: datetime
    #: TMR begins (OV-14).
    documented_at: datetime | None = None
    #: A technician answered, or began to work on it; TMR ends.
    answered_at: datetime | None = None
    #: Until when somebody who left a message out of hours was promised an answer.
    promised_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """As it is told to others; the number is text, since it is said digit by digit and never counted with."""
        return vars(self) | {"number": str(self.number)}

    def brief(self) -> dict[str, Any]:
        """For a list beside something else, and for events."""
        names = ("kind", "status", "priority", "desk", "department", "call_id", "customer_id", "version", "created_at")
        return {"number": str(self.number)} | {name: getattr(self, name) for name in names}
