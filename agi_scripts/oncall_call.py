"""A page call: who left an emergency, since when, and the message itself; 1 takes it, 2 passes it on (OV-7)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import structlog

from agi_scripts.context import LineContext
from ivr.access_log import store as listenings
from ivr.asterisk.contract import DONE, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.desk.schema import CallbackRules, Desk
from ivr.desk.spoken_time import opening_phrase
from ivr.errors import OmnivigilError, Unavailable
from ivr.numbers.diallable import Refused, diallable
from ivr.oncall import store
from ivr.oncall.page_calls import way_to
from ivr.oncall.service import Emergencies
from ivr.oncall.store import Emergency, PageCall
from ivr.tickets import store as tickets
from ivr.tickets.model import Ticket

log = structlog.get_logger()

#: The keys are told this often; a voicemail presses none.
_TIMES = 3
#: Milliseconds to press one.
_WAIT_MS = 5000
#: Seconds in which the database may come back before the one who takes it is told that it is noted later.
_PATIENCE_S = 6.0
_LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True)
class _Page:
    """What is told on one call, to whom."""

    call: PageCall
    emergency: Emergency
    ticket: Ticket
    recording: str | None
    #: The registered phone that the message came from.
    endpoint: str | None
    desk: Desk
    language: str
    person: str
    #: The customer's, as a voice can say it; empty when it is not known.
    name: str
    #: How many emergencies this page stands for.
    together: int


async def page(session: AgiSession, context: LineContext) -> None:
    """Arguments: `ask` on the channel of whoever is on call, `connected` on the customer's; and the page call's id.

    Tells the dialplan by OV_WAY and OV_WHOM whom to dial when the one on call wants to talk to the customer at once.
    """
    what, call_id = session.args[0], int(session.args[1])
    try:
        found = await _read(context, call_id)
        if found is None:
            log.error("unknown page call from the dialplan", call=call_id)
            return
        if what == "connected":
            await _called_back(context, found)
        else:
            await _ask(session, context, found)
    except CallHungUp:
        if what == "ask":
            context.line.aside(context.line.page_calls.ended(call_id, "no-key"), f"end of page call {call_id}")
    except Exception:
        # The dialplan tells that there is an emergency, and the next page comes; what was taken is taken.
        log.exception("page call conversation failed", call=call_id)


async def _read(context: LineContext, call_id: int) -> _Page | None:
    async with context.line.store.reading() as unit:
        call = await store.page_call(unit, call_id)
        emergency = None
        if call is not None:
            emergency = await store.get(unit, call.emergency_id)
        if call is None or emergency is None:
            return None
        ticket = await tickets.get(unit, emergency.ticket_number)
        messages = await tickets.messages(unit, message_id=emergency.message_id)
        if emergency.bundle:
            together = len(await store.left_in_bundle(unit, emergency.id))
        else:
            together = 1
    desk = context.desks.get(emergency.desk)
    if ticket is None or desk is None or desk.oncall is None:
        return None
    person = desk.oncall.people.get(call.person or "")
    language = person.language if person is not None else desk.languages[0]
    return _Page(
        call=call,
        emergency=emergency,
        ticket=ticket,
        recording=messages[0]["file"] if messages else None,
        endpoint=messages[0]["endpoint"] if messages else None,
        desk=desk,
        language=language if language in desk.languages else desk.languages[0],
        person=call.person or "fallback",
        name=spoken_name(ticket.account_name or ticket.requester_name),
        together=together,
    )


async def _ask(session: AgiSession, context: LineContext, found: _Page) -> None:
    await context.line.page_calls.answered(found.call.id)
    try:
        await _talk(session, context, found)
    finally:
        if found.name:
            await context.sounds.forget(found.desk.id, "page-from", found.language, {"name": found.name})
    # Else the dialplan tells that there is something.
    await session.set_variable(Variable.NEXT, DONE)


async def _talk(session: AgiSession, context: LineContext, found: _Page) -> None:
    if found.emergency.taken_at is not None:
        await _say(session, context, found, "page-other")
        await context.line.page_calls.ended(found.call.id, "not-needed")
        return
    key = await _tell(session, context, found)
    if key == "1":
        await _take(session, context, found)
    elif key == "2":
        await context.line.paging.pass_on(found.emergency.id, found.call.person)
        await context.line.page_calls.ended(found.call.id, "passed")
        await _say(session, context, found, "page-passed")
    else:
        await context.line.page_calls.ended(found.call.id, "no-key")


async def _tell(session: AgiSession, context: LineContext, found: _Page) -> str | None:
    """Everything there is to hear, as often as need be; 1 or 2, at any moment, or None."""
    left, now = found.emergency.left_at.astimezone(found.desk.zone), context.line.clock()
    when = opening_phrase(left, now, found.language)
    sounds = await _spoken(context, found, "page-greeting", when=when)
    if found.together > 1:
        sounds += await _spoken(context, found, "page-bundle", count=str(found.together))
    if found.name:
        named = await _spoken(context, found, "page-from", name=found.name)
    else:
        named = []
    sounds += named
    if not named and found.emergency.number:
        sounds.append(await _sound(context, found, "page-number"))
        sounds += [await _sound(context, found, f"digit-{digit}") for digit in found.emergency.number[-10:]]
    recording = context.recording(found.recording)
    if recording is not None:
        await _note_listening(context, found)
    sounds.append(recording or await _sound(context, found, "page-no-recording"))
    keys = await _sound(context, found, "page-keys")
    for _ in range(_TIMES):
        key: str | None = None
        for sound in sounds:
            if (key := await session.stream_file(sound, "123")) is not None:
                break
        if key is None:
            key = await session.get_option(keys, "123", _WAIT_MS)
        if key in ("1", "2"):
            return key
        # 3, or nothing: from the beginning of the message; who called is known by now.
        sounds = sounds[-1:]
    return None


async def _take(session: AgiSession, context: LineContext, found: _Page) -> None:
    """Commit, then say so; and offer to dial the customer."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            mine = await _taken(context, found)
    except TimeoutError:
        context.line.aside(_taken(context, found), f"taking of emergency {found.emergency.id}")
        await _say(session, context, found, "page-not-noted")
        return
    if not mine:
        await context.line.page_calls.ended(found.call.id, "not-needed")
        await _say(session, context, found, "page-other")
        return
    way = _way_back(context, found)
    if way is None:
        await _say(session, context, found, "page-taken")
    elif await session.get_option(await _sound(context, found, "page-taken-connect"), "1", _WAIT_MS) == "1":
        await _say(session, context, found, "page-connecting")
        await session.set_variable(Variable.WAY, way[0])
        await session.set_variable(Variable.WHOM, way[1])


def _way_back(context: LineContext, found: _Page) -> tuple[str, str] | None:
    """How the customer is dialled: the phone that they called from, or their number. None where it may not be: whoever
    calls says what their number is, and an expensive one is toll fraud."""
    book, number = context.line.directory.book, found.emergency.number
    if found.endpoint is not None and book.endpoint(found.endpoint) is not None:
        return "phone", found.endpoint
    if number is None:
        return None
    way = way_to(number, book, trunk=context.line.trunk)
    if way is None or way[0] == "phone":
        return way
    rules = next((queue.callback for queue in found.desk.queues.values() if queue.callback), CallbackRules())
    own = {dialled for desk in context.desks.values() for dialled in desk.dialled}
    allowed = diallable(number, region=found.desk.region, allowed=rules.regions, own=own)
    if isinstance(allowed, Refused):
        log.warning("customer's number refused for a page call", emergency=found.emergency.id, reason=allowed.reason)
        return None
    return way[0], allowed


async def _note_listening(context: LineContext, found: _Page) -> None:
    """Who listens is noted; the emergency is heard all the same."""
    subject = str(found.emergency.message_id)
    try:
        async with context.line.store.unit() as unit:
            await listenings.note(unit, kind="message", subject=subject, who=found.person, at=context.line.clock())
    except Unavailable as error:
        log.error("playback not written to the access log", message=subject, who=found.person, error=str(error))


async def _taken(context: LineContext, found: _Page) -> bool:
    """Take the emergency. Returns whether it is this person's now, and no other's; waits for the database."""
    while True:
        try:
            async with context.line.store.unit() as unit:
                done = await _emergencies(context).take(unit, found.emergency.id, by=found.person)
            break
        except Unavailable as error:
            log.error("emergency taken but not saved yet; retrying", emergency=found.emergency.id, error=str(error))
            await asyncio.sleep(1)
    mine = done.taken_by == found.person
    if mine:
        await context.line.page_calls.ended(found.call.id, "taken")
    return mine


def _emergencies(context: LineContext) -> Emergencies:
    return Emergencies(desks=context.desks, bus=context.line.bus, clock=context.line.clock)


async def _called_back(context: LineContext, found: _Page) -> None:
    async with context.line.store.unit() as unit:
        await _emergencies(context).call_back(unit, found.emergency.id, by=found.person)


async def _sound(context: LineContext, found: _Page, prompt: str, **variables: str) -> str:
    return await context.sounds.of(found.desk.id, prompt, found.language, variables)


async def _spoken(context: LineContext, found: _Page, prompt: str, **variables: str) -> list[str]:
    """A prompt that is spoken for this call; nothing when the voice fails: the message is heard all the same."""
    try:
        return [await _sound(context, found, prompt, **variables)]
    except (TimeoutError, OmnivigilError, OSError) as error:
        log.error("page call continues without a prompt", prompt=prompt, error=str(error))
        return []


async def _say(session: AgiSession, context: LineContext, found: _Page, prompt: str) -> None:
    await session.stream_file(await _sound(context, found, prompt), "")


def spoken_name(name: str | None) -> str:
    """Return what a voice can say of a name; nothing in it that a voice would take for a command."""
    return " ".join(re.sub(r"[^\w\s.,'’&-]|_", " ", name or "").split())[:_LONGEST_NAME]
