"""*22 logs a technician in or out of their queues, *23 pauses and resumes: a toggle each, and the state is spoken."""

from __future__ import annotations

import structlog

from agi_scripts.context import LineContext, endpoint_of
from ivr.asterisk.contract import DONE, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.asterisk.queue_members import RESTING
from ivr.directory.model import Technician
from ivr.queueing.missed_calls import REASONS

log = structlog.get_logger()

#: Breaks that calls have brought about which were not taken.
MISSED = frozenset({RESTING, *REASONS.values()})


async def technician(session: AgiSession, context: LineContext) -> None:
    """Carry out `login` or `pause` for the technician whose registered phone this is.

    With `login` comes whether calls would make the phone ring: `yes`, `unregistered` or `unreachable`.
    """
    wish = session.args[0]
    reached = session.args[1] if len(session.args) > 1 else "yes"
    endpoint = endpoint_of(session)
    known = None
    if endpoint is not None:
        known = context.line.directory.technician(endpoint)
    try:
        if known is None or endpoint is None:
            spoken, language = "technician-unknown", context.main_desk.languages[0]
        else:
            language = known.language
            spoken = await _toggle(context, wish, endpoint, known, reached)
        desk = context.main_desk
        if language not in desk.languages:
            language = desk.languages[0]
        await session.stream_file(await context.sounds.of(desk.id, spoken, language, {}), "")
        await session.set_variable(Variable.NEXT, DONE)
    except CallHungUp:
        # What was asked is done; only the confirmation was not heard.
        return
    except Exception:
        log.exception("technician code conversation failed", wish=wish, endpoint=endpoint)


async def _toggle(context: LineContext, wish: str, endpoint: str, known: Technician, reached: str) -> str:
    """Change the membership and tell which prompt confirms it."""
    mine = [member for member in await context.line.members.list(None) if member.endpoint == endpoint]
    missed = any(member.paused and member.paused_reason in MISSED for member in mine)
    if wish == "login":
        if missed:
            await context.line.members.pause(None, endpoint, False, "")
            return "technician-back"
        if mine:
            for member in mine:
                await context.line.members.remove(member.queue, endpoint)
            return "technician-logout"
        if reached in ("unregistered", "unreachable"):
            log.info("technician login refused: phone unreachable", endpoint=endpoint, reason=reached)
            return f"technician-{reached}"
        served = {queue for desk in context.desks.values() for queue in desk.queues}
        for queue in known.queues:
            # One that the desk files have no more keeps nobody from the others.
            if queue in served:
                await context.line.members.add(queue, endpoint, known.name)
        return "technician-login"
    if not mine:
        return "technician-not-logged-in"
    pause = not any(member.paused and member.paused_reason != RESTING for member in mine)
    await context.line.members.pause(None, endpoint, pause, "*23" if pause else "")
    if pause:
        return "technician-pause"
    return "technician-unpause"
