"""What every conversation is given: the desks, the directory, the sounds, and the ways to make things durable."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from agi_scripts.recording import Recording
from ivr import outside_staff
from ivr.announcements.announcer import Announcer
from ivr.asterisk.contract import Variable
from ivr.asterisk.fastagi import AgiSession
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.callbacks.offers import Offers
from ivr.callbacks.reconciler import Keeper
from ivr.calls.asterisk_events import caller_endpoint
from ivr.calls.log import CallLog
from ivr.calltrace.service import CallTraces
from ivr.clock import Clock
from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.directory.lookup import Directory
from ivr.directory.model import Identity
from ivr.events import EventBus
from ivr.incidents.service import Incidents
from ivr.numbers.normalise import normalise
from ivr.oncall.page_calls import PageCalls
from ivr.oncall.paging import Paging
from ivr.prompts.build import Sounds
from ivr.queueing.kept_places import KeptPlaces
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store
from ivr.tickets import messages as ticket_messages
from ivr.tickets.intake import Notice, VoiceMessage
from ivr.tickets.messages import Receipt
from ivr.tickets.promise import Promise, in_doubt, promised
from ivr.tickets.spool import Spool

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class LineContext:
    """Shared by all calls of one service; holds nothing of a single call."""

    desks: Desks
    calendars: Mapping[str, Mapping[str, Calendar]]
    directory: Directory
    calls: CallLog
    members: AmiQueueMembers
    watch: QueueWatch
    keeper: Keeper
    #: Of callers whose calls were cut off.
    kept: KeptPlaces
    store: Store
    spool: Spool
    sounds: Sounds
    announcer: Announcer
    bus: EventBus
    clock: Clock
    #: Calls to which a callback was offered.
    offers: Offers
    traces: CallTraces
    paging: Paging
    page_calls: PageCalls
    incidents: Incidents
    #: Whether text messages can be sent.
    texts: bool
    #: Whether calls can go out by the trunk.
    trunk: bool
    #: Folder of the voice messages' recordings.
    messages: Path
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def sound_of(self, desk: Desk, prompt: menu.Prompt, language: str) -> str:
        """What Asterisk plays for a step of the menu; for an announcement what is on the air. Raises as Sounds.of."""
        if prompt.id in (menu.ANNOUNCEMENT, menu.ANNOUNCEMENT_BRIEF):
            whole = prompt.id == menu.ANNOUNCEMENT
            playing = (self.announcer.playing if whole else self.announcer.brief)(desk.id, language)
            # It may have ended this very moment.
            return playing or await self.sounds.of(desk.id, menu.NORMAL, language, {})
        return await self.sounds.of(desk.id, prompt.id, language, dict(prompt.variables))

    def recording(self, file: str | None) -> str | None:
        """What Asterisk plays for a voice message, without extension; None when its recording is not there."""
        path = self.messages / file if file and Path(file).name == file else None
        return str(path.with_suffix("")) if path is not None and path.is_file() else None

    @property
    def main_desk(self) -> Desk:
        """The desk that technicians work for, and that phones without another one call."""
        return next(iter(self.desks.values()))

    def aside(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do something that the caller need not wait for; a failure is logged under `name`."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task of a call failed", work=task.get_name(), exc_info=error)

    async def finish(self, deadline_s: float) -> None:
        """Let what is under way come to its end."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=deadline_s)

    def offered(self, call_id: str) -> bool:
        """Whether this caller was told of the callback: pressing 1 means nothing before."""
        return call_id in self.offers

    def announced(self, desk: Desk, call_id: str) -> menu.Announced | None:
        """What a caller is told before a queue (OV-10, OV-27); None when all is well."""
        one, call = self.announcer.in_force(desk.id), self.calls.current(call_id)
        if one is None:
            return None
        caller = (call.endpoint or call.ani) if call is not None else None
        briefly = one.brief_sounds is not None and self.announcer.hearings.heard(one.id, caller)
        told = [menu.ANNOUNCEMENT_BRIEF if briefly else menu.ANNOUNCEMENT]
        if call is not None:
            who = self.identify(call.id, call.ani, call.endpoint, desk)
            touched = self.incidents.tells(desk.id, who, call.ani)
            told += {"yours": [menu.YOURS], "others": [menu.OTHERS], None: []}[touched]
        return menu.Announced(prompts=tuple(told), follow=self.may_follow(desk.id, call_id))

    def heard(self, desk: Desk, call_id: str) -> None:
        """A caller has heard to its end what is announced."""
        one, call = self.announcer.in_force(desk.id), self.calls.current(call_id)
        caller = (call.endpoint or call.ani) if call is not None else None
        if one is not None and one.brief_sounds is not None and caller is not None:
            self.aside(self.announcer.hearings.keep(one.id, caller), f"announcement {one.id} heard")

    def may_follow(self, desk: str, call_id: str) -> bool:
        """Whether a text message at the next stages is offered: to whoever did not ask for it yet."""
        if not self.texts:
            return False
        open_ones, call = self.incidents.followable(desk), self.calls.current(call_id)
        if not open_ones or call is None or self.incidents.followers.of_call(call_id) in open_ones:
            return False
        if (call.endpoint is not None or call.ani is None) and not self.incidents.followers.asks_owners:
            # Whatever number they named, its owner could not be asked.
            return False
        return not self.incidents.followers.follows(open_ones, call.ani)

    def identify(self, call_id: str | None, number: str | None, endpoint: str | None, desk: Desk) -> Identity:
        """Who calls: by their phone or number, also one that nobody is shown."""
        call = self.calls.current(call_id) if call_id is not None else None
        private = call.private_number if call is not None else None
        return self.directory.identify(number or private, endpoint, desk.provider)

    def incident_of(self, desk: str, call_id: str | None, identity: Identity, number: str | None) -> int | None:
        """The incident that a caller's ticket is about (OV-27)."""
        asked = self.incidents.followers.of_call(call_id) if call_id is not None else None
        return asked or self.incidents.about(desk, identity, number)

    def open_ticket(self, call_id: str, desk: Desk, department: str, language: str) -> None:
        """A call goes to a department: it gets a ticket (OV-11), while it goes."""
        call = self.calls.current(call_id)
        if call is None:
            return
        identity = self.identify(call_id, call.ani, call.endpoint, desk)
        # Incidents are told before queues: what comes to another department is about something else.
        queued = desk.departments[department].queue is not None
        work = ticket_messages.open_for_call(
            self.store,
            self.spool,
            at=self.clock(),
            desk=desk.id,
            department=department,
            language=language,
            call_id=call_id,
            identity=identity,
            number=call.ani,
            incident_id=self.incident_of(desk.id, call_id, identity, call.ani) if queued else None,
            bus=self.bus,
        )
        self.aside(work, f"ticket for call {call_id}")

    def remember_language(self, call_id: str, language: str) -> None:
        """The caller's next call begins in this language (OV-4); a phone has its owner's."""
        call = self.calls.current(call_id)
        if call is None or call.ani is None or call.endpoint is not None:
            return
        known = self.directory.identify(call.ani, None, self.desks[call.desk].provider).language
        if known != language and not (known is None and language == self.desks[call.desk].languages[0]):
            self.aside(self.directory.remember_language(call.ani, language), f"language of call {call_id}")

    def promised(self, desk: Desk, department: str, *, urgent: bool, at: datetime) -> Promise:
        """What a caller was told who left a message then."""
        return promised(desk.departments[department], self.calendars[desk.id][department], urgent=urgent, at=at)

    def in_doubt(self, desk: Desk, department: str, at: datetime) -> bool:
        """Whether a message is urgent whose caller could not be asked."""
        return in_doubt(desk.departments[department], self.calendars[desk.id][department], at)

    async def leave_message(
        self,
        *,
        desk: Desk,
        department: str,
        language: str,
        urgent: bool,
        call_id: str | None,
        number: str | None,
        endpoint: str | None,
        recording: Recording,
    ) -> Receipt:
        """Return once the message's ticket is committed, or its request is on disk. Raises OSError for neither."""
        identity = self.identify(call_id, number, endpoint, desk)
        queued = desk.departments[department].queue is not None
        return await ticket_messages.leave_message(
            self.store,
            self.spool,
            key=recording.path.stem,
            at=self.clock(),
            desk=desk.id,
            department=department,
            language=language,
            call_id=call_id,
            identity=identity,
            incident_id=self.incident_of(desk.id, call_id, identity, number) if queued else None,
            message=VoiceMessage(
                file=recording.path.name, seconds=recording.seconds, urgent=urgent, number=number, endpoint=endpoint
            ),
            notice=notice_of(desk, department),
            promise=self.promised(desk, department, urgent=urgent, at=self.clock()),
            bus=self.bus,
        )


async def settled(session: AgiSession, desk: Desk, language: str) -> None:
    """What the caller asked for is committed: should this service be gone before it has said so, the dialplan does.

    Without this the caller would be taken to the queue, and wait a second time. Raises CallHungUp.
    """
    await session.set_variable(Variable.SETTLED, f"{desk.id}-settled-{language}")


def notice_of(desk: Desk, department: str) -> Notice:
    """Whom a department's e-mail goes to; staff read it in the desk's first language."""
    language = desk.languages[0]
    one = desk.departments[department]
    return Notice(
        recipient=one.email,
        desk_name=desk.name,
        department_name=one.name[language],
        language=language,
        timezone=desk.timezone,
    )


def caller_number(session: AgiSession, desk: Desk) -> str | None:
    """The caller's number as E.164 digits, when what the network says is one."""
    return normalise(session.env.get("callerid"), desk.region)


def endpoint_of(session: AgiSession) -> str | None:
    """The account of the registered phone that calls (OV-2); None for the trunk."""
    return caller_endpoint(session.env.get("channel", ""))


def member_of(session: AgiSession) -> str | None:
    """What a queue called, where this is the channel it called: a technician's phone, or their number outside."""
    return endpoint_of(session) or outside_staff.of_channel(session.env.get("channel", ""))
