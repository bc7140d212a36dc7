"""Makes everything ready that the service and Asterisk need: desks, sounds, database, directory, configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import structlog

from ivr.accounts.api_tokens import keep_token
from ivr.accounts.second_factor_admin import seal_all
from ivr.accounts.secret_encryption import Seal
from ivr.announcements.demo import demo_pins
from ivr.announcements.on_air import OnAirFiles, streams_of
from ivr.asterisk.config import LineConfiguration, render
from ivr.asterisk.folders import FixedPrompts, Folders
from ivr.asterisk.routing import DepartmentRouting, DeskRouting, OutsideMember, PhoneAccount, QueueConfig
from ivr.asterisk.runtime import Runtime
from ivr.backup.create import before_migration
from ivr.clock import system_clock
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.last_good import keep, kept, snapshot
from ivr.desk.load import BUILT_IN, DeskError, Desks, load_desks
from ivr.desk.schema import CALLBACK_KEY, FOLLOW_KEY, CallbackRules, Desk, Queue
from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.demo import load_demo
from ivr.directory.demo_accounts import demo_accounts
from ivr.directory.desk_references import number_outside
from ivr.directory.lookup import Directory
from ivr.directory.snapshot import Book
from ivr.migrations.run import migrate
from ivr.numbers import calling_rights
from ivr.numbers.diallable import Refused
from ivr.outside_staff import TAKEN_S
from ivr.prompts.build import BuildError, Sounds
from ivr.prompts.catalog import PromptMissing
from ivr.prompts.voices import sounds_of
from ivr.retiring import DEMO_TOKEN, Retired, retire
from ivr.settings import Settings
from ivr.store.engine import Store, open_store
from ivr.trunks import Trunk

log = structlog.get_logger()

#: Between our own processes: the manager's accounts, and what Asterisk shows for conversations and copies of packets.
_SECRETS = ("ami_service", "ami_supervisor", "ami_witness", "agi", "hep", "totp")

#: Without the service a caller waits in the queue this long, in seconds, before the message box.
_FALLBACK_WAIT_S = 300


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What `up` tells about, and hands on."""

    desks: Desks
    phones: tuple[PhoneAccount, ...]
    secrets: Mapping[str, str]
    #: What had a published password until now, without the demo.
    retired: Retired = field(default_factory=Retired)

    @property
    def main_desk(self) -> Desk:
        """The first desk."""
        return self.desks.main


#: The calendars of each desk's departments.
Calendars = dict[str, dict[str, Calendar]]


def load(settings: Settings) -> tuple[Desks, Calendars]:
    """The desks as their files are now, and each one's calendars by department. Raises DeskError."""
    return _read(settings.desks or BUILT_IN)


def in_force(settings: Settings) -> tuple[Desks, Calendars]:
    """The desks that were prepared last, whatever was saved since; as their files are now where none were.

    Raises DeskError.
    """
    copy = kept(settings.desks or BUILT_IN, copy_of(settings))
    if copy is not None:
        try:
            return _read(copy)
        except DeskError as error:
            # Of a version before this one.
            log.warning("last good copy of the desk files unusable", event_id="OV1801", reason=str(error))
    return load(settings)


def copy_of(settings: Settings) -> Path:
    """Return where the copy of the desk files in force is."""
    return settings.state / "desks-in-force"


def _read(folder: Path) -> tuple[Desks, Calendars]:
    desks = load_desks(folder)
    return desks, {desk.id: calendars_of(desk, folder) for desk in desks.values()}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Desk files as they were at one moment, and their copy."""

    desks: Desks
    calendars: Calendars
    copy: Path


@contextlib.contextmanager
def take(settings: Settings, instead: Mapping[str, str] = MappingProxyType({})) -> Iterator[Taken]:
    """Read the desk files as a whole, with other texts `instead`, by file. Raises DeskError, and OSError."""
    with snapshot(settings.desks or BUILT_IN, copy_of(settings), instead) as copy:
        desks, calendars = _read(copy)
        yield Taken(desks=desks, calendars=calendars, copy=copy)


async def prepare(
    settings: Settings, runtime: Runtime, progress: Callable[[str], None], *, live: bool = False
) -> Prepared:
    """Do what has not been done yet; for a line that is `live`, beside its service.

    Desk files that cannot be used keep a line from its first start, and a live one as it is; later starts go on with
    those that were good last. Raises DeskError, PromptMissing, BuildError, BadInput, StoreUnavailable.
    """
    try:
        with take(settings) as taken:
            prepared = await _prepare(settings, runtime, progress, taken.desks, taken.calendars, live=live)
            keep(taken.copy, copy_of(settings))
            return prepared
    except (DeskError, PromptMissing, BuildError) as error:
        if live or kept(settings.desks or BUILT_IN, copy_of(settings)) is None:
            raise
        log.error("desk files rejected; last good version in force", event_id="OV1801", reason=str(error))
    desks, calendars = in_force(settings)
    return await _prepare(settings, runtime, progress, desks, calendars, live=live)


async def _prepare(
    settings: Settings,
    runtime: Runtime,
    progress: Callable[[str], None],
    desks: Desks,
    calendars: Calendars,
    *,
    live: bool,
) -> Prepared:
    Folders.below(settings).make(runtime)
    if not live:
        _empty(settings.spool / "announcements")
    sounds = sounds_of(settings, runtime, desks)
    await asyncio.to_thread(sounds.build, calendars, settings.clock(), progress, live=live)
    await asyncio.to_thread(OnAirFiles(settings.on_air).begin, desks, sounds)
    progress("the database")
    store = open_store(settings.database_url)
    retired = Retired()
    try:
        before = await before_migration(store, state=settings.state, url=settings.database_url, now=system_clock())
        if before is not None:
            progress(f"the database, after a backup: {before.name}")
        await migrate(store)
        await seal_all(store, Seal(line_secrets(settings.state)["totp"]))
        if settings.demo:
            await _load_demo(settings, store)
        else:
            retired = await _retire_demo(settings, store)
        directory = Directory(store)
        await directory.reload()
    finally:
        await store.close()
    progress("Asterisk's configuration")
    configure(settings, runtime, desks, sounds, directory.book)
    return Prepared(
        desks=desks, phones=phone_accounts(directory.book), secrets=line_secrets(settings.state), retired=retired
    )


def phone_accounts(book: Book) -> tuple[PhoneAccount, ...]:
    """The phones of the directory as Asterisk's configuration has them."""
    return tuple(
        PhoneAccount(
            name=row.name,
            ha1=row.ha1,
            kind=row.kind,
            language=row.language,
            display=row.display,
            caller_id=row.caller_id,
            rights=row.rights,
            did=row.did,
            codecs=row.codecs,
            transport=row.transport,
            call_limit=row.call_limit,
            devices=row.devices,
        )
        for row in phone_rows(book)
    )


def outside_members(book: Book, desks: Desks) -> tuple[OutsideMember, ...]:
    """Staff who answer queues on a telephone that is none of ours.

    Whoever's number may not be dialled is left out: desk files may have changed since it was entered.
    """
    main = desks.main
    found = []
    for one in sorted(book.technicians.values(), key=lambda one: one.id):
        if one.outside is None:
            continue
        number = number_outside(one, desks.values())
        if isinstance(number, Refused):
            log.warning("staff member's outside number not rung", staff=one.key, reason=number.reason)
            continue
        theirs = next((desk for desk in desks.values() if desk.provider == one.provider), main)
        language = one.language if one.language in main.languages else main.languages[0]
        found.append(OutsideMember(endpoint=one.outside, number=number, caller_id=theirs.dialled[0], language=language))
    return tuple(found)


def configure(settings: Settings, runtime: Runtime, desks: Desks, sounds: Sounds, book: Book) -> frozenset[str]:
    """Render Asterisk's configuration; the names of the files that are other than before.

    Also while the line runs; then `ivr.asterisk.reload` comes next. Takes a second with thousands of phones. Raises
    PromptMissing, and what `render` raises.
    """
    members = outside_members(book, desks)
    answered_outside = {
        queue for member in members if (known := book.technician(member.endpoint)) for queue in known.queues
    }
    return render(
        LineConfiguration(
            settings=settings,
            runtime=runtime,
            secrets=line_secrets(settings.state),
            desks=[_routing(desk) for desk in desks.values()],
            queues=[
                QueueConfig(
                    id=name,
                    strategy=queue.strategy,
                    # Who answers outside has still to hear what it is about, and press 1; a queue has one time for all.
                    ring_s=queue.ring_s + (TAKEN_S if name in answered_outside else 0),
                    retry_s=queue.retry_s,
                    wrapup_s=queue.wrapup_s,
                    announce_s=queue.announce_s,
                    keys=queue_keys(desk, queue),
                )
                for desk in desks.values()
                for name, queue in desk.queues.items()
            ],
            phones=phone_accounts(book),
            outside_members=members,
            prompts=_fixed_prompts(desks, sounds),
            trunks=[Trunk(host="127.0.0.0/8"), *settings.trunks],
            callback_ring_s=max((rules.ring_s for rules in _callback_rules(desks)), default=30),
            streams=tuple(streams_of(settings, desks)),
            outside={right: calling_rights.patterns(right) for right in calling_rights.RIGHTS},
            premium=calling_rights.PREMIUM_PATTERNS,
            trace_within_s=desks.main.call_trace.within_min * 60,
            record_calls=desks.main.call_trace.audio is not None,
            strict_rtp=settings.strict_rtp,
        )
    )


def note_prepared(settings: Settings) -> None:
    """Remember that a line with these settings can start without being prepared. Raises OSError."""
    settings.write(_note(settings))


def prepared_before(settings: Settings) -> bool:
    """Return whether all is there that a line with these settings needs, from an earlier start."""
    try:
        known = Settings.read(_note(settings))
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return replace(known, clock_shift_s=settings.clock_shift_s) == settings


def as_before(settings: Settings) -> Prepared:
    """Return what an earlier start has prepared, as far as it is known without the database. Raises DeskError."""
    return Prepared(desks=in_force(settings)[0], phones=(), secrets=line_secrets(settings.state))


def wait_until_prepared(state: Path) -> Path:
    """The settings' file of the line on a state folder, once everything is there that its Asterisk needs."""
    known = state / "run" / "prepared.json"
    told = False
    while not known.exists():
        if not told:
            log.info("not prepared yet; run ./omnivigil up --no-with-asterisk", state=str(state))
            told = True
        time.sleep(1)
    return known


def _note(settings: Settings) -> Path:
    return settings.state / "run" / "prepared.json"


def _empty(folder: Path) -> None:
    """What a service left that died while somebody recorded an announcement is nobody's."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()


async def _load_demo(settings: Settings, store: Store) -> None:
    path = _token_file(settings)
    token = _kept(path) or f"ovt_{secrets.token_urlsafe(32)}"
    async with store.unit() as unit:
        await load_demo(unit)
        await demo_pins(unit)
        await demo_accounts(unit, settings.clock())
        await keep_token(unit, token, DEMO_TOKEN, ("read", "write", "directory:write", "desks:write"), settings.clock())
    _keep(path, token)


async def _retire_demo(settings: Settings, store: Store) -> Retired:
    """Nothing that was published opens this line any more."""
    path = _token_file(settings)
    retired = await retire(store, settings.clock(), token=_kept(path))
    path.unlink(missing_ok=True)
    if retired:
        log.warning(
            "demo passwords disabled",
            accounts=retired.accounts,
            phones=retired.phones,
            pins=retired.pins,
            tokens=retired.tokens,
        )
    return retired


def _token_file(settings: Settings) -> Path:
    return settings.state / "demo-token"


def _routing(desk: Desk) -> DeskRouting:
    operator = desk.departments[desk.menu.operator]
    return DeskRouting(
        id=desk.id,
        dialled=desk.dialled,
        service_codes=tuple(desk.service_codes),
        language=desk.languages[0],
        operator=desk.menu.operator,
        operator_queue=str(operator.queue),
        operator_wait_s=_FALLBACK_WAIT_S,
        outside=desk.outside,
        departments=tuple(_department(desk, name) for name in desk.departments),
        transfers={
            **{name: name for name in desk.departments},
            **desk.service_codes,
            **dict.fromkeys(desk.dialled, desk.menu.operator),
        },
    )


def _department(desk: Desk, name: str) -> DepartmentRouting:
    department = desk.departments[name]
    if department.queue is not None:
        return DepartmentRouting(id=name, queue=department.queue, seconds=desk.queues[department.queue].max_wait_s)
    outside = [number for phone in department.phones if isinstance(number := desk.number_of(phone), str)]
    return DepartmentRouting(
        id=name,
        phones=tuple(phone for phone in department.phones if phone.isdigit()),
        outside=tuple(outside),
        seconds=department.ring_s,
    )


def queue_keys(desk: Desk, queue: Queue) -> tuple[str, ...]:
    """The keys that mean something to who waits in a queue of the desk."""
    return (*((CALLBACK_KEY,) if queue.callback is not None else ()), FOLLOW_KEY, *desk.menu.languages)


def _callback_rules(desks: Desks) -> Iterator[CallbackRules]:
    for desk in desks.values():
        for queue in desk.queues.values():
            if queue.callback is not None:
                yield queue.callback


def _fixed_prompts(desks: Desks, sounds: Sounds) -> FixedPrompts:
    main = desks.main
    return FixedPrompts(
        not_in_service=sounds.fixed(main.id, "not-in-service", main.languages[0]),
        technician_login=sounds.fixed(main.id, "technician-login", main.languages[0]),
        waiting={
            language: sounds.fixed(desk.id, "queue-patience", language)
            for desk in reversed(list(desks.values()))
            for language in desk.languages
        },
        tracing={
            (what, language): sounds.fixed(main.id, what, language)
            for what in (
                "trace-thanks",
                "trace-received",
                "trace-reference",
                "trace-follow-up",
                "trace-none-away",
                "trace-in-call",
                "call-recorded",
                "page-away",
                "take-call",
                "technician-unregistered",
                "technician-unreachable",
            )
            for language in main.languages
        },
        not_allowed=sounds.fixed(main.id, "not-allowed", main.languages[0]),
        no_way_out=sounds.fixed(main.id, "no-way-out", main.languages[0]),
        fallback={
            (desk.id, what, language): sounds.fixed(desk.id, f"fallback-{what}", language)
            for desk in desks.values()
            for what in ("queue", "message", "again", "received", "nothing", "settled")
            for language in desk.languages
        },
    )


def line_secrets(state: Path) -> dict[str, str]:
    """The passwords between our own processes: made once, readable by the owner only."""
    path = state / "secrets.json"
    kept = _kept(path)
    known: dict[str, str] = json.loads(kept) if kept is not None else {}
    if missing := [name for name in _SECRETS if name not in known]:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        _keep(path, json.dumps(known))
    return known


def _kept(path: Path) -> str | None:
    if path.exists():
        return path.read_text().strip()
    return None


def _keep(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text + "\n")
