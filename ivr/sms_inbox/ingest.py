"""Takes a text message in: what it does, and what its writer is answered, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr import wording
from ivr.desk.load import main_of
from ivr.desk.oncall import Person
from ivr.desk.schema import Desk
from ivr.directory.store import language_of
from ivr.events import EventBus
from ivr.notify import store as notices
from ivr.oncall import store as oncall
from ivr.oncall.escalation import LASTS
from ivr.oncall.service import Emergencies
from ivr.oncall.store import Emergency
from ivr.sms_inbox import store
from ivr.sms_inbox.rules import Outcome, answered_by_twilio, kept_text, number_of, wish_of
from ivr.store.engine import Unit

#: The longest that a text can be, in characters, and the longest answer.
LONGEST, _LONGEST_REPLY = 1600, 500
_DAY = timedelta(days=1)
#: Each answer costs. One number is told once a day where to call, and so often what it asks about a page; within an
#: hour no more than this are sent to all who were not paged.
_TO_PAGED, _TO_ALL, _HOUR = 10, 100, timedelta(hours=1)

_WORDS = wording.texts("sms_inbox.answers")


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """A text message as the provider tells it."""

    key: str
    sender: str
    body: str
    media: int = 0


async def take_in(
    unit: Unit, given: Inbound, *, at: datetime, desks: Mapping[str, Desk], bus: EventBus, own: str = ""
) -> str:
    """Do what it says, and keep it; the answer for its writer, empty for none. Told twice, it is taken once.

    `own` is the number that we send from.
    """
    number = number_of(given.sender)
    sender = number or kept_text(given.sender, 40).strip()
    await unit.alone("texts", sender)
    known = await store.reply_to(unit, given.key)
    if known is not None:
        return known
    outcome: Outcome = "kept"
    reply, emergency = "", None
    if number is not None and given.sender.strip() != own:
        outcome, reply, emergency = await _done(unit, number, given.body, at=at, desks=desks, bus=bus)
    values = {
        "key": given.key,
        "at": at,
        "sender": sender,
        "body": kept_text(given.body, LONGEST),
        "media": given.media,
        "outcome": outcome,
        "emergency_id": emergency.id if emergency is not None else None,
        "reply": reply[:_LONGEST_REPLY],
    }
    await store.add(unit, values)
    return reply[:_LONGEST_REPLY]


async def _done(
    unit: Unit, number: str, body: str, *, at: datetime, desks: Mapping[str, Desk], bus: EventBus
) -> tuple[Outcome, str, Emergency | None]:
    wish, quiet = wish_of(body), answered_by_twilio(body)
    main = main_of(desks)
    if wish == "stop":
        await notices.opt_out(unit, number, at=at, row_id=None)
        return "stopped", "" if quiet else _WORDS[await _language(unit, number, main)]["stopped"], None
    if wish == "start":
        await notices.opt_in(unit, number)
        return "started", "", None
    paged = await oncall.last_paged(unit, number, since=at - LASTS)
    if paged is not None:
        return await _about_page(unit, number, body, *paged, at=at, desks=desks, bus=bus)
    if quiet or not await _may_answer(unit, number, at, to_number=1):
        return "kept", "", None
    words = main.text_answer
    language = await _language(unit, number, main)
    reply = words.get(language) or next(iter(words.values()))
    return "answered", reply.replace("{number}", _written(main.numbers[0])), None


async def _about_page(
    unit: Unit,
    number: str,
    body: str,
    emergency: Emergency,
    person: str,
    *,
    at: datetime,
    desks: Mapping[str, Desk],
    bus: EventBus,
) -> tuple[Outcome, str, Emergency]:
    """The answer of somebody who was paged: theirs it is, or another's, or they are told how to take it."""
    desk = desks.get(emergency.desk)
    people: Mapping[str, Person] = desk.oncall.people if desk is not None and desk.oncall is not None else {}
    words = _WORDS[people[person].language if person in people else "fr"]
    may, takes = await _may_answer(unit, number, at, to_number=_TO_PAGED), wish_of(body) == "take"
    if not takes and answered_by_twilio(body):
        return "kept", "", emergency
    if not takes:
        if emergency.taken_at is None:
            how = words["how"].format(ticket=emergency.ticket_number)
        else:
            how = ""
        return "answered" if how and may else "kept", how if may else "", emergency
    held = Emergencies(desks=desks, bus=bus, clock=lambda: at)
    taken = await held.take(unit, emergency.id, by=person)
    outcome: Outcome = "taken" if taken.taken_by == person else "taken-before"
    taker = people.get(taken.taken_by or "")
    who = taker.name if taker is not None else taken.taken_by
    reply = words[outcome].format(ticket=taken.ticket_number, who=who)
    return outcome, reply if may else "", taken


async def _may_answer(unit: Unit, number: str, at: datetime, *, to_number: int) -> bool:
    """Return whether an answer may still be paid for; those that told somebody that it is theirs are counted too."""
    mine = await store.count_answered(unit, since=at - _DAY, sender=number)
    everybodys = await store.count_answered(unit, since=at - _HOUR)
    return bool(mine < to_number and (to_number > 1 or everybodys < _TO_ALL))


async def _language(unit: Unit, number: str, desk: Desk) -> str:
    chosen = await language_of(unit, number)
    wanted = [one for one in (chosen, *desk.languages) if one in _WORDS]
    if wanted:
        return str(wanted[0])
    return "fr"


def _written(number: str) -> str:
    """A number of North America as people write it."""
    if len(number) == 11 and number.startswith("1"):
        return f"{number[1:4]} {number[4:7]}-{number[7:]}"
    return number
