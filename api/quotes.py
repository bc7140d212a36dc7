"""What a service request costs, as it is told: by itself, and with its ticket."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, Field

from ivr.tickets import service_requests


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
    refused: SaidView | None = Field(description="The reason for a refusal, and the way to have it all the same.")


def quote_view(quote: service_requests.Quote) -> QuoteView:
    """A quote as it is told."""
    return QuoteView(
        kind=quote.kind,
        currency=service_requests.CURRENCY,
        total=quote.total,
        fees=[FeeView(reason=_said(fee.reason), amount=fee.amount) for fee in quote.fees],
        deadlines=[DeadlineView(what=_said(one.what), at=one.at) for one in quote.deadlines],
        conditions=[_said(one) for one in quote.conditions],
        refused=_said(quote.refused) if quote.refused is not None else None,
    )


def _said(said: service_requests.Said) -> SaidView:
    return SaidView(fr=said.fr, en=said.en)
