"""Sends what is in the outbox, one kind per worker. Whenever it is killed, another goes on from what is written."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Protocol

import structlog

from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.notify import store as statements
from ivr.notify.delivery import LATE, Accepted, Kind, Outcome, Step, Unclear, expired, lease_lost, settle
from ivr.notify.store import Notice
from ivr.store.engine import Store, Unit
from ivr.ticks import rest

log = structlog.get_logger()

#: A row is held this long, in seconds; after it another worker takes it over.
LEASE_S: Final = 30.0
#: A sender that has not come back by then, in seconds, is given up: well within the lease.
_SEND_S: Final = 20.0
#: Writing down what came of it is tried again this often, in seconds, while the database is away.
_WRITE_AGAIN_S: Final = 0.5
#: At the end those that are under way get so long, in seconds.
_FINISH_S: Final = 1.5


class Sender(Protocol):
    """One way out."""

    @property
    def kind(self) -> Kind: ...

    async def check(self, unit: Unit, notice: Notice) -> Outcome | None:
        """Return what is known beforehand, in the transaction that lets it leave: None to send it."""

    async def send(self, notice: Notice) -> Outcome:
        """Send it. What it raises is taken for Unclear."""

    async def settled(self, unit: Unit, notice: Notice, outcome: Outcome) -> None:
        """In the transaction that writes down what came of it: what else follows."""


#: Finds out whether an unknown notice left.
Look = Callable[[Notice], Awaitable[Outcome]]


class Worker:
    """Sends the rows of one kind, several at once."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        *,
        look: Look | None = None,
        clock: Clock,
        bus: EventBus,
        slots: int = 4,
        lease_s: float = LEASE_S,
        send_s: float = _SEND_S,
    ) -> None:
        self._store = store
        self._sender = sender
        self._look = look
        self._clock = clock
        self._bus = bus
        self._slots = slots
        self._lease_s = lease_s
        self._send_s = send_s
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self, every_s: float = 0.5) -> None:
        """Send until cancelled; then what is under way may come to its end."""
        try:
            while True:
                try:
                    await self._take()
                except Unavailable as error:
                    log.warning("notices waiting: database unavailable", kind=self._sender.kind, error=str(error))
                except Exception:
                    # Calls share this service, and none is to be lost for a notice.
                    log.exception("notices not claimed; retrying", kind=self._sender.kind)
                await rest(every_s)
        finally:
            if self._busy:
                await asyncio.wait(self._busy, timeout=_FINISH_S)
            for task in self._busy:
                task.cancel()

    async def once(self) -> int:
        """Take what is due now and see it through; how many rows were taken. Raises StoreUnavailable."""
        taken = await self._take()
        if self._busy:
            await asyncio.wait(self._busy)
        return taken

    async def _take(self) -> int:
        free = self._slots - len(self._busy)
        now = self._clock()
        async with self._store.reading() as unit:
            due = free > 0 and await statements.anything_due(unit, self._sender.kind, now)
        if not due:
            return 0
        until = now + timedelta(seconds=self._lease_s)
        async with self._store.unit() as unit:
            for notice, lease in await statements.lost(unit, self._sender.kind, now):
                step = lease_lost(notice.standing, now=now, jitter=_jitter())
                after = await statements.step(unit, notice.id, lease, step, now=now)
                log.warning(
                    "notice with an expired lease taken over", notice=notice.id, was=notice.state, state=step.state
                )
                self._tell(unit, after)
            claimed = await statements.claim(unit, self._sender.kind, now=now, until=until, limit=free)
        for notice, lease in claimed:
            task = asyncio.create_task(self._work(notice, lease), name=f"notice {notice.id}")
            self._busy.add(task)
            task.add_done_callback(self._done)
        return len(claimed)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease runs out, and it is taken over.
            log.error("notice delivery task failed; its lease runs out", work=task.get_name(), exc_info=error)

    async def _work(self, notice: Notice, lease: str) -> None:
        if notice.state == "reconciling" and self._look is not None:
            await self._settle(notice, lease, await self._bounded(self._look, notice))
            return
        begun = await self._begin(notice, lease)
        if begun is not None:
            await self._settle(begun, lease, await self._bounded(self._sender.send, begun))

    async def _begin(self, notice: Notice, lease: str) -> Notice | None:
        """The row as it is about to leave; None when it is not to, any more or at all."""
        now = self._clock()
        async with self._store.unit() as unit:
            if expired(notice.standing, now):
                error = f"{LATE}: {notice.error}" if notice.error else LATE
                step = Step(state="dead", error=error)
                self._tell(unit, await statements.step(unit, notice.id, lease, step, now=now))
                return None
            known = await self._sender.check(unit, notice)
            if known is None:
                until = now + timedelta(seconds=self._lease_s)
                return await statements.begin(unit, notice.id, lease, now=now, until=until)
            step = settle(notice.standing, known, now=now, jitter=_jitter())
            self._tell(unit, await statements.step(unit, notice.id, lease, step, now=now))
            return None

    async def _bounded(self, act: Callable[[Notice], Awaitable[Outcome]], notice: Notice) -> Outcome:
        try:
            async with asyncio.timeout(self._send_s):
                return await act(notice)
        except TimeoutError:
            return Unclear(reason=f"no answer within {self._send_s:.0f} s")
        except Unavailable as error:
            return Unclear(reason=str(error))
        except Exception as error:
            log.exception("notice sender failed", notice=notice.id, kind=notice.kind)
            return Unclear(reason=f"internal error: {type(error).__name__}")

    async def _settle(self, notice: Notice, lease: str, outcome: Outcome) -> None:
        """Write it down, for as long as the lease lasts; then it is taken over as lost."""
        patience = asyncio.get_running_loop().time() + self._lease_s
        while True:
            try:
                await self._write(notice, lease, outcome)
            except Unavailable as error:
                if asyncio.get_running_loop().time() >= patience:
                    log.error("notice outcome not saved", notice=notice.id, error=str(error))
                    return
                await asyncio.sleep(_WRITE_AGAIN_S)
            else:
                return

    async def _write(self, notice: Notice, lease: str, outcome: Outcome) -> None:
        now = self._clock()
        async with self._store.unit() as unit:
            if isinstance(outcome, Accepted) and outcome.provider_id is not None:
                sure, name = notice.state != "reconciling", outcome.provider_id[:64]
                if not await statements.claim_provider_id(unit, notice.id, name, sure=sure, now=now):
                    outcome = Unclear(reason="what was found is another notice's")
            step = settle(notice.standing, outcome, now=now, jitter=_jitter())
            accepted = outcome if isinstance(outcome, Accepted) else Accepted()
            after = await statements.step(
                unit,
                notice.id,
                lease,
                step,
                now=now,
                provider_id=accepted.provider_id,
                provider_status=accepted.provider_status,
            )
            if after is None:
                log.warning("notice claimed by another worker", notice=notice.id, outcome=type(outcome).__name__)
                return
            await self._sender.settled(unit, after, outcome)
            self._tell(unit, after)
        if not isinstance(outcome, Accepted):
            # The reason may name the recipient; it is kept with the notice.
            log.warning("notice not sent", notice=notice.id, kind=notice.kind, state=step.state)

    def _tell(self, unit: Unit, after: Notice | None) -> None:
        if after is None or after.state in ("pending", "leased", "sending", "reconciling"):
            return
        kind, at, data = f"notice.{after.state}", self._clock(), after.brief() | {"error": after.error}
        unit.afterwards(lambda: self._bus.publish(kind, at, data))


def _jitter() -> float:
    return random.random()  # noqa: S311 - it spreads attempts and hides nothing
