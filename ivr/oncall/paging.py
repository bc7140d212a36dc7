"""Pages whoever is on call for every urgent voice message, until somebody takes it (OV-7).

Text messages leave through the outbox, and calls by `ivr.oncall.page_calls`, both from rows of the transaction that
notes the page: each page is sent once, by however many services and however often they are started again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ivr import wording
from ivr.clock import Clock
from ivr.desk.oncall import OnCall
from ivr.desk.schema import Desk
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.isolation import apart
from ivr.notify.outbox import Sms, put_email, put_sms, texts_since, withdraw_sms
from ivr.notify.store import TextProblem, text_problems
from ivr.oncall import store
from ivr.oncall.breach import is_late, late_email
from ivr.oncall.escalation import LASTS, PROMISE, Page, brought_forward, come, timetable
from ivr.oncall.rota import line_at
from ivr.oncall.service import PAGE, facts, note_taken, texts_about
from ivr.oncall.store import Emergency
from ivr.oncall.storms import STORM, Placed, may_page, may_text, placed
from ivr.refusals import Refusals
from ivr.store.engine import Store, Unit
from ivr.tickets import service
from ivr.tickets import store as tickets
from ivr.tickets.intake_commit import SAME_THING
from ivr.tickets.model import DONE, Ticket
from ivr.ticks import rest

log = structlog.get_logger()

#: Who did it, in a ticket's history.
ONCALL = "on call"
_BATCH = 20
#: For so long a number that gets no text messages is sent none; it is rung, and told in the console.
_LANDLINE = timedelta(days=7)
#: The last text message to somebody on call is looked at for so long.
_TROUBLES = timedelta(days=30)
#: In so much time everybody in line is paged at least once; who passes it on brings one of these pages forward.
_ROUND = timedelta(hours=12)

_TEXTS = wording.text("oncall.page")
_UNKNOWN = wording.text("oncall.unknown")
#: By whether their callers are customers.
_BUNDLES = wording.texts("oncall.bundle")


class Paging:
    """Turns urgent messages into emergencies, and pages for them."""

    def __init__(
        self,
        database: Store,
        desks: Mapping[str, Desk],
        bus: EventBus,
        clock: Clock,
        refusals: Refusals | None = None,
    ) -> None:
        self._store = database
        self._refusals = refusals or Refusals()
        self._desks = desks
        self._bus = bus
        self._clock = clock
        #: Whether an emergency waited at the last look, as far as is known.
        self._busy = True

    async def run(self, every_s: float = 2.0, idle_s: float = 5.0) -> None:
        """Page until cancelled; look less often while nobody waits to be paged for."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.error("paging suspended: database unavailable", event_id="OV2004", error=str(error))
            await rest(every_s if self._busy else idle_s)

    async def once(self) -> int:
        """Page for what is due now; how many pages left. Raises StoreUnavailable."""
        now = self._clock()
        self._busy = True
        async with self._store.reading() as unit:
            new = await store.new_messages(unit, now - LASTS, _BATCH)
            waiting = await store.waiting(unit, now - LASTS)
        self._busy = bool(new or waiting)
        for message in new:
            desk = self._desks.get(message["desk"])
            if desk is None or desk.oncall is None:
                continue
            made = None
            with apart("emergency not opened for an urgent message; retrying", message["id"]):
                async with self._store.unit() as unit:
                    made = await _begin(unit, message, desk.oncall.strangers_an_hour)
            if made is None:
                continue
            if made[0].merged_into is None:
                waiting.append(made[0])
            if made[1] != "alone":
                self._refusals.note("page-bundled", desk=desk.id, emergency=made[0].id, known=made[0].known)
        sent = 0
        for emergency in waiting:
            try:
                sent += await self._page(emergency, now)
                if is_late(emergency, now):
                    await self._tell_late(emergency.id, now)
            except Unavailable:
                raise
            except Exception:
                log.exception("paging failed for one emergency; retrying", event_id="OV2004", emergency=emergency.id)
        return sent

    async def _page(self, seen: Emergency, now: datetime) -> int:
        desk = self._desks.get(seen.desk)
        if desk is None or desk.oncall is None:
            return 0
        async with self._store.reading() as unit:
            line = await line_of(unit, desk, desk.oncall, seen.left_at)
        pages = timetable(desk.oncall, line, seen.left_at, now)
        if not come(pages, seen.pages, now):
            return 0
        async with self._store.unit() as unit:
            emergency = await store.lock(unit, seen.id)
            if emergency is None or emergency.taken_at is not None:
                return 0
            ticket = await service.get(unit, emergency.ticket_number)
            since = _taken_since(ticket, emergency)
            if emergency.bundle:
                # Work on one of its tickets is no work on the others.
                since = None if await store.left_in_bundle(unit, emergency.id) else now
                last = await store.bundle_taken_at(unit, desk.id, known=emergency.known)
                if since is None and not may_page(known=emergency.known, bundle=True, last_taken=last, now=now):
                    return 0
            if since is not None:
                await note_taken(unit, emergency.id, at=since, by="ticket")
                return 0
            ahead = {call.nth for call in await store.page_calls(unit, emergency.id)}
            due = come(pages, emergency.pages, now, ahead)
            for page in due:
                await self._send(unit, desk.oncall, desk.zone, emergency, ticket, page, now)
            reached = sum(page.at <= now for page in pages)
            if reached > emergency.pages:
                notified = emergency.notified_at or now
                await store.change(unit, emergency.id, {"pages": reached, "notified_at": notified})
            if due:
                unit.afterwards(lambda: self._bus.publish("emergency.paged", now, facts(emergency)))
        return len(due)

    async def _tell_late(self, emergency_id: int, now: datetime) -> None:
        async with self._store.unit() as unit:
            emergency = await store.lock(unit, emergency_id)
            if emergency is None or not is_late(emergency, now):
                return
            ticket = await service.get(unit, emergency.ticket_number)
            await store.change(unit, emergency.id, {"late_at": now})
            if emergency.bundle:
                bundled = await store.left_in_bundle(unit, emergency.id)
            else:
                bundled = []
            email = late_email(self._desks[emergency.desk], emergency, ticket, bundled=bundled)
            await put_email(unit, email, at=now)
            told = {"emergency": emergency.id, "pages": emergency.pages}
            await tickets.add_event(
                unit, ticket.number, at=now, who=ONCALL, kind="emergency-late", changes=told, version=ticket.version
            )
            unit.afterwards(lambda: self._bus.publish("emergency.late", now, facts(emergency)))

    async def pass_on(self, emergency_id: int, person: str | None) -> None:
        """Whoever was rung cannot take it: the next in line who has not said so too is paged now, unless somebody is
        being rung for it already. Raises Unavailable."""
        now = self._clock()
        async with self._store.unit() as unit:
            emergency = await store.lock(unit, emergency_id)
            desk = self._desks.get(emergency.desk) if emergency is not None else None
            if emergency is None or emergency.taken_at is not None or desk is None or desk.oncall is None:
                return
            line = await line_of(unit, desk, desk.oncall, emergency.left_at)
            pages = timetable(desk.oncall, line, emergency.left_at, now + _ROUND)
            calls = await store.page_calls(unit, emergency.id)
            if any(call.state != "ended" and call.person != person for call in calls):
                return
            cannot = {call.person for call in calls if call.outcome == "passed"} | {person}
            following = brought_forward(pages, emergency.pages, {call.nth for call in calls}, cannot)
            if following is not None:
                ticket = await service.get(unit, emergency.ticket_number)
                await self._send(unit, desk.oncall, desk.zone, emergency, ticket, following, now)

    async def _send(
        self,
        unit: Unit,
        duty: OnCall,
        zone: ZoneInfo,
        emergency: Emergency,
        ticket: Ticket,
        page: Page,
        now: datetime,
    ) -> None:
        person = duty.people[page.person] if page.person is not None else None
        to, language = (person.phone, person.language) if person is not None else (str(duty.fallback), "fr")
        if emergency.bundle:
            bundled = await store.left_in_bundle(unit, emergency.id)
        else:
            bundled = []
        about = texts_about(emergency.id)
        # While Twilio is away they would pile up, and all come at once.
        await withdraw_sms(unit, about, to=to, at=now)
        await unit.alone("page texts", to)
        sent = await texts_since(unit, PAGE, to=to, since=now - timedelta(hours=1))
        troubles = await text_problems(unit, [to], since=now - _LANDLINE)
        landline = to in troubles and troubles[to].kind == "no-mobile"
        texted = not landline and may_text(sent, known=emergency.known, first=page.nth == 0, every_min=duty.every_min)
        if texted:
            text = _text(language, zone, emergency, ticket, bundled)
            sms = Sms(to=to, body=text, language=language, ticket_number=ticket.number, about=about)
            await put_sms(unit, sms, at=now)
        else:
            # They are rung all the same.
            self._refusals.note("page-texts", emergency=emergency.id, person=page.person or "fallback", sent=sent)
        await store.add_page_call(unit, emergency.id, nth=page.nth, person=page.person, number=to, at=now)
        told = {"emergency": emergency.id, "nth": page.nth, "person": page.person or "fallback"}
        told |= {"together": len(bundled)} if len(bundled) > 1 else {}
        told |= {} if texted else {"text": False}
        await tickets.add_event(
            unit, ticket.number, at=now, who=ONCALL, kind="paged", changes=told, version=ticket.version
        )


def _text(language: str, zone: ZoneInfo, emergency: Emergency, ticket: Ticket, bundled: Sequence[int]) -> str:
    """What a page says; of a bundle how many it stands for at this moment."""
    at = emergency.left_at.astimezone(zone)
    if len(bundled) > 1:
        words = _BUNDLES[language]["customers" if emergency.known else "strangers"]
        return words.format(count=len(bundled), first=bundled[0], last=bundled[-1], at=at)
    name = ticket.account_name or ticket.requester_name
    return _TEXTS[language].format(
        number=ticket.number,
        at=at,
        until=(emergency.left_at + PROMISE).astimezone(zone),
        caller=f"+{emergency.number}" if emergency.number else _UNKNOWN[language],
        name=f" ({name})" if name else "",
    )


async def line_of(unit: Unit, desk: Desk, duty: OnCall, at: datetime) -> tuple[str, ...]:
    """Who is paged for what is left at `at`; whoever is no longer among the desk's people is passed over."""
    others = [stint for _, stint in await store.overrides(unit, desk.id, at, at + timedelta(seconds=1))]
    return tuple(person for person in line_at(duty, desk.zone, others, at) if person in duty.people)


async def text_troubles(unit: Unit, duty: OnCall, now: datetime) -> dict[str, TextProblem]:
    """Whom text messages did not reach lately, and why, by the person's id."""
    found = await text_problems(unit, [one.phone for one in duty.people.values()], since=now - _TROUBLES)
    return {person: found[one.phone] for person, one in duty.people.items() if one.phone in found}


def _taken_since(ticket: Ticket, emergency: Emergency) -> datetime | None:
    """When somebody began to work on it and said so on the ticket itself, if they did since it was left."""
    if ticket.answered_at is not None and ticket.answered_at >= emergency.left_at:
        return ticket.answered_at
    if ticket.status in DONE:
        return ticket.updated_at
    return None


async def _begin(unit: Unit, message: Mapping[str, Any], strangers: int) -> tuple[Emergency, Placed] | None:
    """The emergency of a message, and whether it is paged for by itself; None when it is one already.

    A second one by the same caller joins the first, while nobody has taken that; of too many the rest are a bundle.
    """
    number, desk, left_at = message["number"], message["desk"], message["created_at"]
    await unit.alone("emergencies", desk)
    waiting = await store.waiting(unit, left_at - SAME_THING)
    # A phone whose number is not known is told by its ticket, which its messages share.
    ticket = message["ticket_number"]
    same = [
        one for one in waiting if one.ticket_number == ticket or (number and (one.number, one.desk) == (number, desk))
    ]
    found = await service.get(unit, ticket)
    known = found.customer_id is not None or message["endpoint"] is not None
    place: Placed = "alone"
    if not same:
        others = await store.standing(unit, desk, waiting_since=left_at - LASTS, left_since=left_at - STORM)
        place = placed(known, left_at, others, strangers=strangers)
    if same:
        joined = same[0].id
    elif isinstance(place, int):
        joined = place
    else:
        joined = None
    values = {
        "message_id": message["id"],
        "ticket_number": ticket,
        "desk": desk,
        "number": number,
        "known": known,
        "bundle": place == "begins",
        "merged_into": joined,
        "left_at": left_at,
        "pages": 0,
    }
    made = await store.add(unit, values)
    if made is None:
        return None
    if isinstance(place, int):
        told = {"emergency": made.id, "with": place}
        await tickets.add_event(
            unit, ticket, at=left_at, who=ONCALL, kind="paged-together", changes=told, version=found.version
        )
    return made, place
