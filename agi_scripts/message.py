"""Takes a voice message: nothing is confirmed before it is on disk and its ticket is committed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import structlog

from agi_scripts.context import LineContext, caller_number, endpoint_of
from ivr.asterisk.contract import DONE, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.asterisk.recorded_file import Recording, has_room, inspect, keep
from ivr.desk.schema import Desk
from ivr.errors import OmnivigilError

log = structlog.get_logger()

#: After this much silence, in seconds, the caller has finished.
SILENCE_S = 5
LONGEST_S = 180
#: A caller who said nothing, or next to nothing, is asked again this often.
ATTEMPTS = 3
#: A caller may listen or begin again this often, and presses a key within so many milliseconds, or has sent it.
REVIEWS = 6
REVIEW_MS = 4000


class _NoRoom(OmnivigilError):
    """The disk is full."""


async def message(session: AgiSession, context: LineContext) -> None:
    """Record a message for a department and open its ticket.

    Arguments: desk, department, language, `urgent` or `ordinary`, call id, why, and the file to record to,
    without extension. The dialplan keeps what was recorded should the service die in the middle. Where the disk is full
    it takes the caller to a person.
    """
    desk_id, department, language, urgency, call_id, why, file = session.args[:7]
    desk = context.desks[desk_id]
    structlog.contextvars.bind_contextvars(call=call_id)
    if not call_id:
        call_id = context.line.calls.id_of(session.env.get("uniqueid", "")) or ""
    path = Path(f"{file}.wav")
    try:
        if why:
            # The queue or the phones did not lead to a person; a closed desk has told so already.
            await _say(session, context, desk, language, "nobody-answers", call_id)
        recording = await _record(session, context, desk, language, path, call_id)
        if recording.said_something:
            recording = await _review(session, context, desk, language, recording, call_id)
    except CallHungUp:
        recording = await asyncio.to_thread(inspect, path)
        if recording.said_something:
            await _enter(session, context, desk, department, language, urgency == "urgent", call_id, recording)
            context.line.calls.end(
                call_id, context.line.clock(), result="message", reason="hung up after leaving a message"
            )
        else:
            context.line.calls.end(
                call_id, context.line.clock(), result="abandoned", reason="hung up before leaving a message"
            )
        return
    except _NoRoom:
        log.error("disk full: voice message refused, caller sent to a person", event_id="OV1103")
        with contextlib.suppress(CallHungUp):
            await session.set_variable(Variable.FULL, "yes")
        return
    except Exception:
        log.exception("message conversation failed; the dialplan takes over", event_id="OV1102")
        return
    number = await _enter(session, context, desk, department, language, urgency == "urgent", call_id, recording)
    try:
        confirmation = "message-received-urgent" if urgency == "urgent" else "message-received"
        await _say(session, context, desk, language, confirmation, call_id)
        if number is not None:
            await _say(session, context, desk, language, "ticket-number", call_id)
            for digit in number:
                await _say(session, context, desk, language, f"digit-{digit}", call_id)
        await _say(session, context, desk, language, "goodbye", call_id)
        await session.set_variable(Variable.NEXT, DONE)
    except CallHungUp:
        pass
    context.line.calls.end(call_id, context.line.clock(), result="message", reason=why or "closed")


async def _say(
    session: AgiSession, context: LineContext, desk: Desk, language: str, prompt: str, call_id: str
) -> str | None:
    context.line.calls.note(call_id, "played", context.line.clock(), prompts=prompt, language=language)
    return await session.stream_file(await context.sounds.of(desk.id, prompt, language, {}), "#")


async def _record(
    session: AgiSession, context: LineContext, desk: Desk, language: str, path: Path, call_id: str
) -> Recording:
    """Record until something was said, at most ATTEMPTS times; the last attempt is kept whatever it holds."""
    await _say(session, context, desk, language, "message-record", call_id)
    for attempt in range(1, ATTEMPTS + 1):
        # k: what was recorded stays when the caller hangs up. Record plays the beep.
        await session.execute("Record", str(path), str(SILENCE_S), str(LONGEST_S), "k")
        recording = await asyncio.to_thread(inspect, path)
        context.line.calls.note(
            call_id,
            "recorded",
            context.line.clock(),
            seconds=recording.seconds,
            said_something=recording.said_something,
        )
        if not recording.said_something and not await asyncio.to_thread(has_room, path.parent):
            # Whatever the caller says, it would come to nothing.
            raise _NoRoom
        if recording.said_something or attempt == ATTEMPTS:
            break
        again = "message-silence" if recording.silent else "message-short"
        await _say(session, context, desk, language, again, call_id)
    return recording


async def _review(
    session: AgiSession, context: LineContext, desk: Desk, language: str, recording: Recording, call_id: str
) -> Recording:
    """Let the caller send it, listen to it or record it again; who does nothing, or hangs up, has sent it.

    What was recorded before is kept until something was said again.
    """
    path, kept = recording.path, recording.path.with_suffix(".before")
    sound = await context.sounds.of(desk.id, "message-review", language, {})
    for _ in range(REVIEWS):
        context.line.calls.note(call_id, "played", context.line.clock(), prompts="message-review", language=language)
        key = await session.get_option(sound, "123", REVIEW_MS)
        context.line.calls.note(call_id, "pressed", context.line.clock(), key=key or "")
        if key == "2":
            await session.stream_file(str(path.with_suffix("")), "123#")
        elif key == "3":
            await asyncio.to_thread(shutil.copyfile, path, kept)
            try:
                await _record(session, context, desk, language, path, call_id)
            finally:
                # Also when the caller hangs up meanwhile.
                recording = await asyncio.to_thread(_better, path, kept)
        else:
            break
    return recording


def _better(path: Path, before: Path) -> Recording:
    """The new recording, or the one before it where nothing was said again."""
    anew = inspect(path)
    if anew.said_something:
        before.unlink(missing_ok=True)
        return anew
    before.replace(path)
    return inspect(path)


async def _enter(
    session: AgiSession,
    context: LineContext,
    desk: Desk,
    department: str,
    language: str,
    urgent: bool,
    call_id: str,
    recording: Recording,
) -> str | None:
    """Make the message durable and open its ticket; its number, or None when the database is away.

    Returns only once the request can no longer be lost. Raises OSError when not even the disk takes it.
    """
    await asyncio.to_thread(keep, recording)
    receipt = await context.line.call_tickets.leave_message(
        desk=desk,
        calendar=context.calendars[desk.id][department],
        department=department,
        language=language,
        urgent=urgent,
        call_id=call_id or None,
        number=caller_number(session, desk),
        endpoint=endpoint_of(session),
        recording=recording,
    )
    context.line.calls.note(
        call_id, "message", context.line.clock(), ticket=receipt.ticket_number, reference=receipt.reference
    )
    return receipt.ticket_number
