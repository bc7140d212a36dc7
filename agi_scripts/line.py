"""From the greeting to the decision where the call goes. The menu itself is `ivr.desk.menu`; here it is spoken."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog

from agi_scripts.context import LineContext, caller_number, endpoint_of
from agi_scripts.incident_sms import follow
from agi_scripts.partner import dial_string
from agi_scripts.pending_callback import pending_callback
from agi_scripts.returning_caller import kept_place
from agi_scripts.speaking import ask
from ivr import outside_staff
from ivr.asterisk.contract import NextStep, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.desk import menu
from ivr.desk.schema import Desk
from ivr.directory.elite import partner_first
from ivr.directory.model import Partner
from ivr.numbers.normalise import normalise

log = structlog.get_logger()


async def line(session: AgiSession, context: LineContext) -> None:
    """Carry one call through its desk's menu; arguments are the desk's id, the number dialled, and the caller's number
    where they asked to be private: it tells who they are, and nobody is shown it.

    The decision is the very last thing sent. Without it, whatever happened here, the dialplan takes the
    caller to a person by itself.
    """
    desk = context.desks[session.args[0]]
    dialled = session.args[1]
    number, endpoint = caller_number(session, desk), endpoint_of(session)
    private = normalise(session.args[2], desk.region) if len(session.args) > 2 else None
    identity = context.line.directory.identify(number or private, endpoint, desk.provider)
    call_id = uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(call=call_id)
    context.line.calls.begin(
        call_id,
        linkedid=session.env.get("uniqueid", ""),
        channel=session.env.get("channel", ""),
        desk=desk.id,
        dialled=dialled,
        ani=number,
        endpoint=endpoint,
        identity=identity,
        at=context.line.clock(),
        private_number=private,
    )
    caller = menu.Caller(
        number=number,
        language=identity.language,
        registered_phone=endpoint,
        known=identity.customer is not None,
    )
    try:
        destination = await _converse(session, context, desk, caller, dialled, call_id)
        place = await pending_callback(session, context, desk, destination, call_id)
        if place == "":
            place = await kept_place(session, context, desk, destination, call_id)
        if place is not None:
            partner = None
            if place == "":
                partner = partner_first(desk, destination, identity)
            await _decide(session, context, desk, destination, call_id, partner, place)
    except CallHungUp:
        context.line.calls.end(call_id, context.line.clock(), result="hung-up-in-menu", reason="caller hung up")
    except Exception as error:
        # The dialplan takes over: the caller reaches a person, and the person on call reads why.
        context.line.calls.note(call_id, "failed", context.line.clock(), error=repr(error))
        log.exception("menu conversation failed; the dialplan takes over", event_id="OV1102")


async def _converse(
    session: AgiSession, context: LineContext, desk: Desk, caller: menu.Caller, dialled: str, call_id: str
) -> menu.Destination:
    """Speak the menu's steps and give it what is pressed, until it knows where the call goes."""

    def announced() -> menu.Announced | None:
        return context.line.caller_notices.announced(desk, call_id)

    steps = menu.line(desk, context.calendars[desk.id], caller, dialled, context.line.clock, announced)
    language = desk.languages[0]
    answer: str | None = None
    try:
        while True:
            try:
                step = steps.send(answer) if answer is not None else next(steps)
            except StopIteration as end:
                destination: menu.Destination = end.value
                return destination
            if isinstance(step, menu.Decided):
                context.line.calls.note(call_id, "decided", context.line.clock(), what=step.what, **step.facts)
                answer = None
                continue
            if isinstance(step, menu.Follow):
                await follow(session, context, desk, step.language, call_id)
                answer = None
                continue
            if step.language != language:
                language = step.language
                # So that the dialplan, should it have to take over, goes on in this language.
                await session.set_variable(Variable.LANGUAGE, language)
            answer = await ask(session, context, desk, step, call_id)
    finally:
        steps.close()


def ring_target(desk: Desk, phones: Sequence[str], *, trunk: bool) -> str:
    """Return what Dial rings for a department: phones of ours, and numbers outside where the line has a way out."""
    ours = [f"PJSIP/{phone}" for phone in phones if phone.isdigit()]
    numbers = [number for phone in phones if not phone.isdigit() if isinstance(number := desk.number_of(phone), str)]
    if numbers and not trunk:
        log.warning("department's outside numbers not rung: no outbound trunk", event_id="OV1101", desk=desk.id)
        numbers = []
    return "&".join([*ours, *(f"Local/{number}@{desk.id}-outside/n" for number in numbers)])


async def _decide(
    session: AgiSession,
    context: LineContext,
    desk: Desk,
    to: menu.Destination,
    call_id: str,
    partner: Partner | None,
    place: str,
) -> None:
    if to.kind == "queue":
        target = to.queue
    else:
        target = ring_target(desk, to.phones, trunk=context.line.trunk)
    seconds = desk.queues[to.queue].max_wait_s if to.queue else to.ring_s
    if to.kind == "ring" and any(phone.startswith("tel:") for phone in to.phones):
        seconds = (seconds or 0) + outside_staff.TAKEN_S
    now = context.line.clock()
    kind: str = to.kind
    first, first_s = "", None
    if partner is not None:
        kind, first = "partner", dial_string(partner, context.line.directory.book)
        first_s = desk.tickets.routing.elite_ring_s
    context.line.calls.note(call_id, "routed", now, to=kind, department=to.department, target=target, why=to.reason)
    context.line.calls.route(call_id, department=to.department, language=to.language)
    if to.kind in ("queue", "ring"):
        context.line.call_tickets.open(call_id, desk, to.department, to.language)
    context.line.callers.remember_language(desk, call_id, to.language)
    step = NextStep(
        kind=kind,
        language=to.language,
        department=to.department,
        target=target or "",
        seconds=int(seconds or 0),
        call_id=call_id,
        urgent=to.urgent,
        position=int(place) if place else None,
        partner=first,
        partner_s=first_s,
    )
    await session.set_variable(Variable.NEXT, step.text())
