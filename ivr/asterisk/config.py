"""Renders Asterisk's configuration from the desk files, the directory and the settings.

The templates in `dialplan/` read as Asterisk's own files. What goes into them is checked here against
strict patterns first: a name with a bracket or a line break would otherwise become configuration.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivr.asterisk import guard
from ivr.asterisk.admission import carried, is_one_address, limits_of
from ivr.asterisk.contacts import CONTACT_REST, elsewhere
from ivr.asterisk.runtime import Runtime
from ivr.errors import OmnivigilError
from ivr.host import descriptors
from ivr.outside_staff import CONTEXT as OUTSIDE_CONTEXT
from ivr.settings import Settings
from ivr.trunks import Trunk, endpoints, is_trunk

TEMPLATES = Path(__file__).parents[2] / "dialplan"

#: Loaded in this order; nothing else is.
MODULES = (
    "res_timing_timerfd",
    "res_crypto",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_rtp_asterisk",
    "res_pjsip_sdp_rtp",
    "res_pjsip_authenticator_digest",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_registrar",
    "res_pjsip_caller_id",
    "res_pjsip_nat",
    "res_pjsip_refer",
    "res_pjsip_dlg_options",
    "res_pjsip_empty_info",
    "res_pjsip_dtmf_info",
    "res_pjsip_header_funcs",
    "res_pjsip_rfc3326",
    "res_pjsip_logger",
    "res_hep",
    "res_hep_pjsip",
    "res_hep_rtcp",
    "chan_pjsip",
    "codec_ulaw",
    "codec_alaw",
    "codec_a_mu",
    "codec_g722",
    "codec_resample",
    "format_pcm",
    "format_sln",
    "format_wav",
    "bridge_simple",
    "bridge_native_rtp",
    "bridge_softmix",
    "bridge_holding",
    "bridge_builtin_features",
    "res_musiconhold",
    "res_speech",
    "res_agi",
    "res_security_log",
    "res_clioriginate",
    "app_stack",
    "app_exec",
    "app_playback",
    "app_read",
    "app_record",
    "app_softhangup",
    "app_dial",
    "app_queue",
    "app_userevent",
    "app_verbose",
    "func_callerid",
    "func_cdr",
    "func_channel",
    "func_cut",
    "func_db",
    "func_env",
    "func_groupcount",
    "func_logic",
    "func_pjsip_aor",
    "func_pjsip_contact",
    "func_strings",
    "func_timeout",
    "pbx_config",
    "res_cdrel_custom",
    "cdr_custom",
)

#: Files that Asterisk complains about when absent, and whose defaults we want.
DEFAULTED = {
    "acl.conf": "",
    "ccss.conf": "[general]\n",
    "cel.conf": "[general]\nenable = no\n",
    "features.conf": "[general]\n",
    "indications.conf": "[general]\ncountry = ca\n\n[ca]\ndescription = Canada\nringcadence = 2000,4000\n"
    "dial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
    "pjproject.conf": "",
    "queuerules.conf": "",
    # Told before and after every AGI command, and read by nobody. The manager does not start without those of channels.
    "stasis.conf": "[threadpool]\ninitial_size = 5\n\n[declined_message_types]\n"
    "decline = agi_exec_start_type\ndecline = agi_exec_end_type\n",
    "udptl.conf": "[general]\n",
}

#: The events the service reads; Asterisk is told to send it no others.
SERVICE_EVENTS = (
    "FullyBooted",
    "QueueCallerJoin",
    "QueueCallerLeave",
    "QueueCallerAbandon",
    "AgentCalled",
    "AgentConnect",
    "AgentComplete",
    "AgentRingNoAnswer",
    "QueueMemberAdded",
    "QueueMemberRemoved",
    "QueueMemberPause",
    "QueueMemberStatus",
    "DialBegin",
    "DialEnd",
    "Hangup",
    "UserEvent",
    "AttendedTransfer",
    "ContactStatus",
)

#: What a queue plays in turn to who waits; each caller may have files of their own by these names.
WAITING = ("ov-wait", "ov-offer")

#: Names the files that Asterisk has not read since they were written, so that a crash of ours loses none.
_UNREAD = "unread"

#: As `dialplan/pjsip.conf.j2` writes a phone's account.
_CREDENTIALS = re.compile(r"^username = (\S+)\nrealm = omnivigil\nmd5_cred = (\S+)$", re.MULTILINE)

#: What may be written into a configuration file between delimiters.
_PLAIN = re.compile(r"[A-Za-z0-9_./:*@+&\[\]-]*")
#: A phone's account: what tells channels, trunks and routes apart in a dial string is no part of it.
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
#: Sections of pjsip.conf that are not phones.
_RESERVED = frozenset({"global", "system", "udp", "tcp", "trunk", "outbound", "phone", "registration"})
_DISPLAY = re.compile(r'[^\x00-\x1f"<>\[\]\\;]*')


class UnsafeConfiguration(OmnivigilError):
    """A value would change the meaning of Asterisk's configuration."""


@dataclass(frozen=True, kw_only=True)
class PhoneAccount:
    """One SIP account. `ha1` is MD5(name:omnivigil:password) in hex (RFC 2617 section 3.2.2.2)."""

    name: str
    ha1: str
    #: customer, technician or department; decides what may be dialled.
    kind: str
    language: str
    display: str
    caller_id: str
    #: Names of the outside contexts it may use, as in `local`.
    rights: tuple[str, ...] = ()
    #: Its number for the outside, E.164 digits; empty for none.
    did: str = ""
    #: Empty for the line's own choice.
    codecs: tuple[str, ...] = ()
    #: udp or tcp, by which it is rung; empty for that by which it registered.
    transport: str = ""
    #: Calls that it makes at a time; None for as many as any phone.
    call_limit: int | None = None
    #: Places where it is registered at a time.
    devices: int = 2

    @property
    def context(self) -> str:
        """Where its calls begin."""
        return "-".join((f"from-{self.kind}", *self.rights))


@dataclass(frozen=True, kw_only=True)
class DepartmentRouting:
    """How a department is reached without the service: its queue, or what rings for so many seconds."""

    id: str
    queue: str = ""
    phones: tuple[str, ...] = ()
    #: E.164 digits.
    outside: tuple[str, ...] = ()
    seconds: int


@dataclass(frozen=True, kw_only=True)
class DeskRouting:
    """What the dialplan needs of a desk when the service is away, and to know its calls."""

    id: str
    #: Every way its number may be dialled: digits only.
    dialled: tuple[str, ...]
    service_codes: tuple[str, ...]
    language: str
    #: The department, queue and wait in seconds that lead to a person.
    operator: str
    operator_queue: str
    operator_wait_s: int
    #: Numbers outside that its departments ring, E.164 digits.
    outside: tuple[str, ...] = ()
    departments: tuple[DepartmentRouting, ...] = ()
    #: What a call may be transferred to by this name or number: a department.
    transfers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutsideMember:
    """Somebody who answers queues on a telephone that is none of ours."""

    #: What queues call them (`ivr.outside_staff`).
    endpoint: str
    #: E.164 digits, checked by `ivr.numbers.diallable`; and the number of ours that they see.
    number: str
    caller_id: str
    #: What they are spoken to in.
    language: str


@dataclass(frozen=True, kw_only=True)
class QueueConfig:
    """One app_queue; times in seconds."""

    id: str
    strategy: str
    ring_s: int
    retry_s: int
    wrapup_s: int
    #: Between two announcements of the caller's place.
    announce_s: int
    #: The keys that lead out of it.
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HeldStream:
    """A music class that one program of ours makes for all who wait: its name, and the program's arguments."""

    name: str
    command: tuple[str, ...]


#: So long after the start of Asterisk, in seconds, a queue is joined again whose technicians' phones are not there yet.
PHONES_KNOWN_S = 15


#: Whoever a call is transferred to is rung for so long, in seconds, and as long again whoever transferred it.
TRANSFER_RING_S = 20


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where one Asterisk keeps its things, below the state folder."""

    etc: Path
    home: Path
    run: Path
    log: Path
    messages: Path
    #: Call traces that were reported while the service was away.
    traces: Path
    #: Callbacks whose customer and technician were put through (`ivr.callbacks.bridged_markers`).
    put_through: Path
    #: Notes of the calls that began (`ivr.calls.unfinished`).
    begun: Path
    #: Calls that are recorded, where the desk file wants that.
    recordings: Path
    sounds: Path

    @classmethod
    def below(cls, settings: Settings) -> Folders:
        home = settings.state / "asterisk"
        return cls(
            etc=home / "etc",
            home=home,
            run=settings.state / "run",
            log=settings.state / "log" / "asterisk",
            messages=settings.spool / "messages",
            traces=settings.spool / "reported",
            put_through=settings.spool / "put-through",
            begun=settings.spool / "begun",
            recordings=settings.spool / "recordings",
            sounds=settings.sounds,
        )

    def make(self, runtime: Runtime) -> None:
        """Create the folders, and the data folder whose links lead to the runtime's documentation and voices."""
        spool = (self.messages, self.traces, self.put_through, self.begun, self.recordings)
        folders = (self.etc, self.run, self.log, *spool, self.sounds)
        below_home = ("lib/keys", "data", "agi", "spool/outgoing", "spool/tmp")
        for folder in (*folders, *(self.home / name for name in below_home), self.log / "cdr-custom"):
            folder.mkdir(parents=True, exist_ok=True)
        voices = {"fr": "fr_CA_f_June", "en": "en_US_f_Allison"}
        for name in ("documentation", "rest-api"):
            _link(self.home / "data" / name, runtime.data / name)
        _link(self.home / "data" / "sounds", self.sounds)
        for language, voice in voices.items():
            _link(self.sounds / language, runtime.core_sounds / voice)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


@dataclass(frozen=True, kw_only=True)
class FixedPrompts:
    """Sound files (absolute, without extension) that the dialplan plays by itself."""

    not_in_service: str
    technician_login: str
    #: By language, what a queue announces without the service.
    waiting: Mapping[str, str]
    not_allowed: str
    #: By name and language: what phones hear from the dialplan alone, of *57, recording, a page call and *22.
    tracing: Mapping[tuple[str, str], str]
    no_way_out: str
    #: (desk id, `queue` | `message` | `received`, language) -> sound file.
    fallback: Mapping[tuple[str, str, str], str]


def render(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    *,
    settings: Settings,
    runtime: Runtime,
    secrets: Mapping[str, str],
    desks: Sequence[DeskRouting],
    queues: Sequence[QueueConfig],
    phones: Sequence[PhoneAccount],
    outside_members: Sequence[OutsideMember] = (),
    prompts: FixedPrompts,
    trunks: Sequence[Trunk],
    callback_ring_s: int,
    outside: Mapping[str, Sequence[str]],
    premium: Sequence[str],
    trace_within_s: int,
    record_calls: bool = False,
    streams: Sequence[HeldStream] = (),
    strict_rtp: bool = True,
) -> frozenset[str]:
    """Write the configuration's files that differ from what is there; their names.

    A running Asterisk is told to read them again by `ivr.asterisk.reload`; until then they are `unread`. Raises
    UnsafeConfiguration, BadInput for limits of calls, and OSError of a full disk, with every file as it was before.
    """
    trunk_hosts = [one.host for one in trunks]
    _check(
        desks=desks,
        queues=queues,
        phones=phones,
        outside_members=outside_members,
        trunk_hosts=trunk_hosts,
        streams=streams,
    )
    folders = Folders.below(settings)
    folders.make(runtime)
    _link_fallback(folders.sounds, prompts)
    _link_waiting(folders.sounds, prompts)
    for stream in streams:
        _write_program(folders.run / f"{stream.name}.stream", stream.command)
    values: dict[str, Any] = {
        "runtime": runtime,
        "etc": folders.etc,
        "home": folders.home,
        "run": folders.run,
        "log": folders.log,
        "messages": folders.messages,
        "sounds": folders.sounds,
        "systemname": "ov",
        "default_language": desks[0].language,
        "modules": (*MODULES, "app_mixmonitor", "bridge_builtin_interval_features") if record_calls else MODULES,
        "rtp_first": settings.rtp[0],
        "rtp_last": settings.rtp[1],
        "strict_rtp": strict_rtp,
        # What the guard keeps away would end an Asterisk that rewrites contacts.
        "guarded": runtime.preloads and guard.is_available(folders.run),
        "limits": limits_of(
            settings.rtp,
            carried=carried(descriptors=descriptors.limit(), processors=len(os.sched_getaffinity(0))),
            calls=settings.calls,
            source=settings.calls_per_source,
            phone=settings.calls_per_phone,
            one_trunk=is_one_address([one.host for one in settings.trunks]),
        ),
        "rtp_timeout_s": settings.rtp_timeout_s,
        "ami": settings.ami,
        "agi": settings.agi,
        "agi_secret": secrets["agi"],
        "sip": settings.sip,
        "carriers": endpoints(trunks),
        "callback_ring_s": callback_ring_s,
        "endpoints": phones,
        # Without a way out Asterisk takes them for invalid, and no caller waits for them.
        "outside_members": outside_members if settings.outbound else (),
        "outside_context": OUTSIDE_CONTEXT,
        "queues": queues,
        "desks": desks,
        "streams": streams,
        "on_air": settings.on_air,
        "not_in_service": prompts.not_in_service,
        "technician_login": prompts.technician_login,
        "not_allowed": prompts.not_allowed,
        "no_way_out": prompts.no_way_out,
        "outside": outside,
        "premium": premium,
        "outbound": settings.outbound,
        "contact_rest": CONTACT_REST,
        "elsewhere": elsewhere(sip=settings.sip, outbound=settings.outbound, trunk_hosts=trunk_hosts),
        "hep": settings.hep_collector,
        "hep_secret": secrets["hep"],
        "dids": _dids(phones),
        "transfers": _transfers(desks, phones),
        "transfer_ring_s": TRANSFER_RING_S,
        "contexts": {phone.context: phone for phone in phones if phone.rights},
        "traces": folders.traces,
        "put_through": folders.put_through,
        "begun": folders.begun,
        "phones_known_s": PHONES_KNOWN_S,
        "trace_within_s": trace_within_s,
        "record_calls": record_calls,
        "recordings": folders.recordings,
        "desk_operator_code": desks[0].service_codes[0] if desks[0].service_codes else "",
        # A second and a quarter of 8 kHz, 16-bit audio. Of a silence, Record leaves a second: nothing was said.
        "shortest_message_bytes": 20000,
        "accounts": _accounts(secrets),
    }
    # Here and not above: whoever only wants to know the folders, and stays, does without it.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - these are Asterisk's files, and every value was checked above
    )
    texts = {
        template.name.removesuffix(".j2"): environment.get_template(template.name).render(values)
        for template in sorted(TEMPLATES.glob("*.conf.j2"))
    }
    return _write_all(folders.etc, {**DEFAULTED, **texts})


def _write_all(folder: Path, texts: Mapping[str, str]) -> frozenset[str]:
    """Write the files whose text is another than before, all of them or none; their names. Raises OSError."""
    written: dict[str, Path] = {}
    try:
        for name, text in texts.items():
            if _kept(folder / name) != text:
                written[name] = _write_beside(folder / name, text)
        if written:
            note_unread(folder, unread(folder) | written.keys())
    except OSError:
        for partial in written.values():
            partial.unlink(missing_ok=True)
        raise
    for name, partial in written.items():
        partial.replace(folder / name)
    return frozenset(written)


def unread(folder: Path) -> frozenset[str]:
    """The files of a configuration's folder that were written since Asterisk read them."""
    return frozenset((_kept(folder / _UNREAD) or "").split())


def note_unread(folder: Path, names: Iterable[str]) -> None:
    """Note what Asterisk has not read yet. Raises OSError."""
    if names := sorted(names):
        _write_private(folder / _UNREAD, "\n".join(names) + "\n")
    else:
        (folder / _UNREAD).unlink(missing_ok=True)


def secrets_of(folder: Path) -> dict[str, str]:
    """The digest of each phone's secret in the configuration that is there now (`PhoneAccount.ha1`)."""
    return dict(_CREDENTIALS.findall(_kept(folder / "pjsip.conf") or ""))


def _kept(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _dids(phones: Sequence[PhoneAccount]) -> dict[str, list[str]]:
    """The phones that ring for each number from the outside, the last one first: several on a shared line."""
    found: dict[str, list[str]] = {}
    for phone in phones:
        if phone.did:
            found.setdefault(phone.did, []).append(phone.name)
    return dict(sorted(found.items(), reverse=True))


def _transfers(desks: Sequence[DeskRouting], phones: Sequence[PhoneAccount]) -> dict[str, list[tuple[str, str]]]:
    """By the name or number of a department: the desks that have it, the main one first, and its id there."""
    found: dict[str, list[tuple[str, str]]] = {}
    for desk in desks:
        for name, department in desk.transfers.items():
            found.setdefault(name, []).append((desk.id, department))
    for phone in phones:
        found.pop(phone.name, None)
    return found


def _accounts(secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": "service",
            "secret": secrets["ami_service"],
            "read": "call,agent,system,user",
            "write": "agent,call,originate,reporting",
            "events": SERVICE_EVENTS,
        },
        {
            # Takes the callers of a dead service out of it.
            "name": "supervisor",
            "secret": secrets["ami_supervisor"],
            "read": "none",
            "write": "call,reporting",
            "events": (),
        },
        {
            # Only looks.
            "name": "witness",
            "secret": secrets["ami_witness"],
            "read": "call,agent,user",
            "write": "reporting",
            "events": (),
        },
    ]


def _check(
    *,
    desks: Sequence[DeskRouting],
    queues: Sequence[QueueConfig],
    phones: Sequence[PhoneAccount],
    outside_members: Sequence[OutsideMember] = (),
    trunk_hosts: Sequence[str],
    streams: Sequence[HeldStream] = (),
) -> None:
    plain = [
        *(text for d in desks for text in (d.id, d.language, d.operator, d.operator_queue)),
        *(text for d in desks for text in (*d.dialled, *d.service_codes, *d.outside, *d.transfers)),
        *(text for d in desks for one in d.departments for text in (one.id, one.queue, *one.phones, *one.outside)),
        *(text for q in queues for text in (q.id, q.strategy, *q.keys)),
        *(text for p in phones for text in (p.name, p.ha1, p.kind, p.language, p.caller_id, p.did, *p.rights)),
        *(text for p in phones for text in (p.transport, *p.codecs)),
        *(text for m in outside_members for text in (m.endpoint, m.number, m.caller_id, m.language)),
        *trunk_hosts,
        *(stream.name for stream in streams),
    ]
    for text in plain:
        if not _PLAIN.fullmatch(text):
            raise UnsafeConfiguration(value=repr(text), mend="letters, digits and _ . / : * @ + - only")
    for phone in phones:
        if not _ACCOUNT.fullmatch(phone.name) or phone.name.lower() in _RESERVED or is_trunk(phone.name.lower()):
            mend = f"letters, digits and _ . - only, 40 at most, and none of {', '.join(sorted(_RESERVED))}"
            raise UnsafeConfiguration(phone=repr(phone.name), mend=mend)
        if not _DISPLAY.fullmatch(phone.display):
            raise UnsafeConfiguration(value=repr(phone.display), mend="no quotes, brackets or control characters")


def _link_fallback(sounds: Path, prompts: FixedPrompts) -> None:
    """Give the prompts of the service-less dialplan names that it can put together by itself."""
    folder = sounds / "ov" / "fallback"
    folder.mkdir(parents=True, exist_ok=True)
    named = {f"{desk}-{what}-{language}": sound for (desk, what, language), sound in prompts.fallback.items()}
    named |= {f"{what}-{language}": sound for (what, language), sound in prompts.tracing.items()}
    for name, sound in named.items():
        for extension in ("ulaw", "alaw", "g722", "sln16"):
            _link(folder / f"{name}.{extension}", Path(f"{sound}.{extension}"))


def _link_waiting(sounds: Path, prompts: FixedPrompts) -> None:
    """What a queue announces where the service has written nothing; and to held places, next to nothing."""
    for language, sound in prompts.waiting.items():
        folder = sounds / f"{language}_ov"
        folder.mkdir(parents=True, exist_ok=True)
        for file in WAITING:
            _link(folder / f"{file}.ulaw", Path(f"{sound}.ulaw"))
    (sounds / "none").mkdir(exist_ok=True)
    for file in WAITING:
        (sounds / "none" / f"{file}.ulaw").write_bytes(b"\xff" * 160)


def _write_program(path: Path, command: Sequence[str]) -> None:
    """Something that Asterisk can start by a short name: it splits longer ones, and takes quotes for letters."""
    _write_private(path, f"#!/bin/sh\nexec {shlex.join(command)}\n")
    path.chmod(0o700)


def _write_private(path: Path, text: str) -> None:
    """Replace a file that may hold secrets, readable by its owner only, never half-written."""
    _write_beside(path, text).replace(path)


def _write_beside(path: Path, text: str) -> Path:
    """A new file beside `path`, of its owner only, and of this process: the line may be prepared while it runs."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.touch(mode=0o600, exist_ok=True)
        partial.chmod(0o600)
        partial.write_text(text, encoding="utf-8")
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return partial
