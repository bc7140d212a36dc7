"""To whom a callback is offered: on heavy demand only (OV-9), and for good once it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ivr.callbacks import store as statements
from ivr.callbacks.model import is_heavy
from ivr.callbacks.reconciler import Keeper
from ivr.calls.log import CallLog
from ivr.queueing.places import Place
from ivr.queueing.position_announcements import Listener
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store

#: So many offers are remembered; far more than callers who wait at one time.
_MOST = 20_000

#: Called once for each offer: call's id, desk, moment.
Told = Callable[[str, str, datetime], None]


async def note_offer(store: Store, calls: CallLog, call_id: str, desk: str, at: datetime) -> None:
    """Note an offer beside its call and in the database, where it is the wide end of the funnel.

    Raises StoreUnavailable.
    """
    calls.note(call_id, "callback-offered", at)
    async with store.unit() as unit:
        await statements.offered(unit, call_id=call_id, desk=desk, at=at)


class Offers:
    """Decides and remembers. A caller who was told « faites le 1 » may do so, whatever the demand is by then."""

    def __init__(
        self,
        *,
        watch: QueueWatch,
        keeper: Keeper,
        calls: CallLog,
        clock: Callable[[], datetime],
        told: Told,
        may_follow: Callable[[str, str], bool],
    ) -> None:
        """`may_follow` tells of a desk and a call whether text messages about an incident are offered to it."""
        self._may_follow = may_follow
        self._watch, self._keeper, self._calls = watch, keeper, calls
        self._clock, self._told = clock, told
        self._offered: dict[str, None] = {}

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._offered

    def listener(self, queue: str, place: Place) -> Listener | None:
        """The caller who stands at a place, for what they are told; None for a channel that is no known call."""
        call = self._calls.call_of(place.uniqueid)
        if call is None or call.language is None:
            return None
        if call.id not in self._offered and self._may_be_offered(queue, call.desk, call.ani, call.endpoint):
            self._offered[call.id] = None
            while len(self._offered) > _MOST:
                del self._offered[next(iter(self._offered))]
            self._told(call.id, call.desk, self._clock())
        return Listener(
            call_id=call.id,
            desk=call.desk,
            language=call.language,
            offered=call.id in self._offered,
            follow=self._may_follow(call.desk, call.id),
            waited_s=(self._clock() - place.arrived_at).total_seconds(),
        )

    def _may_be_offered(self, queue: str, desk: str, number: str | None, endpoint: str | None) -> bool:
        rules = self._keeper.rules(queue)
        if rules is None or not (self._keeper.trunk or endpoint is not None):
            return False
        if self._keeper.active_for(desk, number, endpoint) is not None:
            return False
        waiting = len(self._watch.places(queue))
        return is_heavy(
            rules,
            waiting=waiting,
            wait_s=self._watch.wait_s(queue, waiting),
            technicians=self._watch.technicians(queue),
        )
