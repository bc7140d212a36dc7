"""A caller who waits for a callback calls in: they hear their place, and keep it, take it on this line, or cancel.

Anybody can say on the network that they call from a number. So only a registered phone takes the place or cancels; who
calls from outside hears that the callback stands, may wait at the end of the line as well, and cancels with a key when
they are called back: that reaches the one who asked for it, and nobody else.
"""

from __future__ import annotations

import structlog

from agi_scripts.context import LineContext, settled
from agi_scripts.speaking import ask
from ivr.asterisk.contract import DONE, Variable
from ivr.asterisk.fastagi import AgiSession
from ivr.callbacks.model import Callback
from ivr.desk import menu
from ivr.desk.schema import Desk
from ivr.errors import Unavailable
from ivr.queueing.estimate import wait_prompts

log = structlog.get_logger()

_ATTEMPTS = 2
_WAIT_S = 6.0


async def pending_callback(
    session: AgiSession, context: LineContext, desk: Desk, to: menu.Destination, call_id: str
) -> str | None:
    """Return where in the queue the caller goes: "" for the end, a position for the place that was kept for them.

    None when the conversation is over: what was to be set is set.
    """
    call = context.line.calls.current(call_id)
    if to.kind != "queue" or to.queue is None or call is None:
        return ""
    one = context.line.keeper.active_for(desk.id, call.ani, call.endpoint)
    if one is None or one.state != "pending" or one.queue != to.queue:
        return ""
    proved = call.endpoint is not None
    key = await _asked(session, context, desk, one, to.language, call_id, proved=proved)
    context.line.calls.note(call_id, "callback-pending", context.line.clock(), callback=one.id, key=key)
    if key == "1":
        await _leave(session, context, desk, to, call_id, "callback-kept", "keeps the callback")
        return None
    if not proved:
        return ""
    try:
        ended = await context.line.keeper.cancel(
            one.id, "taken on the line" if key == "2" else "cancelled by the caller", keep_place=key == "2"
        )
    except Unavailable as error:
        # The request stands, and so does the caller.
        log.warning("callback not cancelled: database unavailable", callback=one.id, error=str(error))
        return ""
    if key == "3":
        await _leave(session, context, desk, to, call_id, "callback-cancelled", "cancels the callback")
        return None
    if ended is None:
        return ""
    uniqueid = session.env.get("uniqueid", "")
    context.line.watch.arrives(uniqueid, one.arrived_at)
    context.line.keeper.taken_by(one.id, uniqueid)
    return str(context.line.watch.places(one.queue).position_for(one.arrived_at))


async def _asked(
    session: AgiSession, context: LineContext, desk: Desk, one: Callback, language: str, call_id: str, *, proved: bool
) -> str:
    """1 to keep it, 2 to take the place, 3 to cancel; who says nothing is on the line, and takes the place.

    Unless it is `proved` who calls, 2 is to wait as well, and there is no 3.
    """
    choices = "callback-pending-choices" if proved else "callback-pending-stands"
    position = context.line.keeper.position(one)
    place = wait_prompts(position, context.line.watch.wait_s(one.queue, position), language)
    prompts = tuple(menu.Prompt(id=prompt) for prompt in ("callback-pending", *place, choices))
    for _ in range(_ATTEMPTS):
        step = menu.Ask(prompts=prompts, language=language, wait_s=_WAIT_S)
        key = await ask(session, context, desk, step, call_id)
        if key is not None and key in ("123" if proved else "12"):
            return key
        prompts = (menu.Prompt(id=choices),)
    return "2"


async def _leave(
    session: AgiSession, context: LineContext, desk: Desk, to: menu.Destination, call_id: str, said: str, why: str
) -> None:
    step = menu.Ask(prompts=(menu.Prompt(id=said), menu.Prompt(id="goodbye")), language=to.language, wait_s=0)
    context.line.calls.end(call_id, context.line.clock(), result="callback", reason=why)
    await settled(session, desk, to.language)
    await ask(session, context, desk, step, call_id)
    await session.set_variable(Variable.NEXT, DONE)
