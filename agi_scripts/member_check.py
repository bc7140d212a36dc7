"""A queue is about to ring a technician for a caller: whether it is to be this one."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from agi_scripts.context import LineContext, member_of
from ivr.asterisk.contract import ANOTHER, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.callbacks.channels import part_of
from ivr.callbacks.model import Callback
from ivr.calls.model import Call
from ivr.directory.model import Technician
from ivr.queueing.member_choice import Candidate, Need, may_ring

log = structlog.get_logger()

#: Asterisk's question may overtake its own word that the caller joined a queue: looks for that word, and between them.
_LOOKS, _LOOK_S = 25, 0.02


async def offered(session: AgiSession, context: LineContext) -> None:
    """On the technician's channel, before it rings; the argument is the linkedid of who waits.

    Only a clear no is said: whatever fails here, the technician is rung.
    """
    endpoint = member_of(session)
    try:
        if endpoint is None:
            return
        await _joined(context, session.args[0])
        if not _rings(context, session.args[0], endpoint):
            await session.set_variable(Variable.NEXT, ANOTHER)
    except CallHungUp:
        return
    except Exception:
        log.exception("technician choice failed; the queue rings this one", endpoint=endpoint)


async def _joined(context: LineContext, linkedid: str) -> None:
    """Wait until the record says in which queue a caller stands; not for a call that it does not know."""
    for _ in range(_LOOKS):
        call = context.line.calls.call_of(linkedid)
        if call is None or call.queue is not None:
            return
        await asyncio.sleep(_LOOK_S)


def _queue_of(held: Callback | None, call: Call | None) -> str | None:
    if held is not None:
        return held.queue
    return call.queue if call is not None else None


def _rings(context: LineContext, linkedid: str, endpoint: str) -> bool:
    now = context.line.clock()
    part = part_of(linkedid)
    held = context.line.keeper.get(part.callback) if part is not None else None
    call = context.line.calls.call_of(linkedid) if held is None else None
    queue = _queue_of(held, call)
    rules = next((desk.queues[queue] for desk in context.desks.values() if queue in desk.queues), None)
    if queue is None or rules is None:
        return True
    before: list[Need] = []
    mine: Need | None = None
    for place in context.line.watch.places(queue):
        need = _need(context, place.uniqueid, place.callback, place.arrived_at, now)
        if place.uniqueid == linkedid or (held is not None and place.callback == held.id):
            mine = need
            break
        before.append(need)
    if mine is None:
        return True
    candidates = [
        _candidate(
            context.line.directory.technician(member.endpoint),
            endpoint=member.endpoint,
            penalty=member.penalty,
            on_duty=context.line.watch.is_on_duty(member),
            free=context.line.watch.is_free(queue, member),
        )
        for member in context.line.watch.members(queue)
    ]
    return may_ring(mine, endpoint, candidates, before=before, suited_s=rules.suited_s)


def _need(context: LineContext, uniqueid: str, callback: str | None, since: datetime, now: datetime) -> Need:
    """Return the needs of the caller at a place."""
    waited_s = (now - since).total_seconds()
    one = context.line.keeper.get(callback) if callback is not None else context.line.calls.call_of(uniqueid)
    desk = context.desks.get(one.desk) if one is not None else None
    if one is None or desk is None:
        return Need(language=None, waited_s=waited_s)
    department = desk.departments.get(one.department or "")
    skill = department.skill if department is not None else None
    return Need(language=one.language, skill=skill, waited_s=waited_s)


def _candidate(known: Technician | None, *, endpoint: str, penalty: int, on_duty: bool, free: bool) -> Candidate:
    """A member with what the directory says of them."""
    if known is not None:
        spoken = {one["language"]: one["penalty"] for one in known.languages}
    else:
        spoken = {}
    skills = frozenset(known.skills) if known is not None else frozenset()
    return Candidate(endpoint=endpoint, penalty=penalty, languages=spoken, skills=skills, on_duty=on_duty, free=free)
