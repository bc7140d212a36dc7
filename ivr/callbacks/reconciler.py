"""Keeps every callback's place and carries callbacks out. The rules are `ivr.callbacks.model`'s; this acts on them.

The database is the truth of what was asked and dialled, Asterisk's queue that of who stands where. A tick compares
the two and mends the difference, so that whatever was killed meanwhile, the places stand again in order of arrival.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from ivr.asterisk.ami import RECONNECTED, AmiRefused, Fields
from ivr.callbacks import store as statements
from ivr.callbacks.bridged_markers import PutThrough
from ivr.callbacks.channels import Back, Channels, Prompts, new_uniqueid, part_of
from ivr.callbacks.model import (
    Callback,
    NotNow,
    Outcome,
    State,
    after_attempt,
    connect,
    end,
    in_line,
    may_dial,
    stands,
    start_attempt,
)
from ivr.desk.hours import Calendar
from ivr.desk.load import Desks
from ivr.desk.schema import CallbackRules
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.queueing.places import Place
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store, Unit
from ivr.ticks import rest_unless

log = structlog.get_logger()

#: Seconds between two looks at everything; and while there are neither callbacks nor places.
TICK_S = 0.5
_TICK_IDLE_S = 2.0
#: A place that was asked for is there within so many seconds, or is asked for again.
_PLACING_S = 15.0
#: So long the next place of a queue waits for the one before it to stand there, in seconds.
_JOINING_S = 3.0
#: How often all is compared with the channels there are, in seconds: while somebody is dialled or talks, and else;
#: and how long an attempt may be without any channel.
_COMPARE_S = 3.0
_COMPARE_IDLE_S = 30.0
_LOST_S = 4.0
#: Whoever goes to a place that is kept for them stands there within so many seconds, or it is given up.
_TAKING_S = 15.0

#: Called in the transaction that ends a callback without anybody having been reached.
Lapsed = Callable[[Unit, Callback], Awaitable[None]]


class Keeper:
    """All callbacks of the line that have not ended."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        *,
        store: Store,
        channels: Channels,
        watch: QueueWatch,
        desks: Desks,
        calendars: Mapping[str, Mapping[str, Calendar]],
        prompts: Callable[[str, str], Prompts],
        bus: EventBus,
        clock: Callable[[], datetime],
        lapsed: Lapsed,
        put_through: PutThrough,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._channels, self._watch = store, channels, watch
        self._desks, self._calendars, self._prompts = desks, calendars, prompts
        self._bus, self._clock, self._lapsed, self._monotonic = bus, clock, lapsed, monotonic
        self._put_through = put_through
        self._active: dict[str, Callback] = {}
        #: Callbacks that a place was asked for and not seen yet, to when it is given up by the monotonic clock.
        self._placing: dict[str, float] = {}
        #: Of each queue the place that is on its way into it, by uniqueid, and until when the next one waits for it.
        self._joining: dict[str, tuple[str, float]] = {}
        #: Callbacks whose caller has pressed 1 and is still being asked.
        self._asking: set[str] = set()
        #: Places (by uniqueid) for which no technician is called: held while the caller is being asked.
        self._provisional: set[str] = set()
        #: Every near half that is there, by callback: uniqueid to channel.
        self._near: dict[str, dict[str, str]] = {}
        #: How an attempt's dialling ended, as far as events have told.
        self._told: dict[str, Outcome] = {}
        #: When somebody answered and pressed 1, while that could not be committed yet: they are not dialled again.
        self._answered: dict[str, datetime] = {}
        #: Callers who take their place back themselves: their uniqueid to the callback whose place is then given up,
        #: and until when they are waited for, by the monotonic clock.
        self._taken_by: dict[str, tuple[str, float]] = {}
        #: Attempts without a channel, to since when.
        self._lost: dict[str, float] = {}
        self._loaded = False
        #: Whether attempts may have lost their channels while nobody told us: at the start, and after each gap.
        self._gap = True
        self._compare_at = 0.0
        self._wake = asyncio.Event()

    # Reading -------------------------------------------------------------------------------------

    @property
    def _rules(self) -> dict[str, CallbackRules | None]:
        return {name: queue.callback for desk in self._desks.values() for name, queue in desk.queues.items()}

    def rules(self, queue: str) -> CallbackRules | None:
        """The queue's rules; None where no callback is offered."""
        return self._rules.get(queue)

    @property
    def trunk(self) -> bool:
        """Return whether numbers can be dialled, and not registered phones only."""
        return self._channels.trunk

    def active(self) -> list[Callback]:
        """All, in order of arrival."""
        return in_line(self._active.values())

    def serves(self, one: Callback) -> bool:
        """Return whether the desk files still have its desk, queue and department.

        It waits for them until its deadline.
        """
        desk = self._desks.get(one.desk)
        return desk is not None and one.queue in desk.queues and one.department in self._calendars[one.desk]

    def get(self, callback: str) -> Callback | None:
        """One that has not ended."""
        return self._active.get(callback)

    def active_for(self, desk: str, number: str | None, endpoint: str | None) -> Callback | None:
        """The callback that a caller waits for."""
        for one in self.active():
            if endpoint is None or one.endpoint is None:
                same = one.number == number
            else:
                same = one.endpoint == endpoint
            if one.desk == desk and same:
                return one
        return None

    def position(self, one: Callback) -> int:
        """Its place in line now, counted from 1, whether or not its channel stands there."""
        places = self._watch.places(one.queue)
        held = places.of_callback(one.id)
        standing = places.position(held.uniqueid) if held is not None else None
        if standing is not None:
            return standing
        return places.position_for(one.arrived_at)

    # A caller asks -------------------------------------------------------------------------------

    async def hold(
        self, callback: str, *, desk: str, queue: str, language: str, number: str, at: datetime, instead_of: str
    ) -> None:
        """Hold the place of the caller with the uniqueid `instead_of`, who arrived `at`, while they are being asked.

        Raises Unavailable, AmiRefused.
        """
        self._asking.add(callback)
        self._watch.callback_arrivals[callback] = at
        await self._place(
            callback,
            desk=desk,
            queue=queue,
            language=language,
            number=number,
            at=at,
            instead_of=instead_of,
            rings=False,
        )

    async def accept(self, one: Callback, limits: CallbackRules) -> Callback | str:
        """Make a request durable: it is committed when this returns. Asked again, it is still one.

        Gives the number's callback, which may be an older one, or the limit it would exceed. Raises Unavailable.
        """
        async with self._store.unit() as unit:
            await unit.alone("callbacks", one.desk)
            reached = await statements.limit_reached(
                unit, limits, desk=one.desk, number=one.number, customer_id=one.customer_id, now=one.requested_at
            )
            kept = await statements.active_of(unit, desk=one.desk, number=one.number)
            if kept is None:
                if reached is not None:
                    return reached
                kept = await statements.add(unit, one)
        self._asking.discard(one.id)
        self._keep(kept, "callback.accepted")
        self._wake.set()
        return kept

    async def withdraw(self, callback: str) -> None:
        """The caller who was being asked is gone, or has refused."""
        self._asking.discard(callback)
        await self._give_up(callback)

    def taken_by(self, callback: str, uniqueid: str) -> None:
        """A caller goes to the callback's place themselves: it is given up as soon as they stand there, or are gone."""
        self._taken_by[uniqueid] = (callback, self._monotonic() + _TAKING_S)
        self._wake.set()

    async def cancel(self, callback: str, reason: str, *, keep_place: bool = False) -> Callback | None:
        """End it unless it is being carried out or over; None then. Raises Unavailable."""
        one = self._active.get(callback)
        if one is None or one.state != "pending":
            return None
        if keep_place:
            self._asking.add(callback)
        ended = await self._change(one, end(one, "cancelled", reason, self._clock()))
        if ended is not None and not keep_place:
            await self._give_up(callback)
        return ended

    # The turn has come ---------------------------------------------------------------------------

    async def begin(self, callback: str) -> Callback:
        """The turn has come: commit the attempt before anybody is dialled. Raises NotNow, Unavailable."""
        one = self._active.get(callback)
        if one is None:
            raise NotNow(state="unknown or over", wanted="dialling")
        begun = await self._change(one, start_attempt(one, self._clock()))
        if begun is None:
            raise NotNow(state="changed meanwhile", wanted="dialling")
        self._told.pop(callback, None)
        self._compare_at = min(self._compare_at, self._monotonic() + _COMPARE_S)
        return begun

    def near(self, callback: str) -> tuple[str, str] | None:
        """Uniqueid and name of the channel that holds, or held, the place."""
        places = self._near.get(callback, {})
        chosen = [pair for pair in places.items() if pair[0] not in self._provisional] or list(places.items())
        if chosen:
            return chosen[-1]
        return None

    async def connected(self, callback: str) -> Callback | None:
        """Somebody answered and pressed 1. Raises Unavailable; it is remembered and committed later then."""
        one = self._active.get(callback)
        if one is not None and one.state == "connected":
            return one
        if one is None or one.state != "dialling":
            return None
        self._answered.setdefault(callback, self._clock())
        return await self._change(one, connect(one, self._answered[callback]))

    async def refused(self, callback: str) -> None:
        """Somebody answered and does not want to be called back. Raises Unavailable."""
        one = self._active.get(callback)
        if one is not None:
            await self._change(one, end(one, "refused", "refused by whoever answered", self._clock()))

    def tell(self, callback: str, outcome: Outcome) -> None:
        """How the dialling ended, before its channels are gone."""
        self._told[callback] = outcome

    async def abandon(self, callback: str, outcome: Outcome, *, crashed: bool = False) -> None:
        """The present attempt is over without anybody reached; `crashed` as of `after_attempt`. Raises Unavailable."""
        one = self._active.get(callback)
        if one is None or one.state not in ("dialling", "connected") or self._have_met(one):
            return
        # Who switched callbacks off meanwhile did not mean those that were promised.
        rules = self.rules(one.queue) or CallbackRules()
        self._answered.pop(callback, None)
        await self._change(one, after_attempt(one, outcome, rules, self._clock(), crashed=crashed))

    async def end_place(self, channel: str) -> None:
        """Hang a place up that a technician has answered and that is nobody's any more. Raises Unavailable."""
        await self._channels.hang_up(channel)

    @property
    def _idle(self) -> bool:
        """Return whether what Asterisk tells, and the time, can change nothing here."""
        return not self._active and not any(self._near.values())

    # What Asterisk tells -------------------------------------------------------------------------

    async def enter(self, event: Fields) -> None:
        """Enter one event, after the queue's watch has. Raises nothing: what failed is mended by a later tick."""
        kind, uniqueid = event.get("event", ""), event.get("uniqueid", "")
        if event is RECONNECTED:
            self._compare_at, self._gap = 0.0, True
        elif kind == "QueueCallerJoin":
            self._joined(uniqueid, event.get("channel", ""))
        elif kind == "DialEnd" and (part := part_of(uniqueid)) is not None:
            self._told[part.callback] = _outcome(event.get("dialstatus", ""))
        elif kind == "Hangup" and (part := part_of(uniqueid)) is not None:
            await self._hung_up(part.callback, part.part, uniqueid, event.get("cause", ""))
        if kind == "Hangup" and uniqueid in self._taken_by:
            # On the way back to their place.
            self._taken_by[uniqueid] = (self._taken_by[uniqueid][0], 0.0)
        if event is RECONNECTED or not self._idle:
            self._wake.set()

    def _joined(self, uniqueid: str, channel: str) -> None:
        part = part_of(uniqueid)
        if part is not None and part.part == "near":
            self._near.setdefault(part.callback, {})[uniqueid] = channel
            self._arrived(uniqueid)
            self._placing.pop(part.callback, None)
        elif part is not None and part.part == "customer" and self._near.get(part.callback):
            # Also one who joined while the service was away: nobody else holds their place now.
            self.taken_by(part.callback, uniqueid)

    def _arrived(self, uniqueid: str) -> None:
        """A place stands in its queue, or never will."""
        self._joining = {queue: one for queue, one in self._joining.items() if one[0] != uniqueid}

    async def _hung_up(self, callback: str, part: str, uniqueid: str, cause: str) -> None:
        if part == "near":
            self._arrived(uniqueid)
            places = self._near.get(callback, {})
            places.pop(uniqueid, None)
            if not places:
                self._near.pop(callback, None)
            self._provisional.discard(uniqueid)
            return
        one = self._active.get(callback)
        if one is None or (part == "far" and one.mode == "customer_first"):
            return
        try:
            if self._have_met(one):
                await self._talked(one, "talked")
            else:
                outcome = "left" if one.state == "connected" else self._told.get(callback) or _outcome(cause)
                await self.abandon(callback, outcome)
        except Unavailable as error:
            log.warning("callback not saved; retrying", callback=callback, error=str(error))

    def _have_met(self, one: Callback) -> bool:
        """Return whether customer and technician were put through, in this attempt.

        Whoever was up or down at that moment.
        """
        if one.mode == "technician_first" and (one.state == "connected" or one.id in self._answered):
            return True
        return one.state in ("dialling", "connected") and self._put_through.at(one.id) is not None

    def _answered_at(self, one: Callback) -> datetime | None:
        """Return when somebody pressed 1 in the present attempt, as far as is known; it may not be committed yet."""
        return self._answered.get(one.id) or self._put_through.at(one.id)

    async def _talked(self, one: Callback, reason: str) -> None:
        at = self._answered_at(one) or self._clock()
        await self._change(
            one, end(connect(one, at) if one.state == "dialling" else one, "done", reason, self._clock())
        )

    # Mending -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep everything as it should be until cancelled."""
        while True:
            # Before: what is told meanwhile is looked at next.
            self._wake.clear()
            try:
                if not self._loaded:
                    await self._load()
                await self.tick()
            except (Unavailable, AmiRefused) as error:
                log.warning("callback reconciliation failed; retrying", error=str(error))
                await asyncio.sleep(TICK_S)
            except Exception:
                log.exception("callback reconciliation failed; retrying")
                await asyncio.sleep(TICK_S)
            await rest_unless(self._wake, _TICK_IDLE_S if self._idle else TICK_S)

    async def _load(self) -> None:
        async with self._store.reading() as unit:
            found = await statements.active(unit)
        for one in found:
            self._active.setdefault(one.id, one)
            self._watch.callback_arrivals[one.id] = one.arrived_at
        self._loaded = True
        if unserved := [one.id for one in found if not self.serves(one)]:
            log.error(
                "callbacks suspended: desk, queue or department missing from the desk files",
                event_id="OV1601",
                callbacks=unserved,
            )
        if found:
            log.info("callbacks loaded", count=len(found))

    async def tick(self) -> None:
        """Compare what should be with what is. Raises Unavailable, AmiRefused."""
        now, clock = self._monotonic(), self._clock()
        if now >= self._compare_at:
            await self._compare()
            busy = any(one.state in ("dialling", "connected") for one in self._active.values())
            self._compare_at = self._monotonic() + (_COMPARE_S if busy else _COMPARE_IDLE_S)
        await self._settle_taken()
        for one in self.active():
            await self._each(one, self._on_time(one, clock))
        held: dict[str, list[Place]] = {}
        for queue in self._rules:
            for place in self._watch.places(queue):
                if place.callback is not None:
                    held.setdefault(place.callback, []).append(place)
        line = [one for one in self.active() if self.serves(one)]
        is_open = {
            key: self._calendars[key[0]][key[1]].is_open(clock) for key in {(o.desk, o.department) for o in line}
        }
        technicians = {queue: self._watch.technicians(queue) for queue in self._rules}
        for one in line:
            should = stands(one, clock, is_open=is_open[one.desk, one.department], technicians=technicians[one.queue])
            await self._each(one, self._stand(one, should, held.get(one.id, [])))
        for callback, places in held.items():
            if not self._wanted(callback):
                for place in places:
                    await self._channels.hang_up(place.channel)

    async def _each(self, one: Callback, work: Awaitable[None]) -> None:
        """What cannot be done for one is not in the way of the others. Raises Unavailable."""
        try:
            await work
        except NotNow as error:
            log.info("callback changed concurrently", callback=one.id, error=str(error))
        except Unavailable:
            raise
        except Exception:
            log.exception("callback reconciliation failed for one callback; retrying", callback=one.id)

    async def _on_time(self, one: Callback, clock: datetime) -> None:
        if one.state == "dialling" and (at := self._answered_at(one)) is not None:
            await self._change(one, connect(one, at))
        elif one.state == "pending" and clock >= one.deadline:
            await self._change(one, end(one, "expired", "deadline", clock))
            await self._give_up(one.id)

    def _wanted(self, callback: str) -> bool:
        taken = (taken for taken, _ in self._taken_by.values())
        return callback in self._asking or callback in self._active or callback in taken

    async def _stand(self, one: Callback, should: bool, mine: list[Place]) -> None:
        """See that a callback has its place, or none, and that a customer whose turn it is gets dialled."""
        proper = [place for place in mine if one.mode == "customer_first" or place.uniqueid not in self._provisional]
        if proper:
            self._placing.pop(one.id, None)
            for place in mine:
                if place not in proper:
                    await self._channels.hang_up(place.channel)
        # A place that a technician has just answered is not in the queue any more, but its channel is there.
        answered = set(self._near.get(one.id, {})) - self._provisional - {place.uniqueid for place in mine}
        if should and not proper and not answered:
            now = self._monotonic()
            # One after the other: of several that join at once the last in line may be the first to stand there, and
            # a technician who is free then is given that one.
            _, until = self._joining.get(one.queue, ("", 0.0))
            if self._placing.get(one.id, 0.0) <= now and until <= now:
                await self._place(
                    one.id,
                    desk=one.desk,
                    queue=one.queue,
                    language=one.language,
                    number=one.number,
                    at=one.arrived_at,
                    rings=one.mode == "technician_first",
                )
        elif not should and (one.mode == "technician_first" or one.state == "pending" or self._have_met(one)):
            # The desk has closed, the last technician has left, or it is being dialled; or a customer who was dialled
            # first has joined and been answered already, with nobody there to see it.
            for place in mine:
                await self._channels.hang_up(place.channel)
        elif should and one.mode == "customer_first":
            await self._dial_when_due(one)

    async def _dial_when_due(self, one: Callback) -> None:
        outstanding = sum(
            other.state == "dialling" and other.mode == "customer_first" and other.queue == one.queue
            for other in self._active.values()
        )
        if not may_dial(position=self.position(one), free=self._watch.free(one.queue), outstanding=outstanding):
            return
        rules, desk = self._rules[one.queue] or CallbackRules(), self._desks[one.desk]
        begun = await self.begin(one.id)
        try:
            await self._channels.dial_first(
                one.id,
                number=one.number,
                endpoint=one.endpoint,
                ring_s=rules.ring_s,
                caller_id=desk.numbers[0],
                desk=one.desk,
                prompts=self._prompts(one.desk, one.language),
                back=Back(
                    language=one.language,
                    department=one.department,
                    queue=one.queue,
                    position=self.position(one),
                    seconds=desk.queues[one.queue].max_wait_s,
                ),
            )
        except AmiRefused:
            await self.abandon(begun.id, "failed")

    async def _place(
        self,
        callback: str,
        *,
        desk: str,
        queue: str,
        language: str,
        number: str,
        at: datetime,
        rings: bool,
        instead_of: str = "",
    ) -> None:
        places = self._watch.places(queue)
        # Those before it that are on their way into the queue as well.
        ahead = sum(
            self._watch.callback_arrivals.get(other, at) < at and places.of_callback(other) is None
            for other in self._placing
            if other != callback and self._queue_of(other) == queue
        )
        position = places.position_for(at, besides=instead_of) + ahead
        self._placing[callback] = self._monotonic() + _PLACING_S
        uniqueid = new_uniqueid(callback, "near")
        self._joining[queue] = (uniqueid, self._monotonic() + _JOINING_S)
        if not rings and callback in self._asking:
            self._provisional.add(uniqueid)
        try:
            await self._channels.hold(
                uniqueid,
                queue,
                position,
                number=number,
                rings=rings,
                desk=desk,
                prompts=self._prompts(desk, language),
            )
        except BaseException:
            self._arrived(uniqueid)
            raise

    def _queue_of(self, callback: str) -> str | None:
        one = self._active.get(callback)
        if one is not None:
            return one.queue
        return None

    async def _settle_taken(self) -> None:
        """Give up the places of those who stand in the queue themselves again, or are gone."""
        now = self._monotonic()
        for uniqueid, (callback, until) in list(self._taken_by.items()):
            if self._watch.where(uniqueid) is not None or not self._near.get(callback) or now >= until:
                del self._taken_by[uniqueid]
                await self.withdraw(callback)

    async def _give_up(self, callback: str) -> None:
        self._placing.pop(callback, None)
        self._watch.callback_arrivals.pop(callback, None)
        for channel in list(self._near.get(callback, {}).values()):
            await self._channels.hang_up(channel)

    async def _compare(self) -> None:
        """Attempts whose channels are gone are over, whoever was killed meanwhile; so are places nobody knows."""
        await self._watch.compare(self._channels.ami)
        live = await self._channels.live()
        for callback, near in list(self._near.items()):
            if "near" not in live.get(callback, set()):
                near.clear()
        for queue in self._rules:
            for place in self._watch.places(queue):
                self._joined(place.uniqueid, place.channel)
        now = self._monotonic()
        gap, self._gap = self._gap, False
        for one in self.active():
            theirs = live.get(one.id, set()) & ({"far"} if one.mode == "technician_first" else {"customer"})
            if one.state not in ("dialling", "connected") or theirs:
                self._lost.pop(one.id, None)
            elif gap or now - self._lost.setdefault(one.id, now) >= _LOST_S:
                # After a gap its channel was gone before; else the end of it may be about to be told.
                self._lost.pop(one.id, None)
                if self._have_met(one):
                    await self._talked(one, "talked; its end was not seen")
                else:
                    told = self._told.get(one.id) if one.state == "dialling" else None
                    await self.abandon(one.id, told or "interrupted", crashed=gap and told is None)

    # Writing -------------------------------------------------------------------------------------

    async def _change(self, was: Callback, becomes: Callback) -> Callback | None:
        """Commit a change; None when somebody else was first. Raises Unavailable."""
        if becomes is was:
            return None
        async with self._store.unit() as unit:
            if not await statements.change(unit, becomes, was=was.state):
                stored = await statements.get(unit, was.id)
            else:
                stored = becomes
                if becomes.state == "expired":
                    await self._lapsed(unit, becomes)
        if stored is not None:
            self._keep(stored, f"callback.{_EVENTS.get(stored.state, stored.state)}")
        if stored is becomes:
            return becomes
        return None

    def _keep(self, one: Callback, kind: str) -> None:
        if one.state != "dialling":
            self._answered.pop(one.id, None)
        if one.state not in ("dialling", "connected"):
            self._put_through.forget(one.id)
        if one.ended:
            self._active.pop(one.id, None)
            self._told.pop(one.id, None)
            self._watch.callback_arrivals.pop(one.id, None)
        else:
            self._active[one.id] = one
            self._watch.callback_arrivals[one.id] = one.arrived_at
        self._bus.publish(kind, self._clock(), one.facts())


_EVENTS: Mapping[State, str] = {"pending": "waiting"}


def _outcome(status: str) -> Outcome:
    """From Dial's DIALSTATUS or a hang-up cause (ITU-T Q.850)."""
    if status in ("BUSY", "17", "21"):
        return "busy"
    if status == "CANCEL":
        return "interrupted"
    if status in ("CHANUNAVAIL", "CONGESTION", "1", "20", "27", "34", "38", "41", "42"):
        return "failed"
    return "no-answer"
