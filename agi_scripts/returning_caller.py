"""A caller calls again whose call was cut off in the queue: their place was kept, and 1 takes it back.

A caller who says nothing goes to the end of the queue: a company's number may have another caller now.
"""

from __future__ import annotations

from agi_scripts.context import LineContext
from agi_scripts.speaking import ask
from ivr.asterisk.fastagi import AgiSession
from ivr.desk import menu
from ivr.desk.schema import Desk

_WAIT_S = 6.0


async def kept_place(session: AgiSession, context: LineContext, desk: Desk, to: menu.Destination, call_id: str) -> str:
    """Return where in the queue the caller goes: "" for the end, a position for the place that was kept.

    Raises CallHungUp.
    """
    call = context.line.calls.current(call_id)
    if to.kind != "queue" or to.queue is None or call is None:
        return ""
    place = context.line.kept.find(desk.id, to.queue, ani=call.ani, endpoint=call.endpoint)
    if place is None:
        return ""
    step = menu.Ask(prompts=(menu.Prompt(id="place-kept"),), language=to.language, wait_s=_WAIT_S)
    key = await ask(session, context, desk, step, call_id)
    if key != "1" or not context.line.kept.take(place):
        return ""
    context.line.calls.note(call_id, "place-taken-back", context.line.clock(), call=place.call_id)
    context.line.calls.waits_since(call_id, place.arrived_at)
    context.line.aside(context.line.kept.record(place), f"place of call {place.call_id} taken back")
    context.line.watch.arrives(session.env.get("uniqueid", ""), place.arrived_at)
    return str(context.line.watch.places(to.queue).position_for(place.arrived_at))
