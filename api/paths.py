"""What the paths of the API, the console and the status page name."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.deps import Services
from api.desk_edits import DeskNotFound
from ivr.desk.schema import Desk

#: What an id in the database can be at most.
HIGHEST = 2**31 - 1

DeskId = Annotated[str, Path(max_length=40, examples=["omnivigil"])]
IncidentId = Annotated[int, Path(ge=1, le=HIGHEST)]
MaintenanceId = Annotated[int, Path(ge=1, le=HIGHEST)]
MailId = Annotated[int, Path(ge=1, le=HIGHEST)]
Nth = Annotated[int, Path(ge=1, le=1000, description="From 1, in the order of `attachments`.")]
MessageId = Annotated[int, Path(ge=1, le=HIGHEST)]
TraceId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
ProposalId = Annotated[int, Path(ge=1, le=HIGHEST)]


def desk_of(has: Services, desk: str) -> Desk:
    """Return the desk that an address names. Raises DeskNotFound."""
    found = has.desks.get(desk)
    if found is None:
        raise DeskNotFound(desk=desk)
    return found
