"""A technician's own desk: the card of the call that rings, before it is answered, and what there is to do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from markupsafe import Markup

from api.console import pages
from api.console.board_state import live_calls, name_of
from api.console.board_stream import PULSE_S
from api.console.guard import ConsoleRoute, accounts_of, done, may, session_of
from api.console.pages import line_of
from api.console.sign_in import Posted
from api.deps import Services
from api.head_requests import events_of
from api.stream_limits import OF_A_SESSION, Streams
from ivr.calls import store as calls
from ivr.calls.model import Call
from ivr.calltrace import store as traces
from ivr.desk.load import main_of
from ivr.errors import BadInput, Unavailable
from ivr.events import Listener
from ivr.store.engine import Unit
from ivr.tickets import store
from ivr.tickets.model import Ticket

router = APIRouter(prefix="/console/desk", route_class=ConsoleRoute, include_in_schema=False)

Still = Callable[[], Awaitable[bool]]
Ringing = Literal["ringing", "talking"]
#: The card is looked at again this often, in seconds, whatever the bus tells.
_TICK_S = 1.0
#: Whoever was signed out sees no more cards after so long, in seconds.
_STILL_S = 30.0
#: Who calls is told without the tickets when the database takes longer, in seconds.
_CARD_S = 1.0


class State(Posted):
    """What one does now."""

    state: Literal["in", "out", "pause", "resume"]


@router.get("")
@may("technician", "ops", "administrator")
async def desk(request: Request) -> Response:
    """The card, one's state in the queues, and the tickets that wait."""
    has = line_of(request)
    endpoint = _endpoint(has, request)
    async with has.store.reading() as unit:
        found = await store.page(unit, filters={}, only_open=True, before=None, limit=20)
    mine = [one for queue in _queues(has) for one in has.watch.members(queue) if one.endpoint == endpoint]
    drawn = await _drawn(has, request.state.language, await _card(has, endpoint))
    card = Markup(drawn)  # noqa: S704 - drawn by a template that escapes
    if not mine:
        state = "out"
    elif all(one.paused for one in mine):
        state = "pause"
    else:
        state = "in"
    return pages.page(request, "desk.html.j2", card=card, state=state, tickets=found)


@router.post("/state")
@may("technician", "ops", "administrator")
async def change_state(form: Annotated[State, Form()], request: Request) -> Response:
    """Log in or out, pause or resume, in all of one's queues."""
    has = line_of(request)
    endpoint = _endpoint(has, request) or ""
    technician = has.directory.technician(endpoint)
    if technician is None:
        mend = "have an administrator add one, or name your account in your staff entry"
        raise BadInput(field="state", problem="your account has no phone", mend=mend)
    if form.state in ("pause", "resume"):
        await has.members.pause(None, endpoint, form.state == "pause", "console")
    elif form.state == "in":
        await has.duty.log_in(technician, endpoint)
    else:
        await has.duty.end(endpoint)
    return done(request, "/console/desk")


@router.get("/stream")
@may("technician", "ops", "administrator")
async def stream(request: Request) -> Response:
    """The card first, and again whenever it is another one's."""
    session, accounts = session_of(request), accounts_of(request)
    streams: Streams = request.app.state.streams
    streams.check(session.token, OF_A_SESSION)

    async def still() -> bool:
        return await accounts.session(session.token) is not None

    has = line_of(request)
    cards = _cards(has, _endpoint(has, request), request.state.language, still)
    return events_of(request, lambda: _counted(streams, session.token, cards))


def _endpoint(has: Services, request: Request) -> str | None:
    """Return what one is called on: the phone of one's account, or what stands for one's number outside."""
    account = session_of(request).account
    return account.endpoint or has.directory.outside_of_account(account.name)


async def _counted(streams: Streams, token: str, cards: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    with streams.open(token, OF_A_SESSION) as room:
        if not room:
            return
        async with contextlib.aclosing(cards):
            async for card in cards:
                yield card


async def _cards(has: Services, endpoint: str | None, language: str, still: Still) -> AsyncGenerator[bytes, None]:
    shown: str | None = None
    asked = pulsed = time.monotonic()
    with has.bus.listen() as events:
        while True:
            found = incoming_at(has, endpoint)
            key = found.key if found is not None else ""
            if key != shown:
                shown = key
                text = await _drawn(has, language, await _card(has, endpoint))
                yield b"event: card\n" + "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"
            if time.monotonic() - pulsed >= PULSE_S:
                pulsed = time.monotonic()
                yield b"event: pulse\ndata: \n\n"
            if time.monotonic() - asked >= _STILL_S:
                asked = time.monotonic()
                if not await _asked(still):
                    return
            if not await _next(events):
                return


async def _asked(still: Still) -> bool:
    try:
        return await still()
    except Unavailable:
        return True


async def _next(events: Listener) -> bool:
    try:
        async with asyncio.timeout(_TICK_S):
            await anext(events)
            while events.behind:
                await anext(events)
    except TimeoutError:
        pass
    except StopAsyncIteration:
        return False
    return True


def _queues(has: Services) -> list[str]:
    return [queue for desk in has.desks.values() for queue in desk.queues]


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """Who is at a technician's phone. `since` is when they first waited; `called_back` whoever asked for it."""

    key: str
    state: Ringing
    identity: Mapping[str, Any]
    number: str | None
    phone: str | None
    language: str | None
    since: datetime
    customer_id: int | None
    called_back: bool = False


def _of_call(call: Call, state: Ringing) -> Incoming:
    return Incoming(
        key=f"{call.id} {state}",
        state=state,
        identity=call.identity,
        number=call.ani,
        phone=call.endpoint,
        language=call.language,
        since=call.queued_at or call.started_at,
        customer_id=call.customer_id,
    )


def incoming_at(has: Services, endpoint: str | None) -> Incoming | None:
    """Return whom a phone rings for, or talks with."""
    if endpoint is None:
        return None
    live = live_calls(has)
    for call in live:
        if call.state == "talking" and call.answered_by == endpoint:
            return _of_call(call, "talking")
    for call in live:
        for leg in call.legs.values():
            mine = leg.endpoint == endpoint and leg.role != "caller"
            if mine and leg.answered_at is None and leg.ended_at is None and call.state != "talking":
                return _of_call(call, "ringing")
    return _called_back(has, endpoint)


def _called_back(has: Services, endpoint: str) -> Incoming | None:
    """A held place has no caller yet: a phone that rings for none of them rings for the first held place."""
    for queue in _queues(has):
        if not any(one.endpoint == endpoint and one.status == "ringing" for one in has.watch.members(queue)):
            continue
        for place in has.watch.places(queue):
            one = has.keeper.get(place.callback) if place.callback is not None else None
            if one is not None:
                return Incoming(
                    key=f"{one.id} ringing",
                    state="ringing",
                    identity=one.identity,
                    number=one.number,
                    phone=one.endpoint,
                    language=one.language,
                    since=one.arrived_at,
                    customer_id=one.customer_id,
                    called_back=True,
                )
    return None


@dataclass(frozen=True, kw_only=True)
class Card:
    """Who it is, their open tickets (None when the database does not tell) and how their last call was."""

    incoming: Incoming
    tickets: list[Ticket] | None
    mos: float | None = None


async def _card(has: Services, endpoint: str | None) -> Card | None:
    incoming = incoming_at(has, endpoint)
    if incoming is None:
        return None
    if incoming.customer_id is None:
        return Card(incoming=incoming, tickets=[])
    try:
        async with asyncio.timeout(_CARD_S), has.store.reading() as unit:
            tickets = await store.open_tickets(unit, incoming.customer_id, 5)
            mos = await _last_mos(unit, incoming.customer_id)
    except (TimeoutError, Unavailable):
        return Card(incoming=incoming, tickets=None)
    return Card(incoming=incoming, tickets=tickets, mos=mos)


async def _last_mos(unit: Unit, customer_id: int) -> float | None:
    """Return how a customer's last call sounded: to us, or between their phones, when it was reported."""
    scored = await calls.last_score(unit, customer_id)
    reported = await traces.page(unit, filters={"customer_id": customer_id}, before=None, limit=1)
    known = [(one["reported_at"], one["mos"]) for one in reported if one["mos"] is not None]
    return max([*known, *([scored] if scored else [])], default=(None, None))[1]


async def _drawn(has: Services, language: str, card: Card | None) -> str:
    main = main_of(has.desks)
    if card is None:
        return pages.render("desk_card.html.j2", language, main, one=None).strip()
    identity = card.incoming.identity
    return pages.render(
        "desk_card.html.j2",
        language,
        main,
        one=card.incoming,
        customer=name_of(identity, "customer"),
        contact=name_of(identity, "contact"),
        partner=name_of(identity, "partner"),
        account=(identity.get("customer") or {}).get("account"),
        tickets=card.tickets,
        mos=card.mos,
    ).strip()
