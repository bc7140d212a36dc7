"""On-call duty as a feature of the line."""

from __future__ import annotations

from ivr.asterisk.ami import Fields
from ivr.feature import Feature, Part
from ivr.oncall.page_calls import PageCalls
from ivr.oncall.paging import Paging


def feature(paging: Paging, page_calls: PageCalls) -> Feature:
    """Emergencies, and who is told of them until somebody takes them."""

    async def on_event(event: Fields) -> None:
        page_calls.enter(event)

    parts = (Part(name="paging", run=paging.run), Part(name="page calls", run=page_calls.run))
    return Feature(name="on call", parts=parts, on_event=on_event)
