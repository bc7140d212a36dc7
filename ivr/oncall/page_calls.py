"""Page calls: rings the one on call, who hears the emergency and takes it with a key (OV-7).

A call is a row that was committed with its page. It is dialled once: the row says so before Asterisk is told, and what
was under way when the service died is not dialled again; the next page comes soon enough.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from ivr.asterisk.ami import RECONNECTED, AmiRefused, Fields, ManagerInterface, State
from ivr.asterisk.contract import Variable, assignment
from ivr.asterisk.originate import ringing
from ivr.clock import Clock
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.directory.snapshot import Book
from ivr.errors import Unavailable
from ivr.isolation import apart
from ivr.oncall import store
from ivr.oncall.store import PageCall
from ivr.oncall.storms import in_order, overtaken
from ivr.store.engine import Store
from ivr.tickets import store as tickets
from ivr.ticks import rest_unless

log = structlog.get_logger()

#: A mobile phone's own voicemail answers after about as many seconds.
RING_S = 40
#: A call whose channel is not there after this many seconds could not be made, or its end was not seen.
_MADE_S = 5.0
#: A page that could not be dialled for so long is overtaken by the next one.
_STALE = timedelta(minutes=15)
#: One that was cut off is dialled again while it is no older than this: it would hardly have rung to its end.
_AGAIN = timedelta(seconds=RING_S + 30)
_UNIQUEID = re.compile(r"pg-(\d{1,10})-[0-9a-f]{6}")
#: Why Asterisk ended it (Q.850), in a ticket's words.
_CAUSES = {"17": "busy", "18": "no-answer", "19": "no-answer", "21": "refused"}


def call_of(uniqueid: str) -> int | None:
    """The page call that a channel belongs to."""
    found = _UNIQUEID.fullmatch(uniqueid)
    if found is not None:
        return int(found[1])
    return None


def way_to(number: str, book: Book, *, trunk: bool) -> tuple[str, str] | None:
    """`phone` and its name where a registered phone of ours has the number, else `outside` and the number; None without
    a trunk."""
    own = next((name for name, phone in book.endpoints.items() if phone.caller_id == number), None)
    if own is not None:
        return "phone", own
    if trunk:
        return ("outside", number)
    return None


class PageCalls:
    """Dials what is due, and notes how each call ended."""

    def __init__(
        self,
        *,
        store: Store,
        ami: ManagerInterface,
        desks: Mapping[str, Desk],
        book: Callable[[], Book],
        trunk: bool,
        clock: Clock,
    ) -> None:
        self._store, self._ami, self._desks = store, ami, desks
        self._book, self._trunk, self._clock = book, trunk, clock
        #: Channels that are gone, with the cause, whose rows do not say so yet.
        self._gone: dict[int, str] = {}
        self._wake = asyncio.Event()
        #: Whether what is dialling was compared with the channels there are, since events may have been missed; and
        #: when it is again, by the loop's clock.
        self._compared = False
        self._compare_at = 0.0
        #: Whether there was somebody to ring at the last look, as far as is known.
        self._busy = True

    def enter(self, event: Fields) -> None:
        """Note a channel's end."""
        if event is RECONNECTED:
            self._compared = False
            self._wake.set()
        elif event.get("event") == "Hangup" and (call := call_of(event.get("uniqueid", ""))) is not None:
            self._gone[call] = event.get("cause", "")
            self._wake.set()

    async def run(self, every_s: float = 1.0, idle_s: float = 3.0) -> None:
        """Dial until cancelled, and look less often while there is no one to ring.

        What another service's life left dialling and Asterisk does not know any more was cut off: it is dialled again.
        """
        while True:
            # Before: what is told meanwhile is looked at next.
            self._wake.clear()
            try:
                await self.once()
            except (Unavailable, AmiRefused) as error:
                log.error("page calls waiting: component unavailable", event_id="OV2004", error=str(error))
            except Exception:
                log.exception("page call loop failed; retrying")
            await rest_unless(self._wake, every_s if self._busy else idle_s)

    async def once(self) -> None:
        """Dial what is due, end what is not needed any more, and note what is over. Raises Unavailable, AmiRefused."""
        for gone, cause in list(self._gone.items()):
            with apart("end of a page call not saved", gone):
                await self._gone_away(gone, cause)
            self._gone.pop(gone, None)
        async with self._store.reading() as unit:
            found = await store.open_page_calls(unit)
        self._busy = bool(found)
        await self._compare([one.call for one in found if one.call.state == "dialling"])
        now = self._clock()
        # Who is being rung for one emergency is rung for the other one after that.
        rung = {one.call.number for one in found if one.call.state == "dialling"}
        for one in found:
            call = one.call
            if call.state != "due" and one.taken and call.answered_at is None and call.channel is not None:
                # Somebody else has taken it while this phone still rings.
                await self._hang_up(call.channel)
        due = {one.call.id: one for one in found if one.call.state == "due"}
        late = overtaken([one.due for one in due.values()])
        for each in in_order([one.due for one in due.values()]):
            call, taken = due[each.id].call, due[each.id].taken
            with apart("page call not dialled; retrying", call.id):
                if taken or now - call.due_at > _STALE or call.id in late:
                    await self.ended(call.id, "not-needed" if taken else "too-late")
                elif call.number not in rung:
                    rung.add(call.number)
                    await self._dial(call)

    async def _dial(self, call: PageCall) -> None:
        way = way_to(call.number, self._book(), trunk=self._trunk)
        if way is None:
            log.error("page call impossible: no outbound trunk", event_id="OV2002", emergency=call.emergency_id)
            await self.ended(call.id, "no-way-out")
            return
        if self._ami.state is not State.CONNECTED:
            raise Unavailable(component="Asterisk's manager", emergency=call.emergency_id)
        channel = f"pg-{call.id}-{secrets.token_hex(3)}"
        async with self._store.unit() as unit:
            if not await store.begin_page_call(unit, call.id, channel=channel, at=self._clock()):
                return
        kind, name = way
        variables = [assignment(Variable.PAGE, call.id), assignment(Variable.LANGUAGE, self._language(call))]
        fields = {
            "Channel": f"PJSIP/{name}@outbound",
            "Context": "page-answered",
            "Exten": "s",
            "Priority": "1",
            "Async": "true",
            "Timeout": str(RING_S * 1000),
            "ChannelId": channel,
            "CallerID": f"<{self._desks[call.desk].numbers[0]}>",
            "Variable": ",".join(variables),
        }
        if kind == "phone":
            rung = ringing(name, RING_S)
            fields |= rung | {"Variable": f"{fields['Variable']},{rung['Variable']}"}
        try:
            await self._ami.action("Originate", fields)
        except AmiRefused as error:
            log.error("page call refused by Asterisk", event_id="OV2003", emergency=call.emergency_id, error=str(error))
            await self.ended(call.id, "failed")
        except Unavailable as error:
            # Perhaps it rings all the same: then the one who answers hears the emergency. It is not dialled twice.
            log.error("page call perhaps not dialled", event_id="OV2003", emergency=call.emergency_id, error=str(error))
            await self.ended(call.id, "lost")

    def _language(self, call: PageCall) -> str:
        """For what the dialplan tells alone, in the main desk's sounds."""
        duty = self._desks[call.desk].oncall
        person = duty.people.get(call.person or "") if duty is not None else None
        known = main_of(self._desks).languages
        if person is not None and person.language in known:
            return person.language
        return known[0]

    async def _hang_up(self, channel: str) -> None:
        try:
            await self._ami.action("Hangup", {"Channel": channel, "Cause": "16"})
        except AmiRefused as error:
            # It may be gone by now.
            log.info("page call already over", said=error.facts.get("said"))

    async def answered(self, call: int) -> None:
        """Somebody, or a voicemail, answered. Raises Unavailable."""
        async with self._store.unit() as unit:
            await store.change_page_call(unit, call, {"answered_at": self._clock()})

    async def ended(self, call: int, outcome: str) -> None:
        """How it ended; the first word stands, and the ticket tells it. Raises Unavailable."""
        now = self._clock()
        async with self._store.unit() as unit:
            row = await store.end_page_call(unit, call, outcome=outcome, at=now)
            if row is None:
                return
            emergency = await store.lock(unit, row.emergency_id)
            ticket = None
            if emergency is not None:
                ticket = await tickets.lock(unit, emergency.ticket_number)
            if ticket is None:
                return
            told = {"emergency": row.emergency_id, "person": row.person or "fallback", "outcome": row.outcome}
            await tickets.add_event(
                unit, ticket.number, at=now, who="on call", kind="page-call", changes=told, version=ticket.version
            )

    async def _gone_away(self, call: int, cause: str) -> None:
        """A channel has ended; of who answered it is known by now whether they pressed a key."""
        async with self._store.reading() as unit:
            row = await store.page_call(unit, call)
        answered = row is not None and row.answered_at is not None
        await self.ended(call, "no-key" if answered else _CAUSES.get(cause, "failed"))

    async def _again(self, call: PageCall) -> None:
        """A crash of ours cut it off while it rang: dial it again at once, instead of at the next page."""
        async with self._store.unit() as unit:
            await store.page_again(unit, call.id)
        log.warning("interrupted page call redialled", emergency=call.emergency_id)
        self._wake.set()

    async def _compare(self, dialling: list[PageCall]) -> None:
        """End the rows whose channels Asterisk does not have, or dial them again.

        At first all of them, since a crash may have cut them off; then those that should be there by now.

        A phone that is not registered has no channel, and nothing tells of its end.
        """
        now = asyncio.get_running_loop().time()
        if self._compared and (not dialling or now < self._compare_at):
            return
        if dialling:
            live = {call_of(row.get("uniqueid", "")) for row in await self._ami.collect("CoreShowChannels")}
            made = self._clock() - timedelta(seconds=_MADE_S)
            for call in dialling:
                late = call.dialled_at is None or call.dialled_at <= made
                if call.id in live or (self._compared and not late):
                    continue
                if not self._compared and call.answered_at is None and self._clock() - call.due_at <= _AGAIN:
                    await self._again(call)
                else:
                    await self.ended(call.id, "failed" if self._compared else "lost")
        self._compared, self._compare_at = True, now + _MADE_S
