"""Service requests: what each kind of ticket asks for, and what a request costs."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field

from api.common import Given, Has
from api.routers.desks import DeskNotFound
from api.routers.tickets import Slug
from ivr.errors import BadInput
from ivr.tickets import services
from ivr.tickets.kinds import KINDS

router = APIRouter(tags=["quotes"])

DeskId = Annotated[str, Path(max_length=40, examples=["omnivigil"])]


class KindView(BaseModel):
    """A kind of ticket."""

    kind: str
    needed: list[list[str]] = Field(description="To be documented: one field of each.")
    details: dict[str, Any] | None = Field(description="JSON Schema of its details.")


class QuoteRequest(Given):
    """What is asked for."""

    kind: Slug
    details: dict[str, Any] = Field(default={}, examples=[{"price": "199.99", "delivery_refused": True}])


class SaidView(BaseModel):
    """The same in both languages."""

    fr: str
    en: str


class FeeView(BaseModel):
    """One line; a credit is negative."""

    reason: SaidView
    amount: Decimal


class DeadlineView(BaseModel):
    """By when something must have happened: a moment, or a whole day."""

    what: SaidView
    at: AwareDatetime | dt.date


class QuoteView(BaseModel):
    """What it costs before tax, and on what conditions."""

    kind: str
    currency: str
    total: Decimal
    fees: list[FeeView]
    deadlines: list[DeadlineView]
    conditions: list[SaidView]
    refused: SaidView | None = Field(description="Why it cannot be had like this, and how it can.")


@router.get("/kinds")
async def list_kinds() -> list[KindView]:
    """Every kind of ticket, with what it asks for."""
    return [
        KindView(
            kind=kind,
            needed=[list(one.fields) for one in needed],
            details=services.DETAILS[kind].model_json_schema() if kind in services.DETAILS else None,
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
    details = services.details_of(given.kind, given.details)
    if details is None:
        raise BadInput(field="kind", problem=f"nothing is known about {given.kind}", mend="correct the desk file")
    calendar = has.calendars[desk][found.menu.operator]
    quote = services.quote(given.kind, details, now=has.clock(), calendar=calendar)
    return QuoteView(
        kind=quote.kind,
        currency=services.CURRENCY,
        total=quote.total,
        fees=[FeeView(reason=_said(fee.reason), amount=fee.amount) for fee in quote.fees],
        deadlines=[DeadlineView(what=_said(one.what), at=one.at) for one in quote.deadlines],
        conditions=[_said(one) for one in quote.conditions],
        refused=_said(quote.refused) if quote.refused is not None else None,
    )


def _said(said: services.Said) -> SaidView:
    return SaidView(fr=said.fr, en=said.en)
