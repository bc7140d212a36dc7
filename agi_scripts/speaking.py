"""Plays the prompts of a step and waits for a key, in as few commands as can be."""

from __future__ import annotations

from agi_scripts.context import LineContext
from ivr.asterisk.fastagi import AgiSession
from ivr.desk import menu
from ivr.desk.schema import Desk

KEYS = "0123456789*#"


async def ask(session: AgiSession, context: LineContext, desk: Desk, step: menu.Ask, call_id: str) -> str | None:
    """The key pressed during or after the step's prompts, or None; the timeline gets both.

    Every prompt can be cut short by a key. The last one and the wait after it are one command.
    """
    sounds = [await context.sound_of(desk, prompt, step.language) for prompt in step.prompts]
    announced = menu.ANNOUNCEMENT in (prompt.id for prompt in step.prompts)
    if not announced:
        sounds = context.sounds.together(sounds)
    names = ", ".join(prompt.id for prompt in step.prompts)
    context.line.calls.note(call_id, "played", context.line.clock(), prompts=names, language=step.language)
    key: str | None = None
    for n, sound in enumerate(sounds[:-1]):
        key = await session.stream_file(sound, KEYS)
        if key is not None:
            break
        if announced and step.prompts[n].id == menu.ANNOUNCEMENT:
            context.line.caller_notices.heard(desk, call_id)
    else:
        if step.wait_s > 0:
            key = await session.get_option(sounds[-1], KEYS, round(step.wait_s * 1000))
        else:
            key = await session.stream_file(sounds[-1], KEYS)
    if key is not None:
        context.line.calls.note(call_id, "pressed", context.line.clock(), key=key)
    elif step.wait_s > 0:
        context.line.calls.note(call_id, "silence", context.line.clock())
    return key
