"""What the board shows: of the live line, from memory; what is counted, from the database."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.deps import Services
from ivr.callbacks.model import Callback
from ivr.calls import store as call_store
from ivr.calls.model import Call
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.incidents.model import Incident
from ivr.notify.delivery import TextTrouble
from ivr.oncall import paging
from ivr.store.engine import Unit
from ivr.tickets.views import NearBreach

#: So many tickets near a breach are shown.
_TICKETS = 8
#: The latest calls' waits say how it is; of a day with more, nobody needs them all.
_WAITS = 2000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Somebody in line. `since` is when they first stood there; `wait_s` the estimate for their place."""

    position: int
    queue: str
    since: datetime
    held: bool
    customer: str | None
    partner: str | None
    language: str | None
    number: str | None
    wait_s: float | None
    call: str | None


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A technician. `state` is free, talking, ringing, paused or away."""

    endpoint: str
    #: Whether that stands for a telephone that is none of ours.
    outside: bool = False
    name: str
    state: str
    with_whom: str | None
    calls_taken: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """One queue: what whoever calls now would wait, and whether anybody answers."""

    name: str
    waiting: int
    wait_s: float | None
    free: int


@dataclass(frozen=True, kw_only=True)
class Live:
    """The line this moment."""

    standing: tuple[Standing, ...]
    technicians: tuple[AtWork, ...]
    lines: tuple[Line, ...]
    incidents: tuple[Incident, ...]
    announced: str | None
    talking: int


@dataclass(frozen=True, kw_only=True)
class Near:
    """A ticket whose clock will soon be, or is, beyond its limit."""

    number: int
    what: str
    customer: str | None
    clock: str
    limit_at: datetime
    breached: bool


@dataclass(frozen=True, kw_only=True)
class OnDuty:
    """Who is paged first for what is left now."""

    desk: str
    names: tuple[str, ...]
    #: Whom text messages do not reach, and why.
    unreached: tuple[tuple[str, TextTrouble], ...]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was counted. `away` when nothing could be."""

    answered: int = 0
    lost: int = 0
    median_wait_s: float | None = None
    tickets: tuple[Near, ...] = ()
    on_duty: tuple[OnDuty, ...] = ()
    away: bool = False


def read_live(has: Services, language: str) -> Live:
    """The line this moment, without asking anything but memory."""
    incidents = tuple(one for desk in has.desks for one in has.incidents.told_now(desk))
    announced = [one for desk in has.desks if (one := has.announcer.in_force(desk)) is not None]
    return Live(
        standing=tuple(_standing(has, language)),
        technicians=tuple(_technicians(has)),
        lines=tuple(_lines(has, language)),
        incidents=incidents,
        announced=announced[0].texts.get(language, "") if announced else None,
        talking=sum(call.state == "talking" for call in live_calls(has)),
    )


def live_calls(has: Services) -> list[Call]:
    """Calls that go on to desks of ours."""
    return [call for call in has.calls.live() if call.desk in has.desks]


def _queues(has: Services) -> list[tuple[str, Desk]]:
    return [(queue, desk) for desk in has.desks.values() for queue in desk.queues]


def queue_name(desk: Desk, queue: str, language: str) -> str:
    """A queue as people call it: by its department."""
    for department in desk.departments.values():
        if department.queue == queue:
            return department.name.get(language) or department.name[desk.languages[0]]
    return queue


def _number_of(held: Callback | None, call: Call | None) -> str | None:
    if held is not None:
        return held.number
    return (call.ani or call.endpoint) if call is not None else None


def _standing(has: Services, language: str) -> list[Standing]:
    found = []
    for queue, desk in _queues(has):
        for position, place in enumerate(has.watch.places(queue), 1):
            call = has.calls.call_of(place.uniqueid)
            held = has.keeper.get(place.callback) if place.callback else None
            about = held or call
            identity: Mapping[str, Any] = (about.identity if about else None) or {}
            found.append(
                Standing(
                    position=position,
                    queue=queue_name(desk, queue, language),
                    since=place.arrived_at,
                    held=place.callback is not None,
                    customer=name_of(identity, "customer"),
                    partner=name_of(identity, "partner"),
                    language=about.language if about else None,
                    number=_number_of(held, call),
                    wait_s=has.watch.wait_s(queue, position),
                    call=call.id if call else None,
                )
            )
    return found


def name_of(identity: Mapping[str, Any], part: str) -> str | None:
    """The name of a customer, partner or contact, of what was known of a caller."""
    known = identity.get(part)
    name: str | None = known.get("name") if isinstance(known, Mapping) else None
    return name


def _technicians(has: Services) -> list[AtWork]:
    talking = {call.answered_by: call for call in live_calls(has) if call.state == "talking"}
    found: dict[str, AtWork] = {}
    for queue, _ in _queues(has):
        for member in has.watch.members(queue):
            call = talking.get(member.endpoint)
            technician = has.directory.technician(member.endpoint)
            before = found.get(member.endpoint)
            found[member.endpoint] = AtWork(
                endpoint=member.endpoint,
                outside=technician is not None and technician.outside is not None,
                name=technician.name if technician is not None else member.endpoint,
                state=_state(member.status, paused=member.paused, in_call=member.in_call or call is not None),
                with_whom=(name_of(call.identity, "customer") or call.ani) if call is not None else None,
                calls_taken=member.calls_taken + (before.calls_taken if before is not None else 0),
            )
    return sorted(found.values(), key=lambda one: one.name)


def _state(status: str, *, paused: bool, in_call: bool) -> str:
    if in_call or status in ("in use", "busy", "on hold", "ring and in use"):
        return "talking"
    if status in ("invalid", "unavailable"):
        return "away"
    if status == "ringing":
        return "ringing"
    if paused:
        return "paused"
    return "free"


def _lines(has: Services, language: str) -> list[Line]:
    return [
        Line(
            name=queue_name(desk, queue, language),
            waiting=(waiting := len(list(has.watch.places(queue)))),
            wait_s=has.watch.wait_s(queue, waiting + 1),
            free=sum(
                _state(one.status, paused=one.paused, in_call=one.in_call) == "free" for one in has.watch.members(queue)
            ),
        )
        for queue, desk in _queues(has)
    ]


async def read_figures(has: Services) -> Figures:
    """Return what is counted. Raises StoreUnavailable."""
    now = has.clock()
    zone = main_of(has.desks).zone
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    async with has.store.reading() as unit:
        answered, lost = await call_store.counted_since(unit, midnight)
        waits = await call_store.waits_since(unit, midnight, _WAITS)
        return Figures(
            answered=answered,
            lost=lost,
            median_wait_s=statistics.median(waits) if waits else None,
            tickets=tuple(_near(one) for one in await has.tickets.near_breach(unit, _TICKETS)),
            on_duty=tuple([one async for one in _on_duty(unit, has, now)]),
        )


def _near(one: NearBreach) -> Near:
    ticket = one.ticket
    return Near(
        number=ticket.number,
        what=ticket.service or ticket.kind,
        customer=ticket.account_name or ticket.requester_name,
        clock=one.clock,
        limit_at=one.limit_at,
        breached=one.breached,
    )


async def _on_duty(unit: Unit, has: Services, now: datetime) -> Any:
    for desk in has.desks.values():
        if desk.oncall is None:
            continue
        line = await paging.line_of(unit, desk, desk.oncall, now)
        people, troubles = desk.oncall.people, await paging.text_troubles(unit, desk.oncall, now)
        yield OnDuty(
            desk=desk.name,
            names=tuple(people[one].name for one in line),
            unreached=tuple((people[one].name, troubles[one].kind) for one in line if one in troubles),
        )
