"""The conversations, by the path that the dialplan asks for (`AGI(agi://…/PATH)`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

from agi_scripts.announcing import announcing
from agi_scripts.callback import callback
from agi_scripts.context import LineContext
from agi_scripts.line import line
from agi_scripts.member_check import offered
from agi_scripts.message import message
from agi_scripts.oncall_call import page
from agi_scripts.partner import place
from agi_scripts.queue_keys import waiting
from agi_scripts.technician import technician
from agi_scripts.tracing import tracing
from ivr.asterisk.fastagi import AgiSession
from ivr.line import Line

log = structlog.get_logger()

Conversation = Callable[[AgiSession, LineContext], Awaitable[None]]

CONVERSATIONS: Mapping[str, Conversation] = MappingProxyType(
    {
        "line": line,
        "message": message,
        "waiting": waiting,
        "callback": callback,
        "offered": offered,
        "place": place,
        "technician": technician,
        "announcing": announcing,
        "page": page,
        "trace": tracing,
    }
)


async def converse(session: AgiSession, line: Line, conversations: Mapping[str, Conversation] = CONVERSATIONS) -> None:
    """Hold the conversation that the dialplan asks for; of an unknown path it takes the caller itself."""
    # Bound and not unbound again: each conversation is a task of its own, and what ends it is logged outside of here.
    structlog.contextvars.bind_contextvars(channel=session.env.get("channel"))
    if (call_id := line.calls.id_of(session.env.get("uniqueid", ""))) is not None:
        structlog.contextvars.bind_contextvars(call=call_id)
    conversation = conversations.get(session.path)
    if conversation is None:
        log.error("unknown conversation requested; the dialplan takes over", event_id="OV1102", path=session.path)
        return
    await conversation(session, LineContext.begun(line, session.env.get("uniqueid", "")))
