"""Service requests: what each kind of ticket asks for, and what a request costs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.common import Given, Has
from api.desk_edits import DeskNotFound
from api.paths import DeskId
from api.quotes import QuoteView, quote_view
from api.tickets import Slug
from ivr.errors import BadInput
from ivr.tickets import service_requests
from ivr.tickets.kinds import KINDS

router = APIRouter(tags=["quotes"])


class KindView(BaseModel):
    """A kind of ticket."""

    kind: str
    needed: list[list[str]] = Field(description="To be documented: one field of each.")
    details: dict[str, Any] | None = Field(description="JSON Schema of its details.")


class QuoteRequest(Given):
    """What is asked for."""

    kind: Slug
    details: dict[str, Any] = Field(default={}, examples=[{"price": "199.99", "delivery_refused": True}])


@router.get("/kinds")
async def list_kinds() -> list[KindView]:
    """Every kind of ticket, with what it asks for."""
    return [
        KindView(
            kind=kind,
            needed=[list(one.fields) for one in needed],
            details=service_requests.DETAILS[kind].model_json_schema() if kind in service_requests.DETAILS else None,
        )
        for kind, needed in KINDS.items()
    ]


@router.post("/desks/{desk}/quotes")
async def make_quote(desk: DeskId, given: QuoteRequest, has: Has) -> QuoteView:
    """What a service request would cost now, to the cent, with the reason for each fee. Nothing is ordered."""
    if desk not in has.desks:
        raise DeskNotFound(desk=desk)
    found = has.desks[desk]
    offered = found.tickets.services
    if given.kind not in offered:
        problem = f"desk {desk} offers no {given.kind}"
        mend = f"give one of {', '.join(offered)}" if offered else "ask another desk"
        raise BadInput(field="kind", problem=problem, mend=mend)
    details = service_requests.details_of(given.kind, given.details)
    if details is None:
        raise BadInput(field="kind", problem=f"nothing is known about {given.kind}", mend="correct the desk file")
    calendar = has.calendars[desk][found.menu.operator]
    return quote_view(service_requests.quote(given.kind, details, now=has.clock(), calendar=calendar))
