"""A caller wants a text message at each stage of the incident (OV-27). Nothing is lost but their patience: whatever
happens here, they go on to where they were going.
"""

from __future__ import annotations

import structlog

from agi_scripts.context import LineContext, caller_number, endpoint_of
from agi_scripts.number import AskedNumber, Say
from agi_scripts.speaking import ask
from ivr.asterisk.fastagi import AgiSession
from ivr.desk import menu
from ivr.desk.schema import Desk
from ivr.errors import Unavailable
from ivr.numbers.diallable import Refused, diallable

log = structlog.get_logger()


async def follow(session: AgiSession, context: LineContext, desk: Desk, language: str, call_id: str) -> None:
    """Ask for the number, commit, then confirm. Returns when the caller stays; raises CallHungUp when they do not."""

    async def say(*prompts: str, wait_s: float = 0.0) -> str | None:
        said = tuple(menu.Prompt(id=prompt) for prompt in prompts)
        step = menu.Ask(prompts=said, language=language, wait_s=wait_s)
        return await ask(session, context, desk, step, call_id)

    def allowed(number: str) -> str | None:
        return _allowed(context, desk, call_id, number)

    own = caller_number(session, desk) if endpoint_of(session) is None else None
    asked = AskedNumber(
        session=session,
        context=context,
        desk=desk,
        words="follow",
        say=say,
        language=lambda: language,
        allowed=allowed,
        # A desk phone reads no texts: its caller gives another number.
        number=allowed(own) if own is not None else None,
    )
    if not await asked.agree() or asked.number is None:
        await say("follow-none")
        return
    await _keep(session, context, desk, language, call_id, asked.number, say)


async def _keep(
    session: AgiSession, context: LineContext, desk: Desk, language: str, call_id: str, number: str, say: Say
) -> None:
    incidents = context.line.incidents.followable(desk.id)
    if not incidents:
        # It was resolved while they spoke.
        await say("follow-over")
        return
    phone, caller = endpoint_of(session), caller_number(session, desk)
    try:
        kept = await context.line.incidents.followers.follow(
            incidents,
            number=number,
            # A desk phone's own number reads no texts: whatever its owner names has an owner of its own.
            own=phone is None and number == caller,
            desk=desk.id,
            desk_name=desk.name,
            language=language,
            call_id=call_id,
            asked_by=phone or caller,
        )
    except Unavailable as error:
        log.warning("request for incident text messages not saved: database unavailable", error=str(error))
        await say("follow-not-now")
        return
    context.line.calls.note(call_id, "follows", context.line.clock(), incident=incidents[0], result=kept)
    prompts = {
        "refused": "follow-number-refused",
        "limit": "follow-limit",
        "later": "follow-not-now",
        "asked": "follow-to-confirm",
    }
    await say(prompts.get(kept, "follow-accepted"))


def _allowed(context: LineContext, desk: Desk, call_id: str, number: str) -> str | None:
    """The number when it may get texts: as for callbacks, those that cost or belong to us may not."""
    own = {dialled for one in context.desks.values() for dialled in one.dialled}
    regions = {one for queue in desk.queues.values() if queue.callback is not None for one in queue.callback.regions}
    found = diallable(number, region=desk.region, allowed=regions or {desk.region}, own=own)
    if isinstance(found, Refused):
        context.line.calls.note(call_id, "number-refused", context.line.clock(), reason=found.reason)
        return None
    return found
