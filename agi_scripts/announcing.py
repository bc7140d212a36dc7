"""*58: a technician records the state of the services, hears it, and puts it on the air (OV-10)."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Literal

import structlog

from agi_scripts.context import LineContext, endpoint_of
from ivr.announcements.model import LONGEST_S
from ivr.announcements.pins import Pins
from ivr.asterisk.contract import DONE, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.asterisk.recorded_file import inspect
from ivr.desk.schema import Desk
from ivr.directory.model import Technician
from ivr.errors import BadInput
from ivr.prompts.audio import decode

log = structlog.get_logger()

#: Tries on one call; more take another call, and all count (`ivr.announcements.pins`).
_TRIES_A_CALL = 3
_PIN_WAIT_MS = 5000
_LONGEST_PIN = 9
#: Silence after the choices, in milliseconds, and how often they are said.
_CHOICE_WAIT_MS = 8000
_CHOICES_SAID = 3
#: How often an empty recording is begun again.
_RECORDINGS = 3


async def announcing(session: AgiSession, context: LineContext) -> None:
    """Carry one such call. What is recorded goes to the spool first, and is on the air only once it is kept."""
    endpoint = endpoint_of(session)
    who = context.line.directory.technician(endpoint) if endpoint is not None else None
    desk = _desk_of(context, who)
    if who is not None and who.language in desk.languages:
        language = who.language
    else:
        language = desk.languages[0]
    call = _Call(session, context, desk, language)
    file = context.line.settings.spool / "announcements" / uuid.uuid4().hex
    try:
        if who is None:
            await call.say("technician-unknown")
        elif await _admitted(call, context.line.pins, who):
            await _change(call, who, file)
        await session.set_variable(Variable.NEXT, DONE)
    except CallHungUp:
        # Nothing was kept, or all of it was.
        return
    except Exception:
        log.exception("announcement by phone failed", endpoint=endpoint)
    finally:
        file.with_suffix(".wav").unlink(missing_ok=True)


class _Call:
    """What is said to whom."""

    def __init__(self, session: AgiSession, context: LineContext, desk: Desk, language: str) -> None:
        self.session = session
        self.context = context
        self.desk = desk
        self.language = language

    async def sound(self, prompt: str) -> str:
        return await self.context.sounds.of(self.desk.id, prompt, self.language, {})

    async def say(self, prompt: str) -> None:
        """Any key goes on to what follows."""
        await self.session.stream_file(await self.sound(prompt), "0123456789*#")

    async def choose(self, prompt: str, keys: str) -> str | None:
        """One of `keys`; None for silence."""
        for _ in range(_CHOICES_SAID):
            key = await self.session.get_option(await self.sound(prompt), "0123456789*#", _CHOICE_WAIT_MS)
            if key is not None and key in keys:
                return key
            if key is not None:
                await self.say("invalid")
        return None


def _desk_of(context: LineContext, who: Technician | None) -> Desk:
    """The desk whose queue the technician answers first."""
    queues = who.queues if who is not None else ()
    for queue in queues:
        for desk in context.desks.values():
            if queue in desk.queues:
                return desk
    return context.main_desk


async def _admitted(call: _Call, pins: Pins, who: Technician) -> bool:
    verdict = await pins.state(who.id)
    if verdict == "right":
        for _ in range(_TRIES_A_CALL):
            dialled, _ = await call.session.get_data(await call.sound("pin-enter"), _PIN_WAIT_MS, _LONGEST_PIN)
            if not dialled:
                continue
            verdict = await pins.judge(who.id, dialled)
            if verdict != "wrong":
                break
            log.warning("wrong PIN for an announcement", technician=who.id)
            await call.say("pin-wrong")
        else:
            return False
    match verdict:
        case "right":
            return True
        case "locked":
            log.warning("PIN for announcements is locked", technician=who.id)
            await call.say("pin-locked")
        case _:
            await call.say("pin-none")
    return False


async def _change(call: _Call, who: Technician, file: Path) -> None:
    announcer = call.context.line.announcer
    if announcer.in_force(call.desk.id) is not None:
        key = await call.choose("announcement-in-force", "12*")
        if key == "2":
            await announcer.end(call.desk, who.name)
            await call.say("announcement-ended")
            return
        if key != "1":
            await call.say("announcement-cancelled")
            return
    if await _recorded(call, file) == "keep":
        try:
            pcm = await asyncio.to_thread(decode, file.with_suffix(".wav"))
            recordings = dict.fromkeys(call.desk.languages, pcm)
            await announcer.announce_recordings(call.desk, recordings, source="phone", who=who.name)
        except BadInput as error:
            log.warning("recorded announcement cannot be used", problem=error.problem)
            await call.say("announcement-silent")
        else:
            await call.say("announcement-on-air")
            return
    await call.say("announcement-cancelled")


async def _recorded(call: _Call, file: Path) -> Literal["keep", "cancel"]:
    """Record, listen and record again, until it is to be kept, or not."""
    attempts = 0
    await call.say("announcement-record")
    while attempts < _RECORDINGS:
        # Only # ends it: a technician who stops to think goes on.
        await call.session.execute("Record", f"{file}.wav", "0", f"{LONGEST_S:.0f}")
        recording = await asyncio.to_thread(inspect, file.with_suffix(".wav"))
        if recording.silent:
            attempts += 1
            await call.say("announcement-silent")
            continue
        while True:
            key = await call.choose("announcement-review", "123*")
            if key == "1":
                await call.session.stream_file(str(file), "0123456789*#")
                continue
            break
        if key == "2":
            return "keep"
        if key != "3":
            return "cancel"
        attempts = 0
        await call.say("announcement-record")
    return "cancel"
