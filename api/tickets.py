"""Tickets as clients give and read them: what the API and the console's forms are checked by."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self, get_type_hints

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    StringConstraints,
    create_model,
    field_validator,
)

from api.common import Given, Line, Short, Text
from api.quotes import QuoteView, quote_view
from ivr.tickets.model import Impact, Priority, Status, Ticket
from ivr.tickets.service import TicketNotFound
from ivr.tickets.sla import Name
from ivr.tickets.views import TicketDetail as Detail

_MAC = re.compile(r"([0-9a-f]{2})[:.-]?" * 5 + r"([0-9a-f]{2})")
#: Larger than any ticket's number, and what the databases' integers still hold.
_HIGHEST = 2**31 - 1


def _mac(text: str) -> str:
    found = _MAC.fullmatch(text.lower())
    if found is None:
        raise ValueError("this is not a MAC address; write it as 00:15:65:a1:b2:c3")
    return ":".join(found.groups())


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+\.[^@\s<>,;:\"]+", text):
        raise ValueError("this is not an e-mail address; write it as name@example.com")
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Address = Annotated[Text, Field(max_length=500)]
Number = Annotated[str, Path(pattern=r"^[0-9]{1,10}$", description="The ticket's number.", examples=["100001"])]


Id = Annotated[int, Field(ge=1, le=_HIGHEST)]


class Example(Given):
    """One time that it happened (OV-12)."""

    date: dt.date | None = None
    time: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    extension: Short | None = None
    number: Short | None = None


class Fields(Given):
    """What OV-12 asks for. Null means unknown."""

    requester_name: Line | None = None
    requester_contact: Line | None = Field(default=None, description="The best way to reach the requester.")
    requester_address: Address | None = None
    requester_phone: Short | None = None
    requester_email: Email | None = None
    account_number: Short | None = None
    account_name: Line | None = None
    account_address: Address | None = None
    account_phone: Short | None = None
    service: Line | None = Field(default=None, description="The service or feature.")
    observed: Text | None = Field(default=None, description="The observed behaviour.")
    examples: Annotated[list[Example], Field(max_length=20)] | None = Field(
        default=None, description="Two or three specific examples."
    )
    expected: Text | None = Field(default=None, description="The expected behaviour.")
    impact: Impact | None = Field(default=None, description="One employee or several.")
    mac: Annotated[str, AfterValidator(_mac)] | None = Field(
        default=None, description="Of the device.", examples=["00:15:65:a1:b2:c3"]
    )
    attempted: Text | None = Field(default=None, description="Solutions attempted.")
    priority: Priority | None = None
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = None
    contact_id: Id | None = Field(default=None, description="Of the account's contact who asks.")
    partner_id: Id | None = Field(default=None, description="Of the partner who has the ticket.")
    incident_id: Id | None = Field(default=None, description="Of the incident that it is about.")
    details: dict[str, Any] | None = Field(
        default=None, description="The fields of its kind; GET /v1/kinds describes them."
    )
    programming_min: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None, description="Minutes of programming that it takes."
    )
    on_site: bool | None = Field(default=None, description="It takes a visit.")
    installation: bool | None = Field(default=None, description="It takes knowledge of the installation.")
    outside: bool | None = Field(default=None, description="Its cause is outside the demarcation point: no clock runs.")


class NewTicket(Fields):
    """A ticket to open."""

    kind: Slug = "request"
    desk: Slug | None = Field(default=None, description="Without it, the main desk.")
    department: Slug | None = Field(default=None, description="Without it, the desk's operator.")
    call_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z-]{1,40}$")] | None = None


class TicketChange(Fields):
    """What is to be different. A field that is not given stays; null makes it unknown."""

    version: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Refuse when the ticket is not this version any more; or send If-Match."
    )
    status: Status | None = None
    kind: Slug | None = None
    desk: Slug | None = None
    department: Slug | None = None
    reason: Text | None = Field(
        default=None, description="The reason; required to close a ticket unresolved or to open it again."
    )
    solution: Text | None = Field(
        default=None, description="The solution; required by status resolved, and kept for all to find."
    )

    def fields(self) -> dict[str, Any]:
        """Return the ticket's fields that were given."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"version", "reason", "solution"})

    @field_validator("status", "kind", "desk", "department")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None:
            raise ValueError("this cannot be unknown; leave it out to keep it")
        return value


#: Of a ticket's fields, those that a client is told the meaning of.
_MEANINGS: Final = {
    "incident_id": "The incident that it is about.",
    "documented_at": "When all that its kind asks for was there.",
    "answered_at": "When a technician first answered it or worked on it.",
    "promised_at": "Until when whoever left a message out of hours was promised an answer.",
}


def _fields_of_ticket() -> dict[str, Any]:
    """Return the fields of `Ticket` as pydantic takes them; its number is text here, and moments have a zone."""
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(Ticket).items():
        told = {datetime: AwareDatetime, datetime | None: AwareDatetime | None}.get(hint, hint)
        found[name] = (str if name == "number" else told, Field(description=_MEANINGS.get(name)))
    return found


_TicketFields = create_model("_TicketFields", **_fields_of_ticket())


class TicketView(_TicketFields):  # type: ignore[valid-type, misc]  # the record's own fields, written once
    """A ticket. What is null is not known."""

    @classmethod
    def of(cls, ticket: Ticket) -> Self:
        """Return a ticket as it is told."""
        return cls(**ticket.facts())


class MissingView(BaseModel):
    """What a ticket still lacks to be documented."""

    field: str
    instead: list[str] = Field(description="Fields that would do as well.")
    mend: str


class ClockView(BaseModel):
    """TMR or TR, in seconds of the desk's working time; of urgent tickets around the clock."""

    running: bool
    level: int
    elapsed_s: int
    warning_at: AwareDatetime | None = Field(description="The moment staff are warned, as things stand.")
    limit_at: AwareDatetime | None = Field(description="The moment the promise is broken, as things stand.")
    breached: bool


class TicketEvent(BaseModel):
    """One entry of a ticket's history."""

    at: AwareDatetime
    who: str
    kind: str
    changes: dict[str, Any]
    version: int


class VoiceMessageView(BaseModel):
    """A recording that belongs to a ticket."""

    id: int
    ticket: str
    call_id: str | None
    desk: str
    department: str
    language: str
    number: str | None
    endpoint: str | None
    seconds: float
    urgent: bool
    created_at: AwareDatetime
    audio: str = Field(description="The address to listen to it.")
    transcript: str | None = Field(default=None, description="Its transcript, where there is a recogniser.")


class TicketDetail(TicketView):
    """A ticket with its history and voice messages, the oldest first."""

    missing: list[MissingView]
    next: list[Status] = Field(description="The statuses it may be changed to.")
    clocks: dict[Name, ClockView] = Field(description="Those that have begun.")
    history: list[TicketEvent]
    messages: list[VoiceMessageView]
    quote: QuoteView | None = Field(
        description="The quote of a service request, as of its creation; null while not enough is known."
    )

    @classmethod
    def of_detail(cls, found: Detail) -> Self:
        """Return a ticket with all that belongs to it as it is told."""
        return cls(
            **found.ticket.facts(),
            missing=[MissingView(**vars(one)) for one in found.missing],
            next=found.next,
            clocks={name: ClockView(**vars(clock)) for name, clock in found.clocks.items()},
            history=[TicketEvent(**event) for event in found.history],
            messages=[VoiceMessageView(**message_view(row)) for row in found.messages],
            quote=quote_view(found.quote) if found.quote is not None else None,
        )


def message_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message's row as it is told."""
    number = str(row["ticket_number"])
    return {**row, "ticket": number, "audio": f"/v1/messages/{row['id']}/audio"}


def number_of(text: str) -> int:
    """Return a ticket's number of what a path has. Raises TicketNotFound for one larger than any."""
    number = int(text)
    if number > _HIGHEST:
        raise TicketNotFound(ticket=number)
    return number
