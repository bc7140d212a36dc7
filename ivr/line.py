"""The composition root: every service of a line, and how each is made of the others.

Building a `Line` does no I/O, and nor does making any of its services: a service is made when it is first asked for,
from what its property names. `Line.open` reads, opens and loads what a line is built of; `connect` and `take_up` join
it with Asterisk. The process around it is `ivr.service`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

import structlog

from ivr.accounts.api_tokens import Tokens
from ivr.accounts.secret_encryption import Seal
from ivr.announcements.announcer import Announcer
from ivr.announcements.on_air import OnAirFiles
from ivr.announcements.pins import Pins
from ivr.announcements.sounds import AnnouncementSounds
from ivr.asterisk import process, runtime, unregister
from ivr.asterisk.ami import Ami, ManagerInterface, State
from ivr.asterisk.folders import Folders
from ivr.asterisk.queue_members import AmiQueueMembers
from ivr.asterisk.runtime import Runtime
from ivr.callbacks import feature as callbacks
from ivr.callbacks.bridged_markers import PutThrough
from ivr.callbacks.channels import Channels, Prompts
from ivr.callbacks.offers import Offers, note_offer
from ivr.callbacks.reconciler import Keeper
from ivr.calls import feature as calls
from ivr.calls import reconcile
from ivr.calls.adoption import Newcomers
from ivr.calls.callers import Callers
from ivr.calls.cdr_import import Recovery
from ivr.calls.log import CallLog
from ivr.calls.unfinished import Begun
from ivr.calltrace import feature as calltrace
from ivr.calltrace.offline import AwayReports
from ivr.calltrace.recordings import Recordings
from ivr.calltrace.service import CallTraces
from ivr.clock import Clock
from ivr.desk.load import Desks
from ivr.desk.schema import Desk, Queue
from ivr.desk_reload import DeskFiles, LiveCalendars
from ivr.directory import feature as directory
from ivr.directory.live_update import TakingUp
from ivr.directory.lookup import Directory
from ivr.directory.snapshot import Book
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.evidence.collector import Collector
from ivr.evidence.packet_buffer import Ring
from ivr.feature import Feature, Part
from ivr.health import HealthCheck
from ivr.incidents import feature as incidents
from ivr.incidents.caller_notices import CallerNotices
from ivr.incidents.service import Incidents
from ivr.mail import smtp_server
from ivr.mail import store as mail_statements
from ivr.mail.ingest import MailRoom
from ivr.mail.mailboxes import domain_of
from ivr.maintenance.service import Maintenances
from ivr.metrics.counters import Counters
from ivr.metrics.prometheus import LineMetrics
from ivr.notify import config as notice_config
from ivr.notify import workers
from ivr.notify.config import NoticeConfig
from ivr.oncall import feature as oncall
from ivr.oncall import gaps
from ivr.oncall.page_calls import PageCalls
from ivr.oncall.paging import Paging
from ivr.personal_data import DECLARED
from ivr.prepare import configure, in_force, line_secrets, phone_accounts
from ivr.probing import feature as probing
from ivr.probing.probes import Probes
from ivr.process.asides import Asides
from ivr.process.parts import Parts
from ivr.prompts.build import Sounds
from ivr.prompts.voices import sounds_of
from ivr.queueing import feature as queueing
from ivr.queueing.kept_places import KeptPlaces
from ivr.queueing.missed_calls import Misses
from ivr.queueing.position_announcements import News, adopt
from ivr.queueing.queue_state import QueueWatch
from ivr.queueing.roster import Roll
from ivr.refusals import Refusals
from ivr.reports.service import Reports
from ivr.retention.eraser import Eraser
from ivr.retention.log_rotation import Logs
from ivr.settings import Settings
from ivr.store.engine import Store, open_store
from ivr.subscriptions.service import Subscribers
from ivr.tickets import cut_off, journal
from ivr.tickets import feature as tickets
from ivr.tickets.about_incident import hang
from ivr.tickets.call_tickets import CallTickets, open_tickets
from ivr.tickets.expired_callbacks import Lapse
from ivr.tickets.orphan_recordings import Claims
from ivr.tickets.promise_monitor import Overdue
from ivr.tickets.sla_monitor import Clockwork
from ivr.tickets.spool import Spool, keep_draining
from ivr.ticks import rest
from ivr.transcribing.transcriber import Transcriber, program_of

log = structlog.get_logger()


@dataclass(kw_only=True, eq=False)
class Line:
    """A support line. The fields are what it is built of; everything else is made of them."""

    settings: Settings
    #: Asterisk's programs and voices.
    runtime: Runtime
    store: Store
    ami: ManagerInterface
    #: In force, the main desk first; both change when desk files are reloaded.
    desks: Desks
    calendars: LiveCalendars
    sounds: Sounds
    #: Between our own processes, by name.
    secrets: dict[str, str]
    notices: NoticeConfig
    clock: Clock
    #: Whether conversations with callers are held now; the service says so.
    conversing: bool = False

    # Foundation ----------------------------------------------------------------------------------

    @property
    def main_desk(self) -> Desk:
        """The desk that technicians work for, and that phones without another one call."""
        return self.desks.main

    @property
    def queues(self) -> dict[str, Queue]:
        """The queues of all desks, by name."""
        return {name: queue for desk in self.desks.values() for name, queue in desk.queues.items()}

    @property
    def trunk(self) -> bool:
        """Return whether calls can go out by the trunk."""
        return self.settings.outbound is not None

    @property
    def texts(self) -> bool:
        """Return whether text messages can be sent."""
        return self.notices.twilio is not None

    @cached_property
    def folders(self) -> Folders:
        """Return where Asterisk keeps its things, and the service what Asterisk reads."""
        return Folders.below(self.settings)

    @property
    def messages(self) -> Path:
        """Folder of the voice messages' recordings."""
        return self.folders.messages

    @property
    def _shift(self) -> timedelta:
        """Return how far the service's clock is from the machine's, by which Asterisk and the dialplan go."""
        return timedelta(seconds=self.settings.clock_shift_s)

    @cached_property
    def bus(self) -> EventBus:
        """Events for the console, partners and metrics."""
        return EventBus()

    @cached_property
    def counters(self) -> Counters:
        """Counters for metrics."""
        return Counters()

    @cached_property
    def refusals(self) -> Refusals:
        """Texts that were refused, by reason."""
        return Refusals(self.counters.text_refused, self.counters.budget_used)

    @cached_property
    def aside(self) -> Asides:
        """Work beside a call that the caller need not wait for."""
        return Asides()

    @cached_property
    def parts(self) -> Parts:
        """The background parts as they run."""
        return Parts(self.counters.part_restarted)

    @cached_property
    def probes(self) -> Probes:
        """Trials of our own: whether a call can come in, and a row be written."""
        return Probes(self.store, self.settings.sip, self.settings.state, self.clock)

    @cached_property
    def logs(self) -> Logs:
        """The logs, turned over."""
        rotate = partial(self.ami.action, "LoggerRotate")
        return Logs(self.settings.state / "log", rotate, keep_days=self.main_desk.keep.logs_days)

    @cached_property
    def directory(self) -> Directory:
        """Customers, technicians, phones and partners."""
        return Directory(self.store)

    @cached_property
    def tokens(self) -> Tokens:
        """The API's tokens."""
        return Tokens(self.store, clock=self.clock)

    @cached_property
    def seal(self) -> Seal:
        """Encrypts the secrets of second factors."""
        return Seal(self.secrets["totp"])

    # Calls ---------------------------------------------------------------------------------------

    @cached_property
    def calls(self) -> CallLog:
        """The record of every call."""
        return CallLog(
            self.store, self.bus, open_tickets=partial(open_tickets, self.store), silent_s=self.settings.rtp_timeout_s
        )

    @cached_property
    def callers(self) -> Callers:
        """Return who calls."""
        return Callers(self.calls, self.directory, self.desks, self.aside)

    @cached_property
    def newcomers(self) -> Newcomers:
        """Callers whom the dialplan queued by itself."""
        return Newcomers(
            calls=self.calls,
            desks=self.desks,
            identify=self.callers.identify_raw,
            open_ticket=self.call_tickets.open,
            adopt=self._adopt,
            clock=self.clock,
        )

    def _adopt(self, channel: str, call_id: str, language: str) -> None:
        self.aside(adopt(self.ami, channel, call_id, language), f"adopting {call_id}")

    @cached_property
    def recovery(self) -> Recovery:
        """Calls that were taken without the service, from Asterisk's own record."""
        return Recovery(
            self.folders.log / "cdr-custom" / "calls.csv",
            self.store,
            self.calls,
            shift=self._shift,
            identify=self.callers.identify_raw,
            desks=self.desks,
            counted=self.counters.recovered,
        )

    @cached_property
    def begun(self) -> Begun:
        """Calls that Asterisk was killed with, from the dialplan's notes."""
        return Begun(
            self.folders.begun,
            self.store,
            self.calls,
            partial(reconcile.uniqueids, self.ami),
            shift=self._shift,
            identify=self.callers.identify_raw,
            desks=self.desks,
            counted=self.counters.recovered,
        )

    # Queues --------------------------------------------------------------------------------------

    @cached_property
    def members(self) -> AmiQueueMembers:
        """The technicians in the queues."""
        return AmiQueueMembers(self.ami, penalty=self.directory.penalty)

    @cached_property
    def watch(self) -> QueueWatch:
        """Return who stands in which queue."""
        return QueueWatch(self.queues, self.clock)

    @cached_property
    def kept(self) -> KeptPlaces:
        """Places of callers whose calls were cut off."""
        return KeptPlaces(self.store, self.desks, self.clock)

    @cached_property
    def news(self) -> News:
        """Return what waiting callers are told."""
        return News(self.settings.sounds, self.watch.known, self.watch, self.offers.listener, self.sounds.fixed)

    @cached_property
    def roll(self) -> Roll:
        """Return who is logged in, also over a crash of Asterisk."""
        return Roll(self.store, self.ami, self.members)

    @cached_property
    def misses(self) -> Misses:
        """Calls that technicians let ring."""
        return Misses(
            ami=self.ami,
            members=self.members,
            watch=self.watch,
            store=self.store,
            desks=self.desks,
            bus=self.bus,
            clock=self.clock,
        )

    # Callbacks -----------------------------------------------------------------------------------

    @cached_property
    def keeper(self) -> Keeper:
        """Callbacks and the places that are held for them."""
        return Keeper(
            store=self.store,
            channels=Channels(self.ami, trunk=self.trunk),
            watch=self.watch,
            desks=self.desks,
            calendars=self.calendars,
            prompts=self._callback_prompts,
            bus=self.bus,
            clock=self.clock,
            lapsed=Lapse(self.desks, self.directory.identify, self.clock),
            put_through=PutThrough(self.folders.put_through, self._shift),
        )

    def _callback_prompts(self, desk: str, language: str) -> Prompts:
        return Prompts(
            greeting=self.sounds.fixed(desk, "callback-greeting", language),
            no_answer=self.sounds.fixed(desk, "callback-no-answer", language),
        )

    @cached_property
    def offers(self) -> Offers:
        """Calls to which a callback was offered."""
        return Offers(
            watch=self.watch,
            keeper=self.keeper,
            calls=self.calls,
            clock=self.clock,
            told=lambda call_id, desk, at: self.aside(
                note_offer(self.store, self.calls, call_id, desk, at), f"offer {call_id}"
            ),
            may_follow=self.caller_notices.may_follow,
        )

    # Announcements and incidents -----------------------------------------------------------------

    @cached_property
    def announcer(self) -> Announcer:
        """Announcements to callers."""
        return Announcer(
            store=self.store,
            desks=self.desks,
            sounds=self.sounds,
            kept=AnnouncementSounds(self.sounds, folder=self.settings.sounds, kept=self.settings.announcements),
            on_air=OnAirFiles(self.settings.on_air),
            # Late: the news tell of offers, those of incidents, and those announce.
            interrupt=lambda desk, length_s: self.news.interrupt(desk, length_s),
            bus=self.bus,
            clock=self.clock,
        )

    @cached_property
    def pins(self) -> Pins:
        """Technicians' PINs, by which they announce from a phone."""
        return Pins(self.store, self.clock)

    @cached_property
    def maintenances(self) -> Maintenances:
        """Planned work."""
        return Maintenances(
            store=self.store,
            desks=self.desks,
            bus=self.bus,
            clock=self.clock,
            public_url=self.notices.public_url,
        )

    @cached_property
    def incidents(self) -> Incidents:
        """Incidents, and who is told of them."""
        statuspage = self.notices.statuspage
        return Incidents(
            store=self.store,
            desks=self.desks,
            announcer=self.announcer,
            bus=self.bus,
            clock=self.clock,
            hang=hang,
            public_url=self.notices.public_url,
            statuspage=statuspage.page if statuspage is not None else None,
            maintenance=self.maintenances.now,
            refusals=self.refusals,
        )

    @cached_property
    def caller_notices(self) -> CallerNotices:
        """Return what each caller hears of announcements and incidents."""
        return CallerNotices(
            announcer=self.announcer,
            incidents=self.incidents,
            calls=self.calls,
            callers=self.callers,
            aside=self.aside,
            texts=self.texts,
        )

    @cached_property
    def subscribers(self) -> Subscribers:
        """Subscribers of the status page."""
        return Subscribers(self.store, self.clock, self.refusals)

    @cached_property
    def reports(self) -> Reports:
        """Reports after incidents."""
        return Reports(
            store=self.store,
            desks=self.desks,
            calendars=self.calendars,
            clock=self.clock,
            public_url=self.notices.public_url,
            refusals=self.refusals,
        )

    # Tickets -------------------------------------------------------------------------------------

    @cached_property
    def spool(self) -> Spool:
        """Requests on disk while the database is away."""
        return Spool(self.settings.spool / "intake")

    @cached_property
    def call_tickets(self) -> CallTickets:
        """The tickets of calls and of voice messages."""
        return CallTickets(
            store=self.store,
            spool=self.spool,
            calls=self.calls,
            callers=self.callers,
            incident_of=self.caller_notices.incident_of,
            desks=self.desks,
            calendars=self.calendars,
            bus=self.bus,
            clock=self.clock,
            shift=self._shift,
            aside=self.aside,
        )

    @cached_property
    def clockwork(self) -> Clockwork:
        """The clocks of tickets (SLA)."""
        return Clockwork(self.store, self.desks, self.calendars, self.bus, self.clock)

    @cached_property
    def paging(self) -> Paging:
        """Pages to whoever is on call."""
        return Paging(self.store, self.desks, self.bus, self.clock, self.refusals)

    @cached_property
    def page_calls(self) -> PageCalls:
        """Calls to whoever is on call."""
        return PageCalls(
            store=self.store,
            ami=self.ami,
            desks=self.desks,
            book=lambda: self.directory.book,
            trunk=self.trunk,
            clock=self.clock,
        )

    # Call traces ---------------------------------------------------------------------------------

    @cached_property
    def ring(self) -> Ring:
        """Copies of SIP and RTCP of the last while, in memory."""
        return Ring(keep_s=self.main_desk.call_trace.evidence_min * 60)

    @cached_property
    def collector(self) -> Collector:
        """Receives those copies from Asterisk."""
        return Collector(self.ring, self.secrets["hep"])

    @cached_property
    def traces(self) -> CallTraces:
        """Reports of calls by *57."""
        return CallTraces(
            store=self.store,
            spool=Spool(self.settings.spool / "traces"),
            ring=self.ring,
            directory=self.directory,
            desk=self.main_desk,
            bus=self.bus,
            clock=self.clock,
            rtp_ports=self.settings.rtp,
            about=self.incidents.about,
            public_url=self.notices.public_url,
        )

    @cached_property
    def recordings(self) -> Recordings:
        """Recordings of calls, where the desk file wants them."""
        return Recordings(self.folders.recordings, self.store, self.main_desk.call_trace, self.clock, self._shift)

    # Directory and desk files while the line runs ------------------------------------------------

    @cached_property
    def taking_up(self) -> TakingUp:
        """Takes changes of the directory to calls and to Asterisk."""
        return TakingUp(
            self.directory,
            configure=self._configure,
            etc=self.folders.etc,
            cli=partial(process.cli, self.runtime, self.settings),
            unregister=partial(unregister.unregister, self.settings.sip),
            members=self.members,
            queues=lambda: [queue for desk in self.desks.values() for queue in desk.queues],
            bus=self.bus,
        )

    def _configure(self, book: Book) -> dict[str, str]:
        configure(self.settings, self.runtime, self.desks, self.sounds, book)
        return {phone.name: phone.ha1 for phone in phone_accounts(book)}

    @cached_property
    def desk_files(self) -> DeskFiles:
        """The desk files, which can be reloaded."""
        return DeskFiles(
            self.settings,
            self.runtime,
            desks=self.desks,
            calendars=self.calendars,
            sounds=self.sounds,
            asterisk=self._to_asterisk,
            switched=self._switched,
            bus=self.bus,
            clock=self.clock,
        )

    async def _to_asterisk(self, desks: Desks, sounds: Sounds) -> None:
        await self.taking_up.other(lambda book: configure(self.settings, self.runtime, desks, sounds, book))

    def _switched(self) -> None:
        """Other desk files are in force."""
        main = self.main_desk
        self.clockwork.hours_changed()
        self.watch.take(self.queues)
        self.news.forget_sounds()
        self.announcer.tell_again()
        self.ring.keep_s = main.call_trace.evidence_min * 60
        self.taking_up.again()
        self.traces.desk, self.recordings.rules, self.logs.keep_days = main, main.call_trace, main.keep.logs_days

    # Looking at it -------------------------------------------------------------------------------

    @cached_property
    def metrics(self) -> LineMetrics:
        """The figures for Prometheus."""
        return LineMetrics(
            counters=self.counters,
            store=self.store,
            bus=self.bus,
            watch=self.watch,
            calls=self.calls,
            clock=self.clock,
            ami_connected=lambda: self.ami.state is State.CONNECTED,
            directory_taken_up=lambda: not self.taking_up.problem,
            probes=self.probes,
            log_bytes=lambda: self.logs.sizes,
        )

    @cached_property
    def health(self) -> HealthCheck:
        """Return whether calls are taken, and how each component is."""
        return HealthCheck(
            settings=self.settings,
            store=self.store,
            ami=self.ami,
            parts=self.parts,
            probes=self.probes,
            notices=self.notices,
            desk_files=self.desk_files,
            taking_up=self.taking_up,
            clock=self.clock,
            conversing=lambda: self.conversing,
        )

    # Features ------------------------------------------------------------------------------------

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """All features, in the order in which each hears of an event of Asterisk's."""
        return (
            probing.feature(self.probes),
            # The copy of the queues first: what follows asks it who stands where.
            queueing.queues(self.watch, self.roll, self.misses, self.news),
            # Then the calls' record: a call must be known before anybody else can do something about it.
            calls.record(self.calls, self.newcomers, self.recovery, self.begun, self.ami, self.clock, self.aside),
            # Both ask the record how the call ended.
            queueing.places(self.kept, self.calls),
            self._tickets,
            # Places in the queue and calls are known: callbacks compare both with what was promised.
            callbacks.feature(self.keeper),
            oncall.feature(self.paging, self.page_calls),
            calls.refused(Refusals(self.counters.refused)),
            calls.phones(self.ami, self.aside),
            # A leg's score goes to its call's record.
            self._call_traces,
            # Last: the console asks for the queues when it hears of a change.
            queueing.members(self.bus, self.clock),
            # The others hear nothing of Asterisk.
            incidents.feature(self.announcer, self.incidents),
            Feature(name="maintenances", parts=(Part(name="maintenances", run=self.maintenances.run),)),
            Feature(name="reports", parts=(Part(name="reports", run=self.reports.run),)),
            directory.feature(self.taking_up, live=self.settings.live_configuration),
            Feature(name="metrics", parts=(Part(name="figures", run=self.metrics.run),)),
            Feature(name="tokens", parts=(Part(name="uses of tokens", run=self.tokens.run),)),
            self._retention,
            Feature(name="notices", parts=(Part(name="notices", run=self._notices),)),
            *self._optional,
        )

    @property
    def _tickets(self) -> Feature:
        return tickets.feature(
            drain=partial(keep_draining, self.spool, self.store, bus=self.bus),
            claims=Claims(self.messages, self.call_tickets.claim, set()),
            clockwork=self.clockwork,
            overdue=Overdue(self.store, self.desks, self.calendars, self.bus, self.clock),
            cut_off=partial(cut_off.enter, calls=self.calls, store=self.store, clock=self.clock, aside=self.aside),
        )

    @property
    def _call_traces(self) -> Feature:
        return calltrace.feature(
            traces=self.traces,
            away=AwayReports(self.folders.traces, self.traces, self._shift),
            collector=self.collector,
            recordings=self.recordings,
            calls=self.calls,
            scored=self.counters.leg_ended,
            cli=partial(process.cli, self.runtime, self.settings),
        )

    @property
    def _retention(self) -> Feature:
        eraser = Eraser(
            self.store,
            self.desks,
            self.clock,
            declared=DECLARED,
            messages=self.messages,
            mails=self.settings.mails,
        )
        parts = (Part(name="erasing", run=eraser.run), Part(name="logs", run=self.logs.run))
        return Feature(name="retention", parts=parts)

    @property
    def _optional(self) -> Iterator[Feature]:
        """Features that a line has when it is told to."""
        if self.settings.transcribe is not None:
            program = program_of(self.settings.transcribe)
            writer = Transcriber(program, self.store, self.bus, self.clock, messages=self.messages)
            yield Feature(name="transcripts", parts=(Part(name="transcripts", run=writer.run),))
        if (address := self.notices.mail) is not None:
            server = partial(smtp_server.run, self._mail_room(), address)
            yield Feature(name="mail", parts=(Part(name="mail", run=server),))

    def background(self) -> Iterator[Part]:
        """Everything that runs beside the calls, in the order in which it begins."""
        yield Part(name="events", run=self.follow, vital=True)
        for feature in self.features:
            yield from feature.parts

    async def _notices(self) -> None:
        async def answered(ticket_number: int, address: str) -> str | None:
            async with self.store.reading() as unit:
                return await mail_statements.last_from(unit, ticket_number, address)

        await workers.run(
            self.notices,
            self.store,
            clock=self.clock,
            bus=self.bus,
            answered=answered,
            read_journal=journal.entries,
            journal_end=journal.end,
            loopback=self.settings.demo,
        )

    def _mail_room(self) -> MailRoom:
        smtp = self.notices.smtp
        return MailRoom(
            self.store,
            self.directory,
            self.desks,
            folder=self.settings.mails,
            domain=domain_of(self.main_desk, self.notices),
            clock=self.clock,
            bus=self.bus,
            sender=smtp.sender if smtp else None,
            refusals=self.refusals,
            largest=self.notices.mail_largest,
        )

    async def follow(self) -> None:
        """Give each event of Asterisk's to the features in their order. What fails in one does not stop the others."""
        hearing = [(feature.name, feature.on_event) for feature in self.features if feature.on_event is not None]
        async for event in self.ami.events():
            for name, on_event in hearing:
                try:
                    await on_event(event)
                except Exception:
                    log.exception("AMI event handler failed", feature=name, event_name=event.get("event"))

    # The life of a line --------------------------------------------------------------------------

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Line]:
        """A line as its files, its database and its environment say, loaded; Asterisk need not be there.

        Raises DeskError, BadInput, RuntimeMissing, OSError.
        """
        store = open_store(settings.database_url)
        try:
            line = await cls._read(settings, store)
            await line._load()
            try:
                yield line
            finally:
                line.collector.close()
        finally:
            await store.close()

    @classmethod
    async def _read(cls, settings: Settings, store: Store) -> Line:
        desks, calendars = in_force(settings)
        notices = notice_config.read(os.environ, demo=settings.demo)
        if notices.public_url is None and not settings.demo:
            log.warning("links are relative: OMNIVIGIL_PUBLIC_URL is not set")
        found_runtime = runtime.find(runtime.folders(settings.state))
        sounds = sounds_of(settings, found_runtime, desks)
        await asyncio.to_thread(sounds.open)
        secrets = line_secrets(settings.state)
        return cls(
            settings=settings,
            runtime=found_runtime,
            store=store,
            ami=Ami(settings.ami.host, settings.ami.port, "service", secrets["ami_service"]),
            desks=desks,
            calendars=LiveCalendars(calendars),
            sounds=sounds,
            secrets=secrets,
            notices=notices,
            clock=settings.clock,
        )

    async def _load(self) -> None:
        """Load what calls need, as far as the database is there. Raises OSError when the HEP port is taken."""
        self.store.observe = self.counters.transaction
        await self.desk_files.look()
        with contextlib.suppress(Unavailable):
            # Callers are served without their names until the database is back.
            await self.directory.reload()
            await self.announcer.load()
            await self.kept.load()
        await gaps.tell_at_start(self.store, self.desks, self.clock())
        self.collector.start(self.settings.hep_collector, self.settings.homer)

    async def connect(self, until: asyncio.Event) -> bool:
        """Wait for Asterisk, which may be long in coming, until `until`; tell whether it came before."""
        told = False
        while not until.is_set():
            try:
                await self.ami.connect()
            except Unavailable as error:
                if not told:
                    log.warning("waiting for Asterisk: AMI does not answer yet", error=str(error))
                told = True
                await rest(0.5)
            else:
                return True
        return False

    async def take_up(self) -> None:
        """Reconcile with the calls that Asterisk has already. Raises nothing."""
        await reconcile.take_up(self.calls, self.store, self.ami, self.newcomers, self.clock)

    async def close(self) -> None:
        """Write what is left, and leave Asterisk."""
        await self.calls.close()
        await self.spool.close()
        await self.traces.close()
        await self.ami.close()
