"""The record of calls: told at once to whoever listens, written to the database in batches.

Nothing here waits for the database, so that a call never does. A call stays in memory until it has
ended and is written; while the database is away, memory is bounded and what had to be left out is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from ivr.calls import store as statements
from ivr.calls.held import Bounds, Held, take
from ivr.calls.model import Call, Happening, Leg, answered_to_nobody, as_vanished, outcome, vanished
from ivr.calls.sanitize import plain, plain_text
from ivr.calls.view import summary, view
from ivr.clock import require_aware
from ivr.directory.model import Identity
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.store.engine import Store
from ivr.ticks import rest_unless

log = structlog.get_logger()

#: A customer's open tickets, to be shown to whoever answers.
OpenTickets = Callable[[int], Awaitable[list[dict[str, Any]]]]

#: Changed calls are written this often, in seconds, or as soon as so many wait. A crash loses no more than that
#: of a timeline; a transaction for each happening would cost several times what the happenings do.
_INTERVAL_S = 1.0
_ENOUGH = 200
#: Calls in one transaction, so that none lasts long.
_BATCH = 200
#: After a failure the writer waits this long at most, in seconds, before it tries again.
_PATIENCE_S = 5.0
#: Whoever answers is told without the open tickets when the database takes longer, in seconds.
_CARD_S = 1.0
#: An ended call waits this long, in seconds, for its channels' last events.
_GRACE_S = 10.0


class CallLog:
    """All calls of one service. `run` writes them; `close` writes what is left."""

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        *,
        open_tickets: OpenTickets | None = None,
        bounds: Bounds | None = None,
        silent_s: float = 0.0,
    ) -> None:
        self._store = store
        self._bus = bus
        self._open_tickets = open_tickets
        self._bounds = bounds or Bounds()
        #: Asterisk ends a call of which nothing was heard for so many seconds.
        self._silent_s = silent_s
        self._held: dict[str, Held] = {}
        self._by_linkedid: dict[str, str] = {}
        self._changed: dict[str, Held] = {}
        self._events = 0
        self._ended = 0
        self._waiting = asyncio.Event()
        self._enough = asyncio.Event()
        self._writing = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()

    # What happens on calls -----------------------------------------------------------------------

    def begin(  # noqa: PLR0913 - a record of them would be made only to be taken apart
        self,
        call_id: str,
        *,
        linkedid: str,
        channel: str,
        desk: str,
        dialled: str,
        ani: str | None,
        endpoint: str | None,
        identity: Identity,
        at: datetime,
        dials: bool = False,
        private_number: str | None = None,
    ) -> None:
        """A call has come in. `ani` is the caller's number as E.164 digits, when it is one and not private.

        The channel is its caller's, answered already, and so the call's first leg; unless it is ours and `dials` them.
        """
        call = Call(
            id=call_id,
            linkedid=plain_text(linkedid, 150),
            channel=plain_text(channel, 150),
            desk=desk,
            dialled=plain_text(dialled, 40),
            ani=ani,
            endpoint=plain_text(endpoint, 40) if endpoint is not None else None,
            customer_id=identity.customer.id if identity.customer is not None else None,
            identity=identity.facts(),
            started_at=require_aware(at),
            private_number=private_number,
        )
        held = Held(call=call)
        self._held[call_id] = held
        self._by_linkedid[call.linkedid] = call_id
        if not dials:
            call.legs[call.linkedid] = Leg(
                uniqueid=call.linkedid,
                channel=call.channel,
                role="caller",
                endpoint=call.endpoint,
                started_at=at,
                answered_at=at,
            )
            held.legs_changed.add(call.linkedid)
        self._add(held, "started", at, {"dialled": call.dialled, "channel": call.channel})
        self._bus.publish("call.started", at, summary(call))

    def resume(self, call: Call, at: datetime, *, language: str | None) -> None:
        """A call of an earlier run goes on, as the database has it; `language` is its channel's, if it has none."""
        held = Held(call=call, row_changed=False, events_written=len(call.events))
        self._held[call.id] = held
        self._by_linkedid[call.linkedid] = call.id
        self._events += len(call.events)
        if call.language is None and language is not None:
            call.language = language
            self._row(held)
        self._add(held, "resumed", at, {})

    def note(self, call_id: str, kind: str, at: datetime, /, **facts: object) -> None:
        """Something happened on a call. One that is not known (any more) is passed over."""
        held = self._held.get(call_id)
        if held is not None:
            self._add(held, kind, at, facts)

    def route(self, call_id: str, *, department: str, language: str) -> None:
        """Where a call goes, and in which language."""
        held = self._held.get(call_id)
        if held is not None:
            held.call.department, held.call.language = department, language
            self._row(held)

    def queued(self, call_id: str, at: datetime, *, queue: str, **facts: object) -> None:
        """A caller stands in a queue."""
        held = self._held.get(call_id)
        if held is None or held.call.ended_at is not None:
            return
        held.call.queue = queue
        if held.call.queued_at is None and held.call.answered_at is None:
            # Whoever comes back to their place has waited since the first time.
            held.call.queued_at = require_aware(at)
        self._row(held)
        self._add(held, "queued", at, {"queue": queue, **facts})
        self._bus.publish("call.queued", at, summary(held.call) | {"facts": plain(facts)})

    def waits_since(self, call_id: str, at: datetime) -> None:
        """A caller takes a place back that they had since then: so long they have waited, once they stand there."""
        held = self._held.get(call_id)
        if held is not None and held.call.ended_at is None:
            held.call.queued_at = require_aware(at)
            self._row(held)

    def answered(self, call_id: str, at: datetime, *, endpoint: str, **facts: object) -> None:
        """Somebody answered: the first one counts, and whoever a call is transferred to after that.

        Who calls, and their open tickets, are told with it. How long the caller waited is told by the first answer.
        """
        held = self._held.get(call_id)
        if held is None or held.call.ended_at is not None:
            return
        taken_over = held.call.transfer is not None
        self._add(held, "answered", at, {"endpoint": endpoint, **facts})
        if held.call.answered_at is not None and not taken_over:
            return
        held.call.answered_at = held.call.answered_at or require_aware(at)
        held.call.answered_by = plain_text(endpoint, 40)
        self._row(held)
        telling = asyncio.create_task(self._tell_answered(held.call, at), name=f"card {call_id}")
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_answered(self, call: Call, at: datetime) -> None:
        """Without the tickets, should the database be slow: the technician must know who calls."""
        tickets: list[dict[str, Any]] | None = None
        if call.customer_id is None:
            tickets = []
        elif self._open_tickets is not None:
            try:
                async with asyncio.timeout(_CARD_S):
                    tickets = await self._open_tickets(call.customer_id)
            except (TimeoutError, Unavailable) as error:
                log.warning("open tickets of a caller not looked up", call=call.id, error=str(error))
        self._bus.publish("call.answered", at, summary(call) | {"open_tickets": tickets})

    def end(self, call_id: str, at: datetime, *, result: str, reason: str) -> None:
        """A call is over as far as the line is concerned. The first result stands."""
        held = self._held.get(call_id)
        if held is None or held.call.ended_at is not None:
            return
        call = held.call
        if call.never_met:
            # A technician was there, but nobody whom they could have answered.
            call.answered_at = call.answered_by = None
        call.ended_at, call.result, call.reason = require_aware(at), result, plain_text(reason, 200)
        held.ended_monotonic = time.monotonic()
        self._ended += 1
        self._row(held)
        self._add(held, "ended", at, {"result": result, "reason": reason})
        self._bus.publish("call.ended", at, summary(call))
        if self._ended > self._bounds.ended:
            self._give_up_oldest()

    def hung_up(self, call_id: str, at: datetime, *, cause: int | None = None) -> None:
        """The caller's channel is gone. Ends the call when nothing has yet; `cause` is Q.850's."""
        held = self._held.get(call_id)
        if held is None:
            return
        call = held.call
        if call.ended_at is None:
            if answered_to_nobody(call, cause, at, silent_s=self._silent_s):
                call.answered_at = call.answered_by = None
            result, reason = outcome(call, cause)
            self.end(call_id, at, result=result, reason=reason)
        elif vanished(cause) and call.reason is not None:
            # The conversation only saw that its caller was gone.
            call.reason = as_vanished(call.reason)
            self._row(held)
        held.gone = True
        self._mark(held)

    def leg(
        self, call_id: str, uniqueid: str, *, channel: str, role: str, at: datetime, endpoint: str | None = None
    ) -> None:
        """A channel takes part in a call. `role` is caller, member or department."""
        held = self._held.get(call_id)
        if held is not None and uniqueid not in held.call.legs:
            name = plain_text(endpoint, 40) if endpoint is not None else None
            uniqueid, channel = plain_text(uniqueid, 150), plain_text(channel, 150)
            held.call.legs[uniqueid] = Leg(
                uniqueid=uniqueid, channel=channel, role=role, endpoint=name, started_at=require_aware(at)
            )
            held.legs_changed.add(uniqueid)
            self._mark(held)

    def leg_answered(self, call_id: str, uniqueid: str, at: datetime) -> None:
        """A channel was answered."""
        self._change_leg(call_id, uniqueid, answered_at=require_aware(at))

    def leg_ended(self, call_id: str, uniqueid: str, at: datetime, *, cause: int | None = None) -> None:
        """A channel is gone; `cause` is Q.850's."""
        self._change_leg(call_id, uniqueid, ended_at=require_aware(at), cause=cause)

    def leg_scored(self, linkedid: str, uniqueid: str, mos: float) -> None:
        """How a channel's audio was, from 1 to 4.5; told as it ends. One of a call that is not ours is passed over."""
        call_id = self._by_linkedid.get(linkedid)
        if call_id is not None:
            self._change_leg(call_id, uniqueid, mos=mos)

    def _change_leg(self, call_id: str, uniqueid: str, **values: object) -> None:
        held = self._held.get(call_id)
        leg = held.call.legs.get(uniqueid) if held is not None else None
        if held is not None and leg is not None:
            for name, value in values.items():
                setattr(leg, name, value)
            held.legs_changed.add(uniqueid)
            self._mark(held)

    # What is known of calls ----------------------------------------------------------------------

    def id_of(self, linkedid: str) -> str | None:
        """The call that Asterisk's linkedid belongs to."""
        return self._by_linkedid.get(linkedid)

    def call_of(self, linkedid: str) -> Call | None:
        """The same, as it stands now."""
        held = self._held.get(self._by_linkedid.get(linkedid, ""))
        if held is not None:
            return held.call
        return None

    def live(self) -> list[Call]:
        """Calls that have not ended, the oldest first."""
        return [held.call for held in self._held.values() if held.call.ended_at is None]

    def current(self, call_id: str) -> Call | None:
        """A call that is still in memory."""
        held = self._held.get(call_id)
        if held is not None:
            return held.call
        return None

    async def snapshot(self, call_id: str) -> dict[str, Any] | None:
        """Everything about a call, live or past; None when there is none. Raises StoreUnavailable."""
        if (call := self.current(call_id)) is not None:
            return view(call)
        async with self._store.reading() as unit:
            found = await statements.read(unit, call_id)
        if found is None:
            # It may have begun while the database was asked.
            if (call := self.current(call_id)) is not None:
                return view(call)
            return None
        return view(found)

    # Keeping within bounds -----------------------------------------------------------------------

    def _add(self, held: Held, kind: str, at: datetime, facts: Mapping[str, object]) -> None:
        call = held.call
        if len(call.events) >= self._bounds.events_per_call or self._events >= self._bounds.events:
            if call.events_lost == 0:
                log.error("call timeline truncated: memory limit", call=call.id, events=self._events)
            call.events_lost += 1
            self._row(held)
            return
        seq = len(call.events)
        happening = Happening(seq=seq, at=require_aware(at), kind=plain_text(kind, 40), facts=plain(facts))
        call.events.append(happening)
        self._events += 1
        self._mark(held)

    def _row(self, held: Held) -> None:
        held.row_changed = True
        self._mark(held)

    def _mark(self, held: Held) -> None:
        self._changed[held.call.id] = held
        self._waiting.set()
        if len(self._changed) >= _ENOUGH:
            self._enough.set()

    def _give_up_oldest(self) -> None:
        oldest = next(held for held in self._held.values() if held.call.ended_at is not None)
        log.error(
            "call record lost: database unavailable and memory full",
            event_id="OV1602",
            call=oldest.call.id,
            result=oldest.call.result,
        )
        self._forget(oldest)

    def _forget(self, held: Held) -> None:
        call = held.call
        del self._held[call.id]
        self._changed.pop(call.id, None)
        if self._by_linkedid.get(call.linkedid) == call.id:
            del self._by_linkedid[call.linkedid]
        self._events -= len(call.events)
        self._ended -= 1

    # Writing -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write until cancelled. A database that is away is tried again, ever less often."""
        patience = _INTERVAL_S
        while True:
            await self._waiting.wait()
            await rest_unless(self._enough, patience)
            try:
                await self.flush()
            except Unavailable as error:
                self._enough.clear()
                patience = min(patience * 2, _PATIENCE_S)
                log.error("call records not written; retrying", calls=len(self._changed), error=str(error))
            else:
                if patience != _INTERVAL_S:
                    log.info("call records written again")
                patience = _INTERVAL_S

    async def flush(self) -> None:
        """Write everything that waits now. Raises StoreUnavailable; what is not written stays."""
        async with self._writing:
            self._waiting.clear()
            self._enough.clear()
            batch: list[Held] = []
            todo = list(self._changed.values())
            try:
                while todo:
                    batch, todo = todo[:_BATCH], todo[_BATCH:]
                    await self._write(batch)
            finally:
                if self._changed:
                    self._waiting.set()

    async def _write(self, batch: list[Held]) -> None:
        taken = [take(held) for held in batch]
        for held in batch:
            self._changed.pop(held.call.id, None)
        try:
            async with self._store.unit() as unit:
                await statements.write(
                    unit,
                    calls=[row for one in taken for row in one.calls],
                    events=[row for one in taken for row in one.events],
                    legs=[row for one in taken for row in one.legs],
                )
        except BaseException as error:
            for one in taken:
                one.put_back()
                if one.held.call.id in self._held:
                    self._changed[one.held.call.id] = one.held
            if isinstance(error, Unavailable) or not isinstance(error, Exception):
                raise
            if len(batch) == 1:
                # One call that the database refuses must not keep the others from being written.
                log.exception("call record lost: rejected by the database", event_id="OV1602", call=batch[0].call.id)
                self._forget_unwritable(batch[0])
                return
            for held in batch:
                await self._write([held])
            return
        for held in batch:
            self._let_go(held)

    def _forget_unwritable(self, held: Held) -> None:
        if held.call.ended_at is None:
            self._ended += 1
        self._forget(held)

    def _let_go(self, held: Held) -> None:
        """Take a call out of memory once it has ended, is written, and nothing more will come."""
        if held.call.ended_at is None or held.waiting or held.call.id not in self._held:
            return
        late = held.ended_monotonic + _GRACE_S - time.monotonic()
        if held.gone or late <= 0:
            self._forget(held)
        else:
            # Its channels' last events are still to come; should they not, it goes all the same.
            asyncio.get_running_loop().call_later(late, self._mark, held)

    async def close(self, deadline_s: float = 3.0) -> None:
        """Write what is left, at most for so long; then say what was not."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                await self.flush()
        except (TimeoutError, Unavailable) as error:
            log.error(
                "call records lost at shutdown: not written in time",
                event_id="OV1602",
                calls=len(self._changed),
                error=str(error),
            )
