"""*57: the call that just ended here was bad. It was received, under this number, and this follows (OV-21, OV-22)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from agi_scripts.context import LineContext, endpoint_of, settled
from ivr.asterisk.contract import DONE, SUPPORT, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.calltrace.offline import LastCall, last_call
from ivr.calltrace.service import CallTraces, Receipt, new_report_id
from ivr.evidence.legs import Device, address_in, registered_at
from ivr.evidence.packet_buffer import EndedCall

log = structlog.get_logger()

#: The user hears something after this long, in seconds, whether the ticket is committed or not.
_FIRST_WORD_S = 0.05
#: A call's last words may still be on their way to us for so long, in seconds.
_ARRIVING_S = 0.4


#: Speaks one prompt.
_Say = Callable[[str], Awaitable[None]]


async def tracing(session: AgiSession, context: LineContext) -> None:
    """Report the last call of the phone that dials.

    Arguments: the phone's channels at this moment, what Asterisk remembers of the last calls of its two devices, where
    this device's SIP comes from, and where the account is registered from. All come with the call, so that who hangs up
    at once has reported all the same. After a failure the dialplan keeps the report.
    """
    traces = context.line.traces
    phone = endpoint_of(session)
    desk = context.main_desk
    known = context.line.directory.identify(None, phone) if phone is not None else None
    if known is not None and known.language in desk.languages:
        language = known.language
    else:
        language = desk.languages[0]

    async def say(prompt: str) -> None:
        await session.stream_file(await context.sounds.of(desk.id, prompt, language, {}), "")

    try:
        if phone is None:
            # The dialplan offers *57 to phones only.
            return
        if not traces.allows(phone):
            await say("trace-too-many")
            await session.set_variable(Variable.NEXT, DONE)
            return
        report_id = new_report_id()
        channels, last, other, address, *contacts = (*session.args, "", "", "", "")
        device = Device(phone=phone, address=address or None, registered=registered_at(",".join(contacts)))
        remembered = [one for one in (last_call(phone, last), last_call(phone, other)) if one and device.had(one.leg)]
        if len(channels.split()) > 1 and await _in_another_call(session, device):
            await say("trace-in-call")
            await session.set_variable(Variable.NEXT, DONE)
            return
        found = await _find(traces, device, next(iter(remembered), None))
        if found is None:
            sound = await context.sounds.of(desk.id, "trace-none", language, {})
            key = await session.get_option(sound, "1", 5000)
            await session.set_variable(Variable.NEXT, SUPPORT if key == "1" else DONE)
            return
        taking = asyncio.ensure_future(_take_in(traces, found, device, report_id))
        await asyncio.wait({taking}, timeout=_FIRST_WORD_S)
        try:
            if not taking.done():
                await say("trace-thanks")
        finally:
            # Also when the caller is gone by now.
            receipt = await taking
            if isinstance(found, EndedCall) and receipt.trace_id is not None:
                context.line.aside(
                    traces.settle(found, device, report_id), f"last figures of call trace {receipt.trace_id}"
                )
        await settled(session, desk, language)
        await _confirm(receipt, say)
        await session.set_variable(Variable.NEXT, DONE)
    except CallHungUp:
        # What was reported is kept; only its confirmation was not heard.
        return
    except Exception:
        log.exception("*57 conversation failed; the dialplan takes the report", event_id="OV1102", endpoint=phone)


async def _confirm(receipt: Receipt, say: _Say) -> None:
    if receipt.ticket_number is not None:
        await say("trace-again" if receipt.again else "trace-received")
        await say("ticket-number")
        digits = receipt.ticket_number
    else:
        await say("trace-received")
        await say("trace-reference")
        digits = receipt.reference
    for digit in digits:
        await say(f"digit-{digit}")
    await say("trace-follow-up")


async def _in_another_call(session: AgiSession, device: Device) -> bool:
    """Return whether this device is in a call beside this one; one that is just being hung up is given a moment.

    What another device does that shares the account is nothing to it.
    """
    await asyncio.sleep(_ARRIVING_S)
    channels = await session.get_variable(f"CHANNELS(^PJSIP/{device.phone}-)") or ""
    for channel in channels.split():
        if channel == session.env.get("channel"):
            continue
        uri = await session.ask_of(channel, "CHANNEL(pjsip,target_uri)")
        # Without one it has ended by now.
        if uri is not None and (device.address is None or address_in(uri) in (None, device.address)):
            return True
    return False


async def _find(traces: CallTraces, device: Device, remembered: LastCall | None) -> EndedCall | LastCall | None:
    """The call that is meant: the ring's, or after a restart the one that Asterisk itself remembers."""
    call = traces.last_call(device)
    if remembered is None or time.time() - remembered.ended > traces.within_s:
        return call
    if call is None or remembered.leg.linkedid != call.linkedid:
        # Asterisk knows a later call than the ring: its end is still on its way, or came before our start.
        await asyncio.sleep(_ARRIVING_S)
        call = traces.last_call(device)
    if call is not None and remembered.leg.linkedid == call.linkedid:
        return call
    return remembered


async def _take_in(traces: CallTraces, found: EndedCall | LastCall, device: Device, report_id: str) -> Receipt:
    if isinstance(found, LastCall):
        intake = traces.intake_alone(found.leg, report_id=report_id, source="phone")
    else:
        intake = await asyncio.to_thread(traces.intake, found, device, report_id=report_id)
    return await traces.take_in(intake)
