"""A whole line behind the conversations: services and database are real; Asterisk and the voice are not."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import select

from agi_scripts.context import LineContext
from agi_scripts.line import line
from ivr.asterisk.ami import NO_FIELDS, AmiRefused, Fields, State
from ivr.asterisk.runtime import Runtime
from ivr.callbacks.channels import new_id
from ivr.callbacks.model import Callback
from ivr.calls.model import Call
from ivr.desk.hours import calendars_of
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.desk_reload import LiveCalendars
from ivr.errors import Unavailable
from ivr.evidence.packet_buffer import Ring
from ivr.incidents.model import Affected
from ivr.line import Line
from ivr.notify.config import NoticeConfig, Twilio
from ivr.prompts.build import Sounds
from ivr.settings import Address, Settings
from ivr.store.engine import Store, StoreUnavailable, Unit
from ivr.tickets import store as ticket_store
from ivr.tickets.model import Ticket
from ivr.tickets.tables import tickets as tickets_table
from tests.fakes.ami import FakeAmi
from tests.fakes.announcing import announcer
from tests.fakes.caller import Caller, VirtualClock

#: A Wednesday at 10:00 in Toronto, and its night.
OPEN = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
CLOSED = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)
#: Whoever calls when it does not matter: a number that nobody knows.
STRANGER = "15145550188"
#: Numbers of the demo directory: a customer without a partner, one of an Élite partner, one of another.
MARC, JULIE, SARAH = "14185550103", "14185550101", "14185550102"
NUMBER = "18446664844"


class FickleStore(Store):
    """A database that goes away when a test says so, without anybody waiting for it."""

    #: What fails: nothing, `write`, or `all`.
    away = ""

    @contextlib.asynccontextmanager
    async def unit(self, *, before: Callable[[Unit], Awaitable[None]] | None = None) -> AsyncIterator[Unit]:
        if self.away:
            raise StoreUnavailable(problem="away")
        async with super().unit(before=before) as unit:
            yield unit

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Unit]:
        if self.away == "all":
            raise StoreUnavailable(problem="away")
        async with super().reading() as unit:
            yield unit


class LineAmi(FakeAmi):
    """Also makes and ends channels: a place that is held stands in its queue at once."""

    def __init__(self, *queues: str) -> None:
        super().__init__(*queues)
        self.originated: list[Fields] = []
        self.refuses = False
        #: Whoever hears what happens.
        self.told: Callable[[Fields], Awaitable[None]] = _deaf
        self._standing: dict[str, tuple[str, str]] = {}

    async def action(self, name: str, fields: Fields = NO_FIELDS, *, timeout_s: float = 5.0) -> Fields:
        if name not in ("Originate", "Hangup"):
            return await super().action(name, fields, timeout_s=timeout_s)
        if self.state is not State.CONNECTED:
            raise Unavailable(component="Asterisk's manager", action=name)
        if self.refuses:
            raise AmiRefused(action=name, said="Originate failed")
        if name == "Originate":
            self.originated.append(fields)
            await self._stands(fields)
        else:
            await self._ends(fields["Channel"])
        return {"response": "Success"}

    async def _stands(self, fields: Fields) -> None:
        held = re.fullmatch(r"Local/([0-9a-f]{16})@callback-queue/n", fields["Channel"])
        if held is None:
            return
        variables = dict(one.split("=", 1) for one in fields["Variable"].split(","))
        uniqueid, queue = fields["OtherChannelId"], variables["OV_TARGET"]
        channel = f"Local/{held[1]}@callback-queue-{len(self.originated):08x};2"
        self._standing[channel] = (uniqueid, queue)
        where = {"queue": queue, "uniqueid": uniqueid, "channel": channel, "position": variables["OV_POSITION"]}
        await self.told({"event": "QueueCallerJoin", **where})

    async def _ends(self, channel: str) -> None:
        uniqueid, queue = self._standing.pop(channel)
        for event in ("QueueCallerLeave", "Hangup"):
            await self.told({"event": event, "queue": queue, "uniqueid": uniqueid, "channel": channel, "cause": "16"})


async def _deaf(event: Fields) -> None: ...


class PlainSounds(Sounds):
    """Sounds that stay single, whether or not they were asked for together before."""

    def together(self, files: list[str]) -> list[str]:
        return files


@dataclass
class House:
    """What a test reaches behind a conversation."""

    context: LineContext
    store: FickleStore
    ami: LineAmi
    clock: VirtualClock
    ring: Ring
    folder: Path
    _uniqueids: int = 0

    @property
    def desk(self) -> Desk:
        return self.context.main_desk

    # Who calls -----------------------------------------------------------------------------------

    def caller(self, number: str | None = STRANGER, *, phone: str | None = None, **fields: Any) -> Caller:
        """Somebody on the trunk, or at a registered phone of ours."""
        self._uniqueids += 1
        channel = f"PJSIP/{phone or 'trunk'}-{self._uniqueids:08x}"
        fields = {"uniqueid": f"{1795384710 + self._uniqueids}.1", "channel": channel} | fields
        return Caller(number=number, clock=self.clock, **fields)

    def again(self, caller: Caller) -> Caller:
        """The same caller on the same channel, for the next conversation of their call."""
        return Caller(number=caller.number, clock=self.clock, uniqueid=caller.uniqueid, channel=caller.channel)

    async def hold(self, caller: Caller, conversation: Callable[..., Awaitable[object]], *args: str) -> Caller:
        """Hold a conversation of one call, and let what it began beside it come to its end."""
        caller.args = args
        await caller.holds(lambda session: conversation(session, self.context))
        await self.context.line.aside.finish(30)
        return caller

    async def dial(
        self, caller: Caller, *, desk: str = "omnivigil", dialled: str = NUMBER, private: str | None = None
    ) -> Caller:
        """Call the line, and go through its menu."""
        args = (desk, dialled) if private is None else (desk, dialled, private)
        return await self.hold(caller, line, *args)

    def call(self, caller: Caller) -> Call:
        """The record of a caller's call."""
        found = self.context.line.calls.call_of(caller.uniqueid)
        assert found is not None
        return found

    def kinds(self, caller: Caller) -> list[str]:
        """What happened on a call, without what was played and pressed."""
        return [one.kind for one in self.call(caller).events if one.kind not in ("played", "pressed", "started")]

    def facts(self, caller: Caller, kind: str) -> Mapping[str, Any]:
        """The last happening of a kind on a call."""
        return next(one.facts for one in reversed(self.call(caller).events) if one.kind == kind)

    # Its queues ----------------------------------------------------------------------------------

    def tell(self, event: str, **fields: str) -> None:
        """Something happens in Asterisk's queues."""
        self.context.line.watch.enter({"event": event, "queue": "support", **fields})

    def joins(self, caller: Caller, *, position: int | None = None, queue: str = "support") -> None:
        """Somebody comes to stand in a queue."""
        at = position or len(self.context.line.watch.places(queue)) + 1
        self.tell("QueueCallerJoin", queue=queue, uniqueid=caller.uniqueid, channel=caller.channel, position=str(at))

    def leaves(self, caller: Caller, *, queue: str = "support") -> None:
        """Somebody is out of a queue: a technician's, or to press a key."""
        self.tell("QueueCallerLeave", queue=queue, uniqueid=caller.uniqueid)

    async def settles(self, *, gone: Caller | None = None) -> None:
        """The keeper sees who stands in the queue, and whose channel is gone."""
        if gone is not None:
            await self.ami.told({"event": "Hangup", "uniqueid": gone.uniqueid, "channel": gone.channel, "cause": "16"})
        await self.context.line.keeper._settle_taken()

    def member(self, endpoint: str, *, queue: str = "support", **fields: str) -> None:
        """A technician is in a queue, idle unless it is said otherwise."""
        given = {"interface": f"PJSIP/{endpoint}", "status": "1", "paused": "0", "incall": "0"} | fields
        self.tell("QueueMemberStatus", queue=queue, **given)

    async def waits(self, caller: Caller, key: str = "2") -> str:
        """Somebody goes through the menu and comes to stand in the queue; their call's id."""
        caller.presses("menu", key)
        await self.dial(caller)
        assert caller.next is not None
        assert caller.next.startswith("queue,")
        self.joins(caller)
        call = self.call(caller)
        self.context.line.calls.queued(call.id, self.clock.now, queue="support")
        return call.id

    def offer(self, caller: Caller) -> str:
        """On heavy demand a caller who waits is offered the callback (OV-9); their call's id."""
        self.member("7001")
        for _ in range(2):
            self.joins(self.caller("15145550100"))
        place = self.context.line.watch.places("support").find(caller.uniqueid)
        assert place is not None
        listener = self.context.line.offers.listener("support", place)
        assert listener is not None
        assert listener.offered
        return listener.call_id

    @property
    def line(self) -> list[str]:
        """Who stands in the support queue, in order: callers by uniqueid, held places as `held`."""
        places = self.context.line.watch.places("support")
        return [f"held {one.callback}" if one.callback else one.uniqueid for one in places]

    @property
    def held(self) -> set[str]:
        """The callbacks whose places are held."""
        return {name.removeprefix("held ") for name in self.line if name.startswith("held ")}

    # What is there -------------------------------------------------------------------------------

    async def rows(self, statement: Any) -> Sequence[Any]:
        """Rows of the database."""
        async with self.store.reading() as unit:
            return (await unit.execute(statement)).all()

    async def tickets(self) -> list[Ticket]:
        """All tickets, the oldest first."""
        async with self.store.reading() as unit:
            numbers = (await unit.execute(select(tickets_table.c.number).order_by(tickets_table.c.number))).scalars()
            found = [await ticket_store.get(unit, number) for number in numbers]
        return [one for one in found if one is not None]

    async def incident(self, affected: Affected | None = None) -> int:
        """An incident of the main desk that callers hear of."""
        made = await self.context.line.incidents.begin(
            self.desk,
            title={},
            impact="major",
            stage="investigating",
            texts={"fr": "Une panne touche les appels.", "en": "An outage affects calls."},
            services=("telephonie",),
            components=(),
            affected=affected or Affected(),
            started_at=None,
            who="test",
        )
        return made.id

    def has(self, desk: Desk) -> None:
        """A desk is another one."""
        all_desks = [desk if one.id == desk.id else one for one in self.context.desks.values()]
        self.context = replace(self.context, desks=Desks(all_desks))

    def lacks(self, desk: str) -> None:
        """A desk is gone."""
        self.context = replace(
            self.context, desks=Desks([one for one in self.context.desks.values() if one.id != desk])
        )

    def has_no_way_out(self) -> None:
        """There is no trunk for calls to the outside."""
        self.context.line.settings = replace(self.context.line.settings, outbound=None)

    def sends_no_texts(self) -> None:
        """Text messages cannot be sent."""
        self.context.line.caller_notices._texts = False

    async def callback(self, *, number: str = STRANGER, endpoint: str | None = None, **fields: Any) -> Callback:
        """Somebody waits for a callback since a minute ago."""
        now = self.clock.now
        made = Callback(
            **{
                "id": new_id(),
                "desk": "omnivigil",
                "department": "support",
                "queue": "support",
                "language": "fr",
                "number": number,
                "endpoint": endpoint,
                "call_id": None,
                "customer_id": None,
                "identity": {},
                "mode": "technician_first",
                "state": "pending",
                "arrived_at": now - timedelta(minutes=1),
                "requested_at": now,
                "not_before": now,
                "deadline": now + timedelta(hours=8),
            }
            | fields
        )
        rules = self.context.line.keeper.rules("support")
        assert rules is not None
        kept = await self.context.line.keeper.accept(made, rules)
        assert isinstance(kept, Callback)
        return kept


async def build(store: FickleStore, folder: Path, desks: Desks, sounds: Sounds, sounds_folder: Path) -> House:
    """A line that is open, without an incident, whose trunk can be dialled."""
    clock = VirtualClock(OPEN)
    ami = LineAmi(*(queue for desk in desks.values() for queue in desk.queues))
    twilio = Twilio(account_sid="AC1", auth_token=SecretStr("token"), sender="+15145550199")
    built = Line(
        settings=Settings(state=folder, outbound=Address(host="127.0.0.1", port=5070)),
        runtime=cast(Runtime, None),
        store=store,
        ami=ami,
        desks=desks,
        calendars=LiveCalendars({name: calendars_of(desk) for name, desk in desks.items()}),
        sounds=sounds,
        secrets={"agi": "agi", "hep": "hep", "totp": "totp"},
        notices=NoticeConfig(twilio=twilio, public_url="https://etat.example"),
        clock=clock,
    )
    # Tests share the sounds, and a busy machine.
    built.announcer = announcer(
        store=store, desks=desks, sounds=sounds, folder=folder, shared=sounds_folder, bus=built.bus, clock=clock
    )
    built.traces._patience_s = 30.0
    built.messages.mkdir(parents=True)
    await built.directory.reload()

    async def told(event: Fields) -> None:
        built.watch.enter(event)
        await built.keeper.enter(event)

    ami.told = told
    context = LineContext.begun(built, "")
    return House(context=context, store=store, ami=ami, clock=clock, ring=built.ring, folder=folder)
