"""Customers of an Élite partner reach that partner first (OV-17), and lose nothing in our queue by it."""

from __future__ import annotations

from datetime import datetime

import structlog

from agi_scripts.context import LineContext
from ivr.asterisk.contract import END, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.calls.model import Call
from ivr.directory.model import Partner
from ivr.directory.snapshot import Book

log = structlog.get_logger()


def dial_string(partner: Partner, book: Book) -> str:
    """For Dial: the registered phone that has the partner's number, or else the number by the trunk."""
    own = next((name for name, phone in book.endpoints.items() if phone.caller_id == partner.phone), None)
    if own is not None:
        return f"PJSIP/{own}"
    return f"PJSIP/{partner.phone}@outbound"


async def place(session: AgiSession, context: LineContext) -> None:
    """The partner did not answer: tell the dialplan the caller's place, as of the first ring, in our queue.

    Arguments are the call's id and the queue. Without an answer the caller goes to the queue's end.
    """
    call_id, queue = session.args[0], session.args[1]
    try:
        place = _place(context, session.env.get("uniqueid", ""), call_id, queue)
        context.line.calls.note(call_id, "partner-not-reached", context.line.clock(), queue=queue, place=place)
        await session.set_variable(Variable.NEXT, str(place) if place is not None else END)
    except CallHungUp:
        return
    except Exception:
        log.exception("queue position not found; caller joins at the end", call=call_id)


def _place(context: LineContext, uniqueid: str, call_id: str, queue: str) -> int | None:
    call = context.line.calls.current(call_id)
    since = _sent_to_partner(call) if call is not None else None
    if since is None:
        return None
    context.line.watch.arrives(uniqueid, since)
    return context.line.watch.places(queue).position_for(since)


def _sent_to_partner(call: Call) -> datetime | None:
    """Return when the partner's phone began to ring for a call."""
    return next((one.at for one in call.events if one.kind == "routed" and one.facts.get("to") == "partner"), None)
