"""An Asterisk of one queue, as far as callbacks are concerned, around the real keeper and a real database.

It does what app_queue was measured to do: places are taken where it is told, the first ones are given to free
technicians, a place whose channel rings nobody keeps a technician waiting, a restart takes all channels away.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.asterisk.ami import NO_FIELDS, RECONNECTED, Fields
from ivr.callbacks import store as statements
from ivr.callbacks.channels import Part, Prompts, far_of, new_id, new_uniqueid, part_of
from ivr.callbacks.model import Callback, deadline_of, stands
from ivr.callbacks.reconciler import Keeper
from ivr.desk.hours import calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.desk.schema import CallbackRules
from ivr.events import EventBus
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store, Unit

QUEUE, DESK, DEPARTMENT = "support", "omnivigil", "support"
#: A Wednesday morning.
START = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@dataclass
class Entry:
    """A channel in the queue."""

    uniqueid: str
    channel: str
    rings: bool = True


class Noted:
    """The files by which the dialplan notes who was put through; they outlive the service and Asterisk."""

    def __init__(self) -> None:
        self.files: dict[str, datetime] = {}
        #: All there ever were.
        self.ever: set[str] = set()

    def write(self, callback: str, at: datetime) -> None:
        self.files[callback] = at
        self.ever.add(callback)

    def at(self, callback: str) -> datetime | None:
        return self.files.get(callback)

    def forget(self, callback: str) -> None:
        self.files.pop(callback, None)


@dataclass
class World:
    """Asterisk, technicians, customers and time; the keeper can be killed and begun anew."""

    store: Store
    mode: str
    now: datetime = START
    entries: list[Entry] = field(default_factory=list)
    #: Technician to what they do: idle, busy or away.
    technicians: dict[str, str] = field(default_factory=dict)
    #: When each live caller came, by uniqueid; and their numbers.
    arrivals: dict[str, datetime] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    #: Channels that exist, in the queue or not.
    channels: dict[str, str] = field(default_factory=dict)
    #: Customers being dialled or talked to: the dialling channel's uniqueid to the number.
    dialling: dict[str, str] = field(default_factory=dict)
    #: Every dialling there ever was: number and attempt.
    dialled: list[str] = field(default_factory=list)
    #: Requests that callers were told are noted, by id.
    accepted: dict[str, str] = field(default_factory=dict)
    events: list[Fields] = field(default_factory=list)
    busy_with: dict[str, str] = field(default_factory=dict)
    lapsed: list[str] = field(default_factory=list)
    put_through: Noted = field(default_factory=Noted)
    #: Callbacks whose caller has pressed 1 and is being asked.
    asking: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.desks = load_desks()
        self.calendars = {name: calendars_of(desk) for name, desk in self.desks.items()}
        self.rules = CallbackRules(mode=self.mode, pause_s=30, attempts=2)  # type: ignore[arg-type]
        self._count = itertools.count(1)
        self.trunk = True
        self.ami = self
        self.start_service()

    def start_service(self) -> None:
        """A new service, that knows nothing but the database and what Asterisk tells."""
        queue = self.desks[DESK].queues[QUEUE].model_copy(update={"callback": self.rules, "wrapup_s": 0})
        desk = self.desks[DESK].model_copy(update={"queues": {QUEUE: queue}})
        self.watch = QueueWatch({QUEUE: queue}, lambda: self.now)
        self.keeper = Keeper(
            store=self.store,
            channels=self,  # type: ignore[arg-type]
            watch=self.watch,
            desks=Desks([desk]),
            monotonic=lambda: (self.now - START).total_seconds(),
            calendars=self.calendars,
            prompts=lambda *_: Prompts(greeting="hello", no_answer="nobody"),
            bus=EventBus(),
            clock=lambda: self.now,
            lapsed=self._lapse,
            put_through=self.put_through,  # type: ignore[arg-type]
        )

    async def _lapse(self, unit: Unit, one: Callback) -> None:
        self.lapsed.append(one.id)

    # What the keeper sees of Asterisk: Channels and the manager's list ---------------------------

    async def hold(self, uniqueid: str, queue: str, position: int, *, rings: bool, **_: Any) -> None:
        part = part_of(uniqueid)
        assert part is not None
        near = f"Local/{part.callback}@callback-queue-{next(self._count):08x};2"
        self.channels[uniqueid], self.channels[far_of(uniqueid)] = near, near[:-1] + "1"
        if not self._reachable():
            # joinempty: the queue takes nobody, and the channel ends.
            await self.hang_up(near)
            return
        self.join(Entry(uniqueid=uniqueid, channel=near, rings=rings), position)

    async def dial_first(self, callback: str, *, number: str, **_: Any) -> None:
        free = sum(state == "idle" for state in self.technicians.values())
        outstanding = sum("-customer" in channel for channel in self.dialling)
        assert outstanding < free, "more customers dialled than technicians are free"
        uniqueid = new_uniqueid(callback, "customer")
        self.channels[uniqueid] = f"PJSIP/trunk-{next(self._count)}"
        self._dial(uniqueid, number)

    def _dial(self, uniqueid: str, number: str) -> None:
        assert number not in self.dialling.values(), "the same number is dialled twice at once"
        part = part_of(uniqueid)
        assert part is not None
        one = self.keeper.get(part.callback)
        assert one is not None
        attempt = f"{one.id}-{one.attempts}"
        assert attempt not in self.dialled, "the same attempt is dialled twice"
        assert one.id not in self.put_through.ever, "a customer who has talked is dialled again"
        self.dialled.append(attempt)
        self.dialling[uniqueid] = number

    async def hang_up(self, channel: str) -> None:
        gone = [u for u, name in self.channels.items() if channel in (name, u)]
        for uniqueid in gone:
            base = uniqueid.removesuffix("far").removesuffix("near")
            held = uniqueid != base
            both = (f"{base}near", f"{base}far") if held else (uniqueid,)
            for one in both:
                self._end(one)

    def _end(self, uniqueid: str) -> None:
        if self.channels.pop(uniqueid, None) is None:
            return
        self.leave(uniqueid)
        self.dialling.pop(uniqueid, None)
        for technician, with_ in list(self.busy_with.items()):
            if with_ == uniqueid:
                del self.busy_with[technician]
                self.technicians[technician] = "idle"
                self._member(technician)
        self.tell("Hangup", uniqueid=uniqueid, cause="16")

    async def live(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for uniqueid in self.channels:
            if (part := part_of(uniqueid)) is not None:
                found.setdefault(part.callback, set()).add(part.part)
        return found

    async def collect(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Sequence[Fields]:
        members: list[Fields] = [
            {"event": "QueueMember", "queue": QUEUE, **self._member_fields(name)} for name in self.technicians
        ]
        entries: list[Fields] = [
            {
                "event": "QueueEntry",
                "queue": QUEUE,
                "position": str(n),
                "uniqueid": one.uniqueid,
                "channel": one.channel,
                "wait": str(int((self.now - self.arrivals.get(one.uniqueid, self.now)).total_seconds())),
            }
            for n, one in enumerate(self.entries, 1)
        ]
        return [*members, *entries]

    # What happens in Asterisk --------------------------------------------------------------------

    def tell(self, event: str, **fields: str) -> None:
        self.events.append({"event": event, "queue": QUEUE, **fields})

    def join(self, entry: Entry, position: int | None = None) -> None:
        at = len(self.entries) if position is None else min(position - 1, len(self.entries))
        self.entries.insert(at, entry)
        self.tell("QueueCallerJoin", uniqueid=entry.uniqueid, channel=entry.channel, position=str(at + 1))

    def leave(self, uniqueid: str) -> None:
        for one in self.entries:
            if one.uniqueid == uniqueid:
                self.entries.remove(one)
                self.tell("QueueCallerLeave", uniqueid=uniqueid)
                return

    def _reachable(self) -> bool:
        return any(state != "away" for state in self.technicians.values())

    def _member_fields(self, name: str) -> dict[str, str]:
        state = self.technicians[name]
        status = {"idle": "1", "busy": "2", "away": "5"}[state]
        return {"location": f"PJSIP/{name}", "status": status, "incall": "1" if state == "busy" else "0"}

    def _member(self, name: str) -> None:
        self.tell("QueueMemberStatus", **self._member_fields(name))

    def set_technician(self, name: str, state: str) -> None:
        self.technicians[name] = state
        self._member(name)

    async def settle(self) -> None:
        """Let the service hear everything and look at everything, until nothing changes any more."""
        for _ in range(12):
            told, self.events = self.events, []
            for event in told:
                self.watch.enter(event)
                await self.keeper.enter(event)
            if not self.keeper._loaded:
                await self.keeper._load()
            await self.keeper.tick()
            if not self.events:
                return
        raise AssertionError("the keeper does not come to rest")

    # What people do ------------------------------------------------------------------------------

    async def caller(self, number: str) -> str:
        """Somebody comes to stand in the queue."""
        self.now += timedelta(seconds=1)
        uniqueid = f"{next(self._count)}.1"
        self.arrivals[uniqueid], self.numbers[uniqueid] = self.now, number
        self.channels[uniqueid] = f"PJSIP/trunk-{uniqueid}"
        self.join(Entry(uniqueid=uniqueid, channel=self.channels[uniqueid]))
        await self.settle()
        return uniqueid

    async def press(self, uniqueid: str) -> str:
        """1 in the queue: the caller is out of it, and their place is held."""
        self.leave(uniqueid)
        callback = new_id()
        self.asking.add(callback)
        arrived = self.watch.arrived_at(uniqueid) or self.now
        await self.keeper.hold(
            callback,
            desk=DESK,
            queue=QUEUE,
            language="fr",
            number=self.numbers[uniqueid],
            at=arrived,
            instead_of=uniqueid,
        )
        await self.settle()
        return callback

    async def agree(self, uniqueid: str, callback: str) -> None:
        """The request is made durable; the caller hangs up."""
        calendar = self.calendars[DESK][DEPARTMENT]
        one = Callback(
            id=callback,
            desk=DESK,
            department=DEPARTMENT,
            queue=QUEUE,
            language="fr",
            number=self.numbers[uniqueid],
            endpoint=None,
            call_id=None,
            customer_id=None,
            identity={},
            mode=self.mode,
            state="pending",
            arrived_at=self.arrivals[uniqueid],
            requested_at=self.now,
            not_before=self.now,
            deadline=deadline_of(self.rules, calendar, self.now),
        )
        self.asking.discard(callback)
        kept = await self.keeper.accept(one, self.rules.model_copy(update={"per_number": 100}))
        assert isinstance(kept, Callback)
        self.accepted[kept.id] = kept.number
        if kept.id != callback:
            await self.keeper.withdraw(callback)
        await self.hang_up(uniqueid)
        await self.settle()

    async def change_mind(self, uniqueid: str, callback: str, *, and_hang_up: bool = False) -> None:
        """Back to the place; or gone before they stand there."""
        self.asking.discard(callback)
        arrived = self.watch.arrived_at(uniqueid) or self.arrivals[uniqueid]
        position = self.watch.places(QUEUE).position_for(arrived, besides=uniqueid)
        self.keeper.taken_by(callback, uniqueid)
        if and_hang_up:
            await self.hang_up(uniqueid)
        else:
            self.join(Entry(uniqueid=uniqueid, channel=self.channels[uniqueid]), position)
        await self.settle()

    async def distribute(self) -> None:
        """app_queue gives the first places to free technicians; one that rings nobody keeps its technician waiting."""
        free = [name for name, state in self.technicians.items() if state == "idle"]
        for technician, entry in list(zip(free, list(self.entries), strict=False)):
            if not entry.rings:
                continue
            self.leave(entry.uniqueid)
            self.technicians[technician] = "busy"
            self._member(technician)
            self.busy_with[technician] = entry.uniqueid
            self.tell("AgentConnect", uniqueid=entry.uniqueid)
            part = part_of(entry.uniqueid)
            if part is not None and part.part == "near":
                await self._brief(part.callback, entry.channel)
            elif part is not None:
                self.put_through.write(part.callback, self.now)
        await self.settle()

    async def _brief(self, callback: str, near: str) -> None:
        try:
            one = await self.keeper.begin(callback)
        except Exception:
            await self.hang_up(near)
            return
        uniqueid = next(u for u, channel in self.channels.items() if channel == near)
        self._dial(far_of(uniqueid), one.number)

    async def customer(self, uniqueid: str, does: str) -> None:
        """Whoever is dialled answers and presses 1, or does not."""
        part = part_of(uniqueid)
        assert part is not None
        number = self.dialling[uniqueid]
        if does == "answers":
            if self.mode == "technician_first":
                self.put_through.write(part.callback, self.now)
            one = await self.keeper.connected(part.callback)
            if self.mode == "customer_first" and one is not None:
                del self.dialling[uniqueid]
                self.arrivals[uniqueid], self.numbers[uniqueid] = one.arrived_at, number
                self.watch.arrives(uniqueid, one.arrived_at)
                position = self.watch.places(QUEUE).position_for(one.arrived_at)
                self.keeper.taken_by(part.callback, uniqueid)
                self.join(Entry(uniqueid=uniqueid, channel=self.channels[uniqueid]), position)
        else:
            self.tell("DialEnd", uniqueid=uniqueid, dialstatus=does)
            await self.hang_up(uniqueid)
        await self.settle()

    async def answers_without_the_service(self, uniqueid: str, *, met: bool = False) -> None:
        """Whoever is dialled presses 1 while the service is dead: the dialplan goes on by itself, then it is back.

        A customer who was dialled first may have been answered by a free technician by then, and have `met` them.
        """
        part = part_of(uniqueid)
        assert part is not None
        if self.mode == "technician_first":
            self.put_through.write(part.callback, self.now)
        else:
            self.numbers[uniqueid] = self.dialling.pop(uniqueid)
            held = [one for one in self.entries if part_of(one.uniqueid) == Part(callback=part.callback, part="near")]
            position = self.entries.index(held[0]) + 1 if held else 1
            async with self.store.reading() as unit:
                one = await statements.get(unit, part.callback)
            assert one is not None
            self.arrivals[uniqueid] = one.arrived_at
            self.join(Entry(uniqueid=uniqueid, channel=self.channels[uniqueid]), position)
            if met:
                self.leave(uniqueid)
                technician = next(name for name, state in self.technicians.items() if state == "idle")
                self.technicians[technician], self.busy_with[technician] = "busy", uniqueid
                self.put_through.write(part.callback, self.now)
        self.events.clear()
        self.start_service()
        await self.settle()

    async def restart_asterisk(self) -> None:
        """kill -9: every channel is gone, and nobody says so."""
        self.entries.clear()
        self.channels.clear()
        self.dialling.clear()
        for technician in list(self.busy_with):
            self.technicians[technician] = "idle"
        self.busy_with.clear()
        self.events = [RECONNECTED]
        await self.settle()

    def dialled_by(self, uniqueid: str) -> str | None:
        """The state of the callback for which a channel dials or talks."""
        part = part_of(uniqueid)
        one = self.keeper.get(part.callback) if part is not None else None
        return one.state if one is not None else None

    # What must always be so ----------------------------------------------------------------------

    async def check(self) -> None:
        """Order, one active request per number, nothing lost."""
        arrivals = []
        for entry in self.entries:
            part = part_of(entry.uniqueid)
            held = self.keeper.get(part.callback) if part is not None and part.part == "near" else None
            if held is not None:
                arrivals.append(held.arrived_at)
            elif entry.uniqueid in self.arrivals:
                arrivals.append(self.arrivals[entry.uniqueid])
        assert arrivals == sorted(arrivals), "somebody was overtaken"
        active = [one.number for one in self.keeper.active()]
        assert len(active) == len(set(active)), "two active callbacks for one number"
        async with self.store.reading() as unit:
            for callback, number in self.accepted.items():
                one = await statements.get(unit, callback)
                assert one is not None, "a request was lost"
                assert one.number == number
                assert one.ended or self.keeper.get(callback) is not None
                talked = callback in self.put_through.ever
                assert one.state != "done" or talked, "done without technician and customer having met"
                assert one.state not in ("expired", "refused", "cancelled") or not talked, "talked, and yet not done"
        await self._check_places()

    async def _check_places(self) -> None:
        """Whoever is to stand in the queue stands there once; and no place is held for nobody."""
        held: dict[str, int] = {}
        for entry in self.entries:
            part = part_of(entry.uniqueid)
            if part is not None and part.part == "near":
                held[part.callback] = held.get(part.callback, 0) + 1
        asked = self.asking | {one.id for one in self.keeper.active()}
        assert set(held) <= asked, "a place is held for nobody"
        assert not set(held) & set(self.put_through.files), "a place is held for somebody who talks"
        technicians = sum(state != "away" for state in self.technicians.values())
        is_open = self.calendars[DESK][DEPARTMENT].is_open(self.now)
        # One that the queue did not take is asked for again after a while.
        again_s = (self.now - START).total_seconds()
        for one in self.keeper.active():
            if self.keeper._placing.get(one.id, 0.0) > again_s:
                continue
            if stands(one, self.now, is_open=is_open, technicians=technicians):
                assert held.get(one.id) == 1, "a place is not held"
