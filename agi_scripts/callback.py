"""A callback being carried out, on the technician's channel and on the customer's."""

from __future__ import annotations

import uuid

import structlog

from agi_scripts.context import LineContext, member_of
from agi_scripts.number import as_said
from ivr.asterisk.ami import AmiRefused
from ivr.asterisk.contract import NextStep, Variable, Whom
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.callbacks.channels import far_of
from ivr.callbacks.model import Callback, NotNow
from ivr.calls.model import CALLBACK
from ivr.errors import Unavailable

log = structlog.get_logger()


async def callback(session: AgiSession, context: LineContext) -> None:
    """Arguments: what (brief, dial, connected, refused, voicemail or join) and the callback's id."""
    what, callback_id = session.args
    try:
        match what:
            case "brief":
                await _brief(session, context, callback_id)
            case "dial":
                await _dial(session, context, callback_id)
            case "connected":
                if await context.line.keeper.connected(callback_id) is None:
                    log.warning("callback answered that was not in the dialling state", callback=callback_id)
            case "refused":
                await context.line.keeper.refused(callback_id)
            case "voicemail":
                context.line.keeper.tell(callback_id, "voicemail")
                await context.line.keeper.abandon(callback_id, "voicemail")
            case "join":
                await _join(session, context, callback_id)
            case other:
                log.error("unknown callback step from the dialplan", part=other)
    except CallHungUp:
        pass
    except (Unavailable, AmiRefused) as error:
        # What is not written now is found by the keeper: it compares attempts with channels.
        log.warning(
            "callback step not saved; the reconciler makes up for it", part=what, callback=callback_id, error=str(error)
        )


async def _brief(session: AgiSession, context: LineContext, callback_id: str) -> None:
    """Tell the technician who is called; commit the attempt; only then dial."""
    technician = context.line.directory.technician(member_of(session) or "")
    desk = context.main_desk
    language = technician.language if technician is not None else desk.languages[0]
    language = language if language in desk.languages else desk.languages[0]

    async def say(*prompts: str) -> None:
        for prompt in prompts:
            await session.stream_file(await context.sounds.of(desk.id, prompt, language, {}), "")

    near = context.line.keeper.near(callback_id)
    try:
        one = await context.line.keeper.begin(callback_id)
    except (NotNow, Unavailable) as error:
        log.warning("callback attempt not started", callback=callback_id, error=str(error))
        await say("callback-withdrawn")
        if near is not None:
            await context.line.keeper.end_place(near[1])
        return
    # What comes of a held place is known by its other half, which was there first.
    uniqueid, channel = near or ("", "")
    call_id = _enter_call(context, one, far_of(uniqueid), channel, dials=True)
    try:
        digits = (f"digit-{digit}" for digit in as_said(one.number, context.desks[one.desk].region))
        await say("callback-brief", *digits, "callback-brief-dialling")
        context.line.calls.note(call_id, "dialling", context.line.clock(), attempt=one.attempts)
    except CallHungUp:
        await context.line.keeper.abandon(callback_id, "interrupted")
        raise


async def _dial(session: AgiSession, context: LineContext, callback_id: str) -> None:
    """Whom to dial, now that the technician is there; nobody unless the attempt was committed."""
    one = context.line.keeper.get(callback_id)
    if one is None or one.state != "dialling":
        log.warning(
            "callback not dialled: it is not in the dialling state",
            callback=callback_id,
            state=one.state if one is not None else "unknown",
        )
        return
    await session.set_variable(Variable.LANGUAGE, one.language)
    if one.endpoint is not None:
        whom = Whom(way="phone", name=one.endpoint)
    else:
        whom = Whom(way="outside", name=one.number)
    await session.set_variable(Variable.NEXT, whom.text())


async def _join(session: AgiSession, context: LineContext, callback_id: str) -> None:
    """The customer who was dialled first joins the queue, at the place that was kept."""
    one = context.line.keeper.get(callback_id)
    if one is None:
        return
    uniqueid = session.env.get("uniqueid", "")
    call_id = _enter_call(context, one, uniqueid, session.env.get("channel", ""), dials=False)
    context.line.watch.arrives(uniqueid, one.arrived_at)
    position = context.line.watch.places(one.queue).position_for(one.arrived_at)
    context.line.keeper.taken_by(callback_id, uniqueid)
    step = NextStep(
        kind="queue",
        language=one.language,
        department=one.department,
        target=one.queue,
        seconds=context.desks[one.desk].queues[one.queue].max_wait_s,
        call_id=call_id,
        position=position,
    )
    await session.set_variable(Variable.NEXT, step.text())


def _enter_call(context: LineContext, one: Callback, uniqueid: str, channel: str, *, dials: bool) -> str:
    """Begin a call of its own, so that the technician sees who it is; `dials` as of `CallLog.begin`. Returns its id."""
    call_id = uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(call=call_id)
    context.line.calls.begin(
        call_id,
        linkedid=uniqueid,
        channel=channel,
        desk=one.desk,
        dialled=CALLBACK,
        ani=one.number,
        endpoint=one.endpoint,
        identity=context.line.directory.identify(one.number, one.endpoint, context.desks[one.desk].provider),
        at=context.line.clock(),
        dials=dials,
    )
    context.line.calls.route(call_id, department=one.department, language=one.language)
    context.line.calls.note(call_id, "callback", context.line.clock(), callback=one.id, asked_in=one.call_id or "")
    return call_id
