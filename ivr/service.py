"""The service: wires everything together, runs until told to stop, and dies loudly when a vital part of it does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
import uvicorn

from agi_scripts.announcing import announcing
from agi_scripts.callback import callback
from agi_scripts.context import LineContext, notice_of
from agi_scripts.line import line
from agi_scripts.member_check import offered
from agi_scripts.message import message
from agi_scripts.oncall_call import page
from agi_scripts.partner import place
from agi_scripts.queue_keys import waiting
from agi_scripts.recording import inspect
from agi_scripts.technician import technician
from agi_scripts.tracing import tracing
from api.app import create_app
from api.deps import Health, Services
from api.server import ApiServer
from ivr.accounts.api_tokens import Tokens
from ivr.accounts.secret_encryption import Seal
from ivr.announcements.announcer import Announcer
from ivr.announcements.on_air import OnAirFiles
from ivr.announcements.pins import Pins
from ivr.announcements.sounds import AnnouncementSounds
from ivr.asterisk import process, runtime, unregister
from ivr.asterisk import watchdog as asterisk_keeper
from ivr.asterisk.ami import RECONNECTED, Ami, AmiRefused, Fields, State
from ivr.asterisk.config import Folders
from ivr.asterisk.contract import Variable
from ivr.asterisk.dead_contacts import Devices
from ivr.asterisk.dead_contacts import ask as ask_places
from ivr.asterisk.fastagi import AgiSession, FastAgiServer
from ivr.asterisk.originate import ringing
from ivr.asterisk.queue_members import AmiQueueMembers, member_of
from ivr.asterisk.registrations import registered
from ivr.callbacks import store as callback_statements
from ivr.callbacks.bridged_markers import PutThrough
from ivr.callbacks.channels import Channels, Prompts
from ivr.callbacks.offers import Offers
from ivr.callbacks.reconciler import Keeper
from ivr.calls import asterisk_events, reconcile
from ivr.calls import refusals as call_refusals
from ivr.calls.adoption import Identify, Newcomers
from ivr.calls.cdr_import import Recovery
from ivr.calls.log import CallLog
from ivr.calls.model import VANISHED_TALKING
from ivr.calls.unfinished import Begun
from ivr.calltrace.last_calls import keep_forgetting
from ivr.calltrace.offline import AwayReports
from ivr.calltrace.recordings import Recordings
from ivr.calltrace.service import CallTraces
from ivr.clock import Clock
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.desk_reload import DeskFiles, LiveCalendars
from ivr.directory.live_update import TakingUp
from ivr.directory.lookup import Directory
from ivr.directory.model import Identity
from ivr.directory.snapshot import Book
from ivr.errors import BadInput, Unavailable
from ivr.events import EventBus
from ivr.evidence import legs
from ivr.evidence.collector import Collector
from ivr.evidence.packet_buffer import Ring
from ivr.incidents.service import Incidents
from ivr.mail import smtp_server
from ivr.mail import store as mail_statements
from ivr.mail.ingest import MailRoom, domain_of
from ivr.maintenance.service import Maintenances
from ivr.metrics.counters import Counters
from ivr.metrics.prometheus import LineMetrics
from ivr.notify import config as notice_config
from ivr.notify import health as notice_health
from ivr.notify import workers
from ivr.notify.config import NoticeConfig
from ivr.numbers.normalise import normalise
from ivr.oncall import gaps
from ivr.oncall.page_calls import PageCalls
from ivr.oncall.paging import Paging
from ivr.personal_data import DECLARED
from ivr.prepare import configure as configure_asterisk
from ivr.prepare import in_force, line_secrets, phone_accounts
from ivr.probing.probes import Probes
from ivr.process import control
from ivr.process.parts import PartEnded, Parts
from ivr.process.supervisor import beat
from ivr.prompts.build import Sounds
from ivr.prompts.voices import sounds_of
from ivr.proxies import read as read_proxies
from ivr.queueing.kept_places import KeptPlaces
from ivr.queueing.missed_calls import Misses
from ivr.queueing.position_announcements import News, folder_of
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
from ivr.tickets import messages as ticket_messages
from ivr.tickets import store as ticket_statements
from ivr.tickets.about_incident import hang
from ivr.tickets.expired_callbacks import Lapse
from ivr.tickets.intake import VoiceMessage
from ivr.tickets.orphan_recordings import Claims, Unclaimed
from ivr.tickets.promise_monitor import Overdue
from ivr.tickets.sla_monitor import Clockwork
from ivr.tickets.spool import Spool, keep_draining
from ivr.ticks import rest
from ivr.transcribing.transcriber import Transcriber, program_of

log = structlog.get_logger()

#: Conversations in progress may go on this long, in seconds, after the service is told to stop.
_DRAIN_S = 4.0
#: Objects made and not freed that are worth a look for cycles; a call makes some hundreds and few cycles.
_GC_ALLOCATIONS = 50_000


@dataclass(kw_only=True)
class _Ready:
    """What is up already."""

    agi: bool = False


async def serve(settings: Settings, heartbeat_fd: int) -> None:
    """Run until SIGTERM or until the supervisor is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    beating = asyncio.create_task(beat(heartbeat_fd, stop), name="heartbeat")
    store = open_store(settings.database_url)
    try:
        await _serve(settings, store, stop)
    finally:
        beating.cancel()
        await store.close()


async def _serve(settings: Settings, store: Store, stop: asyncio.Event) -> None:
    clock = settings.clock
    desks, files_calendars = in_force(settings)
    calendars = LiveCalendars(files_calendars)
    notices = notice_config.read(os.environ, demo=settings.demo)
    if notices.public_url is None and not settings.demo:
        log.warning("links are relative: OMNIVIGIL_PUBLIC_URL is not set")
    found_runtime = runtime.find(runtime.folders(settings.state))
    sounds = sounds_of(settings, found_runtime, desks)
    await asyncio.to_thread(sounds.open)
    bus = EventBus()
    counters = Counters()
    refusals = Refusals(counters.text_refused, counters.budget_used)
    parts = Parts(counters.part_restarted)
    store.observe = counters.transaction
    directory = Directory(store)
    calls = CallLog(
        store,
        bus,
        open_tickets=lambda customer_id: _open_tickets(store, customer_id),
        silent_s=settings.rtp_timeout_s,
    )
    spool = Spool(settings.spool / "intake")
    ami = Ami(settings.ami.host, settings.ami.port, "service", line_secrets(settings.state)["ami_service"])
    ready = _Ready()
    watch = QueueWatch({name: queue for desk in desks.values() for name, queue in desk.queues.items()}, clock)
    keeper = Keeper(
        store=store,
        channels=Channels(ami, trunk=settings.outbound is not None),
        watch=watch,
        desks=desks,
        calendars=calendars,
        prompts=lambda desk, language: _callback_prompts(sounds, desk, language),
        bus=bus,
        clock=clock,
        lapsed=Lapse(desks, directory.identify, clock),
        put_through=PutThrough(Folders.below(settings).put_through, timedelta(seconds=settings.clock_shift_s)),
    )
    # The context is made of the offers, and what they tell is noted beside a call in it.
    offers = Offers(
        watch=watch,
        keeper=keeper,
        calls=calls,
        clock=clock,
        told=lambda call_id, desk, at: context.aside(_note_offer(context, call_id, desk, at), f"offer {call_id}"),
        may_follow=lambda desk, call_id: context.may_follow(desk, call_id),
    )
    news = News(settings.sounds, watch.known, watch, offers.listener, sounds.fixed)
    announcer = Announcer(
        store=store,
        desks=desks,
        sounds=sounds,
        kept=AnnouncementSounds(sounds, folder=settings.sounds, kept=settings.announcements),
        on_air=OnAirFiles(settings.on_air),
        interrupt=news.interrupt,
        bus=bus,
        clock=clock,
    )
    reports = Reports(
        store=store, desks=desks, calendars=calendars, clock=clock, public_url=notices.public_url, refusals=refusals
    )
    maintenances = Maintenances(store=store, desks=desks, bus=bus, clock=clock, public_url=notices.public_url)
    incidents = Incidents(
        store=store,
        desks=desks,
        announcer=announcer,
        bus=bus,
        clock=clock,
        hang=hang,
        public_url=notices.public_url,
        statuspage=notices.statuspage.page if notices.statuspage is not None else None,
        maintenance=maintenances.now,
        refusals=refusals,
    )
    ring = Ring(keep_s=next(iter(desks.values())).call_trace.evidence_min * 60)
    collector = Collector(ring, line_secrets(settings.state)["hep"])
    traces = CallTraces(
        store=store,
        spool=Spool(settings.spool / "traces"),
        ring=ring,
        directory=directory,
        desk=next(iter(desks.values())),
        bus=bus,
        clock=clock,
        rtp_ports=settings.rtp,
        about=incidents.about,
        public_url=notices.public_url,
    )
    recordings = Recordings(
        Folders.below(settings).recordings,
        store,
        next(iter(desks.values())).call_trace,
        clock,
        timedelta(seconds=settings.clock_shift_s),
    )
    members = AmiQueueMembers(ami, penalty=lambda queue, endpoint: _penalty(directory, queue, endpoint))
    context = LineContext(
        desks=desks,
        calendars=calendars,
        directory=directory,
        calls=calls,
        members=members,
        watch=watch,
        keeper=keeper,
        kept=KeptPlaces(store, desks, clock),
        offers=offers,
        store=store,
        spool=spool,
        sounds=sounds,
        announcer=announcer,
        incidents=incidents,
        texts=notices.twilio is not None,
        bus=bus,
        clock=clock,
        traces=traces,
        paging=Paging(store, desks, bus, clock, refusals),
        page_calls=PageCalls(
            store=store,
            ami=ami,
            desks=desks,
            book=lambda: directory.book,
            trunk=settings.outbound is not None,
            clock=clock,
        ),
        trunk=settings.outbound is not None,
        messages=Folders.below(settings).messages,
    )
    probes = Probes(store, settings.sip, settings.state, clock)
    roll = Roll(store, ami, context.members)
    misses = Misses(ami=ami, members=members, watch=watch, store=store, desks=desks, bus=bus, clock=clock)
    taking_up = _taking_up(settings, found_runtime, directory, desks, sounds, members, bus)
    turned_over = _logs(settings, ami, context.main_desk)

    async def to_asterisk(others: Desks, said: Sounds) -> None:
        await taking_up.other(lambda book: configure_asterisk(settings, found_runtime, others, said, book))

    clockwork = Clockwork(store, desks, calendars, bus, clock)

    def switched() -> None:
        main = context.main_desk
        clockwork.hours_changed()
        watch.take({name: queue for desk in desks.values() for name, queue in desk.queues.items()})
        news.forget_sounds()
        announcer.tell_again()
        ring.keep_s = main.call_trace.evidence_min * 60
        taking_up.again()
        traces.desk, recordings.rules, turned_over.keep_days = main, main.call_trace, main.keep.logs_days

    desk_files = DeskFiles(
        settings,
        found_runtime,
        desks=desks,
        calendars=calendars,
        sounds=sounds,
        asterisk=to_asterisk,
        switched=switched,
        bus=bus,
        clock=clock,
    )
    await desk_files.look()
    agi = FastAgiServer(
        settings.agi.host,
        settings.agi.port,
        lambda session: _converse(session, _as_begun(session, context, desk_files), settings),
        step=counters.step,
        secret=line_secrets(settings.state)["agi"],
    )
    metrics = LineMetrics(
        counters=counters,
        store=store,
        bus=bus,
        watch=watch,
        calls=calls,
        clock=clock,
        ami_connected=lambda: ami.state is State.CONNECTED,
        directory_taken_up=lambda: not taking_up.problem,
        probes=probes,
        log_bytes=lambda: turned_over.sizes,
    )
    tokens = Tokens(store, clock=clock)
    api = _api(
        settings,
        Services(
            store=store,
            directory=directory,
            tokens=tokens,
            calls=calls,
            bus=bus,
            members=context.members,
            keeper=keeper,
            watch=watch,
            trunk=context.trunk,
            desks=desks,
            calendars=calendars,
            health=lambda: _health(settings, store, ami, ready, parts, probes, notices, desk_files, clock, taking_up),
            desk_files=desk_files,
            clock=clock,
            announcer=announcer,
            incidents=incidents,
            subscribers=Subscribers(store, clock, refusals),
            maintenances=maintenances,
            reports=reports,
            metrics=metrics,
            messages=Folders.below(settings).messages,
            notices=notices,
            mails=settings.mails,
            traces=traces,
            recordings=recordings,
            seal=Seal(line_secrets(settings.state)["totp"]),
            connect_phones=lambda first, second: _connect_phones(ami, first, second),
            registered=lambda names: registered(ami, names),
            sip=settings.sip,
        ),
    )
    with contextlib.suppress(Unavailable):
        # Callers are served without their names until the database is back.
        await directory.reload()
        await announcer.load()
        await context.kept.load()
    await gaps.tell_at_start(store, desks, clock())
    collector.start(settings.hep_collector, settings.homer)
    serving = asyncio.create_task(api.serve(), name="api")
    if not await _until_connected(ami, stop, serving):
        api.end()
        await asyncio.wait({serving}, timeout=2)
        collector.close()
        return
    newcomers = Newcomers(
        calls=calls,
        desks=desks,
        identify=_identify(context),
        open_ticket=context.open_ticket,
        adopt=lambda channel, call, language: context.aside(_adopt(ami, channel, call, language), f"adopting {call}"),
        clock=clock,
    )
    try:
        await reconcile.resume(calls, store, ami, clock)
        await newcomers.look(ami)
    except (Unavailable, AmiRefused) as error:
        log.warning("calls of the previous run not reconciled", error=str(error))
    await agi.start()
    told = await _listen(settings, desk_files)
    ready.agi = True
    _settle()
    log.info("calls are taken", sip=str(settings.sip), http=str(settings.http))
    # Nothing else can be done once we are to end, Asterisk tells nothing any more, or nobody can ask us anything.
    parts.vital("stop signal", stop.wait)
    parts.vital("events", lambda: _follow(ami, context, counters, newcomers, probes, roll, misses))
    parts.vital("api", lambda: _joined(serving))
    parts.add("call-in probe", probes.call_in)
    parts.add("write probe", probes.writing)
    parts.add("call writer", calls.run)
    parts.add("spool", lambda: keep_draining(spool, store, bus=bus))
    parts.add("announcements", announcer.run)
    parts.add("incidents", incidents.run)
    parts.add("maintenances", maintenances.run)
    parts.add("reports", reports.run)
    parts.add("figures", metrics.run)
    parts.add("callbacks", keeper.run)
    parts.add("news", news.run)
    parts.add("evidence", collector.run)
    parts.add("call traces", traces.keep_draining)
    shift = timedelta(seconds=settings.clock_shift_s)
    parts.add("call traces taken without us", AwayReports(Folders.below(settings).traces, traces, shift).run)
    parts.add("recordings", recordings.run)
    parts.add(
        "erasing", Eraser(store, desks, clock, declared=DECLARED, messages=context.messages, mails=settings.mails).run
    )
    parts.add("logs", turned_over.run)
    parts.add("last calls", lambda: keep_forgetting(partial(process.cli, found_runtime, settings)))
    parts.add("directory", taking_up.follow)
    if settings.live_configuration:
        parts.add("directory at Asterisk", taking_up.to_asterisk)
    parts.add("uses of tokens", tokens.run)
    parts.add("claims", _claims(settings, context).run)
    parts.add("recovery", _recovery(settings, context, counters).run)
    parts.add("calls begun", _begun(settings, context, counters, ami).run)
    parts.add("roll call", roll.run)
    parts.add("technicians' misses", misses.run)
    parts.add("paging", context.paging.run)
    parts.add("page calls", context.page_calls.run)
    parts.add("tickets' clocks", clockwork.run)
    parts.add("promises", Overdue(store, desks, calendars, bus, clock).run)
    parts.add("notices", lambda: _notices(settings, context, notices))
    if settings.transcribe is not None:
        writer = Transcriber(program_of(settings.transcribe), store, bus, clock, messages=context.messages)
        parts.add("transcripts", writer.run)
    if notices.mail is not None:
        mail_room, mail_address = _mail_room(settings, context, notices, refusals), notices.mail
        parts.add("mail", lambda: smtp_server.run(mail_room, mail_address))
    try:
        # When a vital one ends, the supervisor starts us again: what is half dead must not go on taking calls.
        if (ended := await parts.run()) != "stop signal":
            raise PartEnded(f"{ended} ended")
    finally:
        # New callers go to the dialplan's own way; those in conversation may finish theirs.
        ready.agi = False
        await agi.stop(_DRAIN_S)
        await context.finish(2)
        parts.end()
        if told is not None:
            told.close()
        bus.close()
        api.end()
        await asyncio.sleep(0.1)
        await parts.stop(2)
        await calls.close()
        await spool.close()
        await traces.close()
        await ami.close()
        collector.close()
    log.info("service stopped")


async def _until_connected(ami: Ami, stop: asyncio.Event, serving: asyncio.Task[None]) -> bool:
    """Wait for Asterisk, which may be tried again and again, with the API there; whether it came before the end."""
    told = False
    while not stop.is_set() and not serving.done():
        try:
            await ami.connect()
        except Unavailable as error:
            if not told:
                log.warning("waiting for Asterisk: AMI does not answer yet", error=str(error))
            told = True
            await rest(0.5)
        else:
            return True
    if serving.done():
        serving.result()
    return False


async def _joined(task: asyncio.Task[None]) -> None:
    await task


def _settle() -> None:
    """Spare the collector of cycles what was made at the start and stays: it would look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS, 20, 50)


async def _listen(settings: Settings, desk_files: DeskFiles) -> asyncio.Server | None:
    async def obey(words: list[str], say: control.Say) -> None:
        if words not in (["reload"], ["reload", "check"]):
            raise BadInput(field="request", problem=" ".join(words)[:80], mend="ask for reload")
        await desk_files.reload(by="command", check="check" in words, say=say)

    try:
        return await control.listen(settings.state, obey, control.SERVICE)
    except OSError as error:
        log.error("reload command unavailable: control socket failed", event_id="OV2103", error=error.strerror)
        return None


def _as_begun(session: AgiSession, context: LineContext, desk_files: DeskFiles) -> LineContext:
    """The desks that were in force when the caller's call began, whatever is reloaded while it goes on."""
    call = context.calls.call_of(session.env.get("uniqueid", ""))
    version = desk_files.version(call.started_at if call is not None else None)
    return replace(context, desks=version.desks, calendars=version.calendars, sounds=version.sounds)


async def _converse(session: AgiSession, context: LineContext, settings: Settings) -> None:
    # Bound and not unbound again: each conversation is a task of its own, and what ends it is logged outside of here.
    structlog.contextvars.bind_contextvars(channel=session.env.get("channel"))
    if (call_id := context.calls.id_of(session.env.get("uniqueid", ""))) is not None:
        structlog.contextvars.bind_contextvars(call=call_id)
    match session.path:
        case "line":
            await line(session, context)
        case "message":
            await message(session, context)
        case "waiting":
            await waiting(session, context)
        case "callback":
            await callback(session, context)
        case "offered":
            await offered(session, context)
        case "place":
            await place(session, context)
        case "technician":
            await technician(session, context)
        case "announcing":
            pins = Pins(context.store, context.clock)
            await announcing(session, context, pins, settings.spool / "announcements")
        case "page":
            await page(session, context)
        case "trace":
            await tracing(session, context)
        case other:
            log.error("unknown conversation requested; the dialplan takes over", event_id="OV1102", path=other)


def _callback_prompts(sounds: Sounds, desk: str, language: str) -> Prompts:
    return Prompts(
        greeting=sounds.fixed(desk, "callback-greeting", language),
        no_answer=sounds.fixed(desk, "callback-no-answer", language),
    )


async def _note_offer(context: LineContext, call_id: str, desk: str, at: datetime) -> None:
    """The wide end of the funnel."""
    context.calls.note(call_id, "callback-offered", at)
    async with context.store.unit() as unit:
        await callback_statements.offered(unit, call_id=call_id, desk=desk, at=at)


def _api(settings: Settings, services: Services) -> ApiServer:
    proxies = read_proxies(os.environ)
    config = uvicorn.Config(
        create_app(services),
        host=settings.http.host,
        port=settings.http.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        server_header=False,
        # Nobody's word but theirs: without any, none is believed.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[str(network) for network in proxies],
    )
    return ApiServer(config, proxies=proxies)


async def _health(
    settings: Settings,
    store: Store,
    ami: Ami,
    ready: _Ready,
    parts: Parts,
    probes: Probes,
    notices: NoticeConfig,
    desk_files: DeskFiles,
    clock: Clock,
    taking_up: TakingUp,
) -> Health:
    told = notice_health.configured(notices)
    try:
        async with asyncio.timeout(1), store.reading() as unit:
            told = await notice_health.told(unit, notices, clock())
        database = probes.write_problem or "ok"
    except (Unavailable, TimeoutError) as error:
        database = f"away: {error}"
    asterisk = "ok" if ami.state is State.CONNECTED else asterisk_keeper.noted(settings) or ami.state.value
    conversations = "ok" if ready.agi else "starting"
    failing, problem = parts.failing, desk_files.problem
    components = {
        "asterisk": asterisk,
        "calls": probes.calls_problem or "ok",
        "conversations": conversations,
        "database": database,
        "desks": f"degraded: the last good files are in force: {problem}" if problem is not None else "ok",
        "directory": f"degraded: {taking_up.problem}" if taking_up.problem else "ok",
        "disk": await asyncio.to_thread(probes.disk),
        "parts": "; ".join(f"degraded: {name}: {why}" for name, why in sorted(failing.items())) or "ok",
    }
    # Without the database calls are taken all the same, and requests go to the spool.
    taking = all(components[name] == "ok" for name in ("asterisk", "calls", "conversations"))
    # Notices that wait are a person's concern; calls lack nothing.
    degraded = any(state != "ok" for state in components.values())
    return Health(taking_calls=taking, degraded=degraded, components=components | {"notices": told})


async def _open_tickets(store: Store, customer_id: int) -> list[dict[str, Any]]:
    async with store.reading() as unit:
        return [ticket.brief() for ticket in await ticket_statements.open_tickets(unit, customer_id)]


async def _notices(settings: Settings, context: LineContext, config: NoticeConfig) -> None:
    async def answered(ticket_number: int, address: str) -> str | None:
        async with context.store.reading() as unit:
            return await mail_statements.last_from(unit, ticket_number, address)

    await workers.run(
        config,
        context.store,
        clock=context.clock,
        bus=context.bus,
        answered=answered,
        read_journal=journal.entries,
        journal_end=journal.end,
        loopback=settings.demo,
    )


def _mail_room(settings: Settings, context: LineContext, config: NoticeConfig, refusals: Refusals) -> MailRoom:
    return MailRoom(
        context.store,
        context.directory,
        context.desks,
        folder=settings.mails,
        domain=domain_of(context.main_desk, config),
        clock=context.clock,
        bus=context.bus,
        sender=config.smtp.sender if config.smtp else None,
        refusals=refusals,
        largest=config.mail_largest,
    )


async def _follow(
    ami: Ami,
    context: LineContext,
    counters: Counters,
    newcomers: Newcomers,
    probes: Probes,
    roll: Roll,
    misses: Misses,
) -> None:
    """Enter what Asterisk tells, in order; one event that cannot be entered does not stop the others."""
    calls, refusals, devices = context.calls, Refusals(counters.refused), Devices()
    async for event in ami.events():
        try:
            if event is RECONNECTED:
                probes.look_soon()
                context.aside(_compare(ami, context, newcomers), "calls compared with Asterisk's")
            context.watch.enter(event)
            roll.enter(event)
            misses.enter(event)
            newcomers.joined(event)
            asterisk_events.enter(calls, event, context.clock())
            context.kept.enter(event, calls)
            _note_cut_off(context, event)
            await context.keeper.enter(event)
            context.page_calls.enter(event)
            call_refusals.enter(event, refusals)
            if (phone := devices.enter(event)) is not None:
                context.aside(ask_places(ami, phone), "a phone's places asked")
            if (leg := legs.read(event)) is not None:
                context.traces.ring.ended(leg)
                if (heard := counters.leg_ended(leg)) is not None:
                    calls.leg_scored(leg.linkedid, leg.uniqueid, heard)
            if event.get("event", "").startswith("QueueMember"):
                context.bus.publish("member.changed", context.clock(), _member(event))
        except Exception:
            log.exception("AMI event handler failed", event_name=event.get("event"))


def _note_cut_off(context: LineContext, event: Fields) -> None:
    """A caller vanished while a technician talked to them: their ticket says so."""
    call = context.calls.call_of(event.get("uniqueid", "")) if event.get("event") == "Hangup" else None
    if call is not None and call.reason == VANISHED_TALKING:
        context.aside(cut_off.note(context.store, call.id, context.clock()), f"end of call {call.id} on its ticket")


async def _adopt(ami: Ami, channel: str, call_id: str, language: str) -> None:
    """Give a channel that the dialplan took to a queue what the service would have: its call, and what it is told."""
    values = {Variable.CALL: call_id, Variable.LANGUAGE: language, "CHANNEL(language)": folder_of(language, call_id)}
    try:
        for name, value in values.items():
            await ami.action("Setvar", {"Channel": channel, "Variable": name, "Value": value})
    except AmiRefused:
        # The caller is gone.
        return


async def _compare(ami: Ami, context: LineContext, newcomers: Newcomers) -> None:
    try:
        await reconcile.end_unseen(context.calls, ami, context.clock)
        await newcomers.look(ami)
    except (Unavailable, AmiRefused) as error:
        # It is away again: when it is back, this comes again.
        log.warning("calls not reconciled with Asterisk; retrying", error=str(error))


def _member(event: Fields) -> dict[str, Any]:
    member = member_of(event)
    kind = event.get("event", "").removeprefix("QueueMember").lower()
    return {
        "change": kind,
        "queue": member.queue,
        "endpoint": member.endpoint,
        "name": member.name,
        "paused": member.paused,
        "in_call": member.in_call,
        "status": member.status,
    }


def _penalty(directory: Directory, queue: str, endpoint: str) -> int:
    known = directory.technician(endpoint)
    return known.penalties.get(queue, 0) if known is not None else 0


async def _connect_phones(ami: Ami, first: str, second: str) -> None:
    fields = {
        "Context": "trace-call-back",
        "Exten": second,
        "Priority": "1",
        "CallerID": f"*57 <{second}>",
        "Async": "true",
    }
    await ami.action("Originate", fields | ringing(first, 30))


def _taking_up(
    settings: Settings,
    found: runtime.Runtime,
    directory: Directory,
    desks: Desks,
    sounds: Sounds,
    members: AmiQueueMembers,
    bus: EventBus,
) -> TakingUp:
    """What changes in the directory, for calls and for Asterisk."""

    def configure(book: Book) -> dict[str, str]:
        configure_asterisk(settings, found, desks, sounds, book)
        return {phone.name: phone.ha1 for phone in phone_accounts(book)}

    return TakingUp(
        directory,
        configure=configure,
        etc=Folders.below(settings).etc,
        cli=partial(process.cli, found, settings),
        unregister=partial(unregister.unregister, settings.sip),
        members=members,
        queues=lambda: [queue for desk in desks.values() for queue in desk.queues],
        bus=bus,
    )


def _claims(settings: Settings, context: LineContext) -> Claims:
    """Messages that the dialplan took alone."""

    async def enter(found: Unclaimed) -> bool:
        desk = context.desks.get(found.desk)
        if desk is None or found.department not in desk.departments:
            log.error("offline voice message for a missing desk or department", event_id="OV1605", file=found.path.name)
            return False
        async with context.store.reading() as unit:
            if await ticket_statements.ticket_of_message(unit, found.path.stem) is not None:
                return False
        recording = await asyncio.to_thread(inspect, found.path)
        if recording.silent:
            return False
        number = normalise(found.number, desk.region)
        call = context.calls.call_of(found.uniqueid)
        written = datetime.fromtimestamp((await asyncio.to_thread(found.path.stat)).st_mtime, UTC)
        at = written + timedelta(seconds=settings.clock_shift_s)
        urgent = found.urgent if found.urgent is not None else context.in_doubt(desk, found.department, at)
        await ticket_messages.leave_message(
            context.store,
            context.spool,
            key=found.path.stem,
            at=at,
            desk=desk.id,
            department=found.department,
            language=found.language,
            call_id=call.id if call is not None else None,
            identity=context.directory.identify(number, None, desk.provider),
            message=VoiceMessage(
                file=found.path.name, seconds=recording.seconds, urgent=urgent, number=number, endpoint=None
            ),
            notice=notice_of(desk, found.department),
            promise=context.promised(desk, found.department, urgent=urgent, at=at),
            bus=context.bus,
        )
        return True

    return Claims(Folders.below(settings).messages, enter, set())


def _identify(context: LineContext) -> Identify:
    def identify(number: str, endpoint: str | None, desk: str) -> tuple[str | None, Identity]:
        called = context.desks.get(desk) or context.main_desk
        known = normalise(number, called.region)
        return known, context.directory.identify(known, endpoint, called.provider)

    return identify


def _logs(settings: Settings, ami: Ami, main: Desk) -> Logs:
    """What is written about the line, turned over."""
    return Logs(settings.state / "log", lambda: ami.action("LoggerRotate"), keep_days=main.keep.logs_days)


def _recovery(settings: Settings, context: LineContext, counters: Counters) -> Recovery:
    """Calls that were taken without us."""
    return Recovery(
        Folders.below(settings).log / "cdr-custom" / "calls.csv",
        context.store,
        context.calls,
        shift=timedelta(seconds=settings.clock_shift_s),
        identify=_identify(context),
        desks=context.desks,
        counted=counters.recovered,
    )


def _begun(settings: Settings, context: LineContext, counters: Counters, ami: Ami) -> Begun:
    """Calls that Asterisk was killed with."""

    async def channels() -> set[str]:
        return {row.get("uniqueid", "") for row in await ami.collect("CoreShowChannels")}

    return Begun(
        Folders.below(settings).begun,
        context.store,
        context.calls,
        channels,
        shift=timedelta(seconds=settings.clock_shift_s),
        identify=_identify(context),
        desks=context.desks,
        counted=counters.recovered,
    )
