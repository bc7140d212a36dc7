"""What Asterisk's configuration is rendered from: phones, desks, queues and streams, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
        """Return where its calls begin."""
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
