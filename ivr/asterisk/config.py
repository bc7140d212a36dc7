"""Renders Asterisk's configuration from the desk files, the directory and the settings.

The templates in `dialplan/` read as Asterisk's own files. What goes into them is checked here against
strict patterns first: a name with a bracket or a line break would otherwise become configuration.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.asterisk import guard
from ivr.asterisk.admission import carried, is_one_address, limits_of
from ivr.asterisk.contacts import CONTACT_REST, elsewhere
from ivr.asterisk.folders import FixedPrompts, Folders, link_to
from ivr.asterisk.modules import DEFAULTED, MODULES
from ivr.asterisk.routing import DeskRouting, HeldStream, OutsideMember, PhoneAccount, QueueConfig
from ivr.asterisk.runtime import Runtime
from ivr.errors import OmnivigilError
from ivr.host import descriptors
from ivr.outside_staff import CONTEXT as OUTSIDE_CONTEXT
from ivr.settings import Settings
from ivr.trunks import Trunk, endpoints, is_trunk

TEMPLATES = Path(__file__).parents[2] / "dialplan"

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


#: So long after the start of Asterisk, in seconds, a queue is joined again whose technicians' phones are not there yet.
PHONES_KNOWN_S = 15


#: Whoever a call is transferred to is rung for so long, in seconds, and as long again whoever transferred it.
TRANSFER_RING_S = 20


@dataclass(frozen=True, kw_only=True)
class LineConfiguration:
    """All that a line's configuration is rendered from."""

    settings: Settings
    runtime: Runtime
    secrets: Mapping[str, str]
    desks: Sequence[DeskRouting]
    queues: Sequence[QueueConfig]
    phones: Sequence[PhoneAccount]
    outside_members: Sequence[OutsideMember] = ()
    prompts: FixedPrompts
    trunks: Sequence[Trunk]
    callback_ring_s: int
    #: Patterns of numbers outside, by the right that dials them.
    outside: Mapping[str, Sequence[str]]
    premium: Sequence[str]
    trace_within_s: int
    record_calls: bool = False
    streams: Sequence[HeldStream] = ()
    strict_rtp: bool = True


def render(line: LineConfiguration) -> frozenset[str]:
    """Write the configuration's files that differ from what is there; their names.

    A running Asterisk is told to read them again by `ivr.asterisk.reload`; until then they are `unread`. Raises
    UnsafeConfiguration, BadInput for limits of calls, and OSError of a full disk, with every file as it was before.
    """
    _check(
        desks=line.desks,
        queues=line.queues,
        phones=line.phones,
        outside_members=line.outside_members,
        trunk_hosts=[one.host for one in line.trunks],
        streams=line.streams,
    )
    folders = Folders.below(line.settings)
    folders.make(line.runtime)
    _link_fallback(folders.sounds, line.prompts)
    _link_waiting(folders.sounds, line.prompts)
    for stream in line.streams:
        _write_program(folders.run / f"{stream.name}.stream", stream.command)
    # Here and not above: what only wants to know the folders, and stays, does without it.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - these are Asterisk's files, and every value was checked above
    )
    values = _of_machine(line, folders) | _of_calls(line)
    texts = {
        template.name.removesuffix(".j2"): environment.get_template(template.name).render(values)
        for template in sorted(TEMPLATES.glob("*.conf.j2"))
    }
    return _write_all(folders.etc, {**DEFAULTED, **texts})


def _of_machine(line: LineConfiguration, folders: Folders) -> dict[str, Any]:
    """Return what templates say of the machine: folders, addresses, limits, secrets."""
    settings = line.settings
    return {
        "runtime": line.runtime,
        "etc": folders.etc,
        "home": folders.home,
        "run": folders.run,
        "log": folders.log,
        "messages": folders.messages,
        "sounds": folders.sounds,
        "systemname": "ov",
        "default_language": line.desks[0].language,
        "modules": (*MODULES, "app_mixmonitor", "bridge_builtin_interval_features") if line.record_calls else MODULES,
        "rtp_first": settings.rtp[0],
        "rtp_last": settings.rtp[1],
        "strict_rtp": line.strict_rtp,
        # What the guard keeps away would end an Asterisk that rewrites contacts.
        "guarded": line.runtime.preloads and guard.is_available(folders.run),
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
        "agi_secret": line.secrets["agi"],
        "sip": settings.sip,
        "on_air": settings.on_air,
        "hep": settings.hep_collector,
        "hep_secret": line.secrets["hep"],
        "traces": folders.traces,
        "put_through": folders.put_through,
        "begun": folders.begun,
        "recordings": folders.recordings,
        "accounts": _accounts(line.secrets),
    }


def _of_calls(line: LineConfiguration) -> dict[str, Any]:
    """Return what templates say of calls: desks, queues, phones and what may be dialled."""
    settings = line.settings
    return {
        "carriers": endpoints(line.trunks),
        "callback_ring_s": line.callback_ring_s,
        "endpoints": line.phones,
        # Without a way out Asterisk takes them for invalid, and no caller waits for them.
        "outside_members": line.outside_members if settings.outbound else (),
        "outside_context": OUTSIDE_CONTEXT,
        "queues": line.queues,
        "desks": line.desks,
        "streams": line.streams,
        "not_in_service": line.prompts.not_in_service,
        "technician_login": line.prompts.technician_login,
        "not_allowed": line.prompts.not_allowed,
        "no_way_out": line.prompts.no_way_out,
        "outside": line.outside,
        "premium": line.premium,
        "outbound": settings.outbound,
        "contact_rest": CONTACT_REST,
        "elsewhere": elsewhere(
            sip=settings.sip, outbound=settings.outbound, trunk_hosts=[one.host for one in line.trunks]
        ),
        "dids": _dids(line.phones),
        "transfers": _transfers(line.desks, line.phones),
        "transfer_ring_s": TRANSFER_RING_S,
        "contexts": {phone.context: phone for phone in line.phones if phone.rights},
        "phones_known_s": PHONES_KNOWN_S,
        "trace_within_s": line.trace_within_s,
        "record_calls": line.record_calls,
        "desk_operator_code": line.desks[0].service_codes[0] if line.desks[0].service_codes else "",
        # A second and a quarter of 8 kHz, 16-bit audio. Of a silence, Record leaves a second: nothing was said.
        "shortest_message_bytes": 20000,
    }


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
            link_to(folder / f"{name}.{extension}", Path(f"{sound}.{extension}"))


def _link_waiting(sounds: Path, prompts: FixedPrompts) -> None:
    """What a queue announces where the service has written nothing; and to held places, next to nothing."""
    for language, sound in prompts.waiting.items():
        folder = sounds / f"{language}_ov"
        folder.mkdir(parents=True, exist_ok=True)
        for file in WAITING:
            link_to(folder / f"{file}.ulaw", Path(f"{sound}.ulaw"))
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
