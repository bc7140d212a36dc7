"""The menu, as a conversation: what is said, what is pressed, where the call goes. Pure.

A generator yields what to say and is sent the key that was pressed; the AGI script speaks it on a call,
`hear` writes it down, tests press anything. It always ends at a Destination: never at a hang-up (OV-4).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ivr.desk.hours import Calendar
from ivr.desk.schema import Department, Desk
from ivr.desk.spoken import opening_phrase


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt by its id, with what fills its {variables}."""

    id: str
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Say the prompts, any of which a key cuts short, then wait `wait_s` seconds for a key."""

    prompts: tuple[Prompt, ...]
    language: str
    wait_s: float


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Something the timeline should tell; nothing is said."""

    what: str
    facts: Mapping[str, str] = field(default_factory=dict)


Step = Ask | Decided


@dataclass(frozen=True, kw_only=True)
class Caller:
    """What is known of the caller before a word is said (OV-3)."""

    number: str | None
    #: Remembered from an earlier call, or the phone's owner's (OV-4).
    language: str | None
    #: The phone's account, proven by its registration (OV-2).
    registered_phone: str | None
    known: bool


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where the call goes; with `queue` for a queue, `phones` and `ring_s` for phones that ring together."""

    kind: Literal["queue", "ring", "message"]
    department: str
    language: str
    queue: str | None = None
    phones: tuple[str, ...] = ()
    ring_s: int = 0
    #: An emergency out of hours (OV-7).
    urgent: bool = False
    reason: str = ""


Conversation = Generator[Step, str | None, Destination]

#: More keys than this in one menu are a machine's or a child's; a person sorts it out.
_MOST_STEPS = 40


def line(
    desk: Desk, calendars: Mapping[str, Calendar], caller: Caller, dialled: str, now: Callable[[], datetime]
) -> Conversation:
    """One call on this desk. `calendars` are per department; `now` is asked when hours matter."""
    return _Call(desk, calendars, caller, now).run(dialled)


class _Call:
    """The state of one conversation: its language, and how often it was not understood."""

    def __init__(
        self, desk: Desk, calendars: Mapping[str, Calendar], caller: Caller, now: Callable[[], datetime]
    ) -> None:
        self._desk = desk
        self._calendars = calendars
        self._caller = caller
        self._now = now
        self._language = caller.language if caller.language in desk.languages else desk.languages[0]
        self._steps = 0

    def run(self, dialled: str) -> Conversation:
        service = self._desk.service_codes.get(dialled)
        if service is not None and self._caller.registered_phone is not None:
            yield Decided(what="service-code", facts={"code": dialled, "department": service})
            return (yield from self._department(service, greet=True))
        menu = self._desk.menu
        prompts: tuple[str, ...] = ("welcome", *(("language-offer",) if menu.languages else ()), "menu")
        for attempt in range(1, menu.attempts + 1):
            key = yield from self._ask(*prompts, wait_s=menu.wait_s)
            if key == menu.operator_key:
                return (yield from self._operator("asked"))
            if key is not None and key in menu.keys:
                yield Decided(what="department", facts={"department": menu.keys[key], "key": key})
                return (yield from self._department(menu.keys[key]))
            prompts = ("no-answer" if key is None else "invalid", "menu")
            yield Decided(what="not-understood", facts={"key": key or "", "attempt": str(attempt)})
        return (yield from self._operator("not-understood"))

    def _ask(self, *prompts: str, wait_s: float, **variables: str) -> Generator[Step, str | None, str | None]:
        """Say and wait; the repeat and language keys are dealt with here, at any moment (OV-4)."""
        menu = self._desk.menu
        said = prompts
        while self._steps < _MOST_STEPS:
            self._steps += 1
            spoken = tuple(self._prompt(prompt, **variables) for prompt in said)
            key = yield Ask(prompts=spoken, language=self._language, wait_s=wait_s)
            if key is not None and key in menu.languages:
                self._language = self._other(menu.languages[key])
                yield Decided(what="language", facts={"language": self._language})
            elif key != menu.repeat:
                return key
            # Said again: without the greeting and without the complaint, which were heard.
            said = prompts[-1:]
        return None

    def _other(self, language: str) -> str:
        """The language its key leads to; pressed once more, it leads back."""
        return self._desk.languages[0] if self._language == language else language

    def _prompt(self, prompt: str, **variables: str) -> Prompt:
        values = dict(variables)
        department = values.pop("department", None)
        if department is not None:
            values["department"] = self._desk.departments[department].name[self._language]
            opening = self._calendars[department].next_opening(self._now())
            if opening is not None:
                values["opening"] = opening_phrase(opening, self._now(), self._language)
        return Prompt(id=prompt, variables=tuple(sorted(values.items())))

    def _operator(self, why: str) -> Conversation:
        operator = self._desk.menu.operator
        yield Decided(what="operator", facts={"why": why})
        return (yield from self._department(operator, reason=f"operator-{why}", to_human=True))

    def _department(
        self, name: str, *, reason: str = "chosen", greet: bool = False, to_human: bool = False
    ) -> Conversation:
        department = self._desk.departments[name]
        if self._calendars[name].is_open(self._now()):
            return (yield from self._open(name, department, reason=reason, to_human=to_human))
        yield Decided(what="closed", facts={"department": name})
        return (yield from self._closed(name, department, reason=reason))

    def _open(self, name: str, department: Department, *, reason: str, to_human: bool) -> Conversation:
        prompt = "transfer-human" if to_human else "queue-wait" if department.queue else "ringing-department"
        key = yield from self._ask(prompt, wait_s=0, **({} if department.queue else {"department": name}))
        if key == self._desk.menu.operator_key and name != self._desk.menu.operator:
            return (yield from self._operator("asked"))
        return Destination(
            kind="queue" if department.queue else "ring",
            department=name,
            language=self._language,
            queue=department.queue,
            phones=department.phones,
            ring_s=department.ring_s,
            reason=reason,
        )

    def _closed(self, name: str, department: Department, *, reason: str) -> Conversation:
        """Out of hours: the hours and the next opening are said, then a message may be left (OV-7, OV-8)."""
        emergency = department.closed == "emergency"
        prompts = ["closed-emergency"] if emergency else ["closed-hours", "closed-department"]
        if self._calendars[name].next_opening(self._now()) is None:
            prompts[-1] += "-no-opening"
        key = yield from self._ask(*prompts, wait_s=self._desk.menu.wait_s if emergency else 0, department=name)
        if key == self._desk.menu.operator_key and name != self._desk.menu.operator:
            return (yield from self._operator("asked"))
        # In doubt it is an emergency: the caller who presses nothing may not be able to (OV-7).
        urgent = emergency and key != "2"
        return Destination(
            kind="message",
            department=name,
            language=self._language,
            urgent=urgent,
            reason=f"closed-{reason}" if not emergency else f"closed-{'emergency' if urgent else 'ordinary'}-{reason}",
        )
