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
from ivr.desk.schema import Desk
from ivr.desk.spoken_time import opening_phrase


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


@dataclass(frozen=True, kw_only=True)
class Follow:
    """The caller wants a text message at each stage of the incident (OV-27): whoever speaks asks for the number."""

    language: str


Step = Ask | Decided | Follow


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What is told before a queue: prompts, and whether a text message at its next stages is offered."""

    prompts: tuple[str, ...]
    follow: bool = False


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

#: What a telephone has.
KEYS = "0123456789*#"

#: A text's variables in a language.
Variables = Callable[[str], tuple[tuple[str, str], ...]]

#: More questions than this in one call are a machine's or a child's doing; a person sorts it out.
_MOST_ASKED = 40

#: Said from what the desk announces, and not from its texts.
ANNOUNCEMENT = "announcement"
ANNOUNCEMENT_BRIEF = "announcement-brief"
NORMAL = "services-operational"
#: To whoever is among those whom the incident affects, or is known not to be.
YOURS, OTHERS = "incident-yours", "incident-others"
_TOLD = (ANNOUNCEMENT, ANNOUNCEMENT_BRIEF, YOURS, OTHERS)
#: Pressed when a text message is offered before the queue.
FOLLOW_KEY = "1"
_FOLLOW_WAIT_S = 2.5
_RINGING = "ringing-department"


def line(
    desk: Desk,
    calendars: Mapping[str, Calendar],
    caller: Caller,
    dialled: str,
    now: Callable[[], datetime],
    announced: Callable[[], Announced | None] = lambda: None,
) -> Conversation:
    """One call on this desk. `calendars` are per department; `now` is asked when hours matter, and `announced`,
    what is announced, before a queue (OV-10)."""
    return _Call(desk, calendars, caller, now, announced).run(dialled)


class _Call:
    """The state of one conversation: its language, and how often something was asked."""

    def __init__(
        self,
        desk: Desk,
        calendars: Mapping[str, Calendar],
        caller: Caller,
        now: Callable[[], datetime],
        announced: Callable[[], Announced | None],
    ) -> None:
        self._desk = desk
        self._calendars = calendars
        self._caller = caller
        self._now = now
        self._announced = announced
        if caller.language in desk.languages:
            self._language = caller.language
        else:
            self._language = desk.languages[0]
        self._asked = 0

    def run(self, dialled: str) -> Conversation:
        service = self._desk.service_codes.get(dialled)
        if service is not None and self._caller.registered_phone is not None:
            yield Decided(what="service-code", facts={"code": dialled, "department": service})
            return (yield from self._department(service, reason="service-code", lead=("welcome",)))
        menu = self._desk.menu
        offer = ("language-offer",) if menu.languages else ()
        lead: tuple[str, ...] = ("welcome", *offer)
        for attempt in range(1, menu.attempts + 1):
            key = yield from self._ask("menu", lead=lead, way_back=offer, wait_s=menu.wait_s)
            if key == menu.operator_key:
                return (yield from self._operator("asked"))
            if key is not None and key in menu.keys:
                yield Decided(what="department", facts={"department": menu.keys[key], "key": key})
                return (yield from self._department(menu.keys[key]))
            lead = yield from self._not_understood(key, attempt)
        return (yield from self._operator("not-understood"))

    def _not_understood(self, key: str | None, attempt: int) -> Generator[Step, str | None, tuple[str, ...]]:
        """Return what to say before the question is asked again."""
        yield Decided(what="not-understood", facts={"key": key or "", "attempt": str(attempt)})
        return ("no-answer" if key is None else "invalid",)

    def _ask(
        self,
        *question: str,
        lead: tuple[str, ...] = (),
        way_back: tuple[str, ...] = (),
        wait_s: float,
        variables: Variables | None = None,
    ) -> Generator[Step, str | None, str | None]:
        """Say and wait; the repeat and language keys are dealt with here, at any moment (OV-4).

        `lead` is said once only: it has been heard when the question is asked again. But an announcement is said
        in each language. `way_back` follows the question when the language was changed, for those who did so by
        mistake.
        """
        menu = self._desk.menu
        said = (*lead, *question)
        while self._asked < _MOST_ASKED:
            self._asked += 1
            filled = variables(self._language) if variables is not None else ()
            prompts = tuple(Prompt(id=prompt, variables=_of(prompt, filled)) for prompt in said)
            key = yield Ask(prompts=prompts, language=self._language, wait_s=wait_s)
            if key is not None and key in menu.languages:
                self._language = self._other(menu.languages[key])
                yield Decided(what="language", facts={"language": self._language})
                said = (*(one for one in lead if one in _TOLD), *question, *way_back)
            elif key == menu.repeat:
                said = question
            else:
                return key
        return None

    def _other(self, language: str) -> str:
        """The language its key leads to; pressed once more, it leads back."""
        if self._language == language:
            return self._desk.languages[0]
        return language

    def _operator(self, why: str) -> Conversation:
        yield Decided(what="operator", facts={"why": why})
        return (yield from self._department(self._desk.menu.operator, reason=f"operator-{why}", to_human=True))

    def _department(
        self, name: str, *, reason: str = "chosen", lead: tuple[str, ...] = (), to_human: bool = False
    ) -> Conversation:
        # One moment for the whole decision: the desk may open while its being closed is said.
        at = self._now()
        calendar = self._calendars[name]
        queued = self._desk.departments[name].queue is not None
        announced = self._announced() if queued else None
        if announced is not None:
            # The very first thing, even before a welcome, and when the desk is closed too.
            yield Decided(what="announcement", facts={"department": name, "prompts": " ".join(announced.prompts)})
            lead = announced.prompts
        if announced is not None and announced.follow:
            key = yield from self._ask("incident-follow", lead=lead, wait_s=_FOLLOW_WAIT_S)
            lead = ()
            if self._wants_human(key, name):
                return (yield from self._operator("asked"))
            if key == FOLLOW_KEY:
                yield Follow(language=self._language)
        if calendar.is_open(at):
            ringing = "queue-wait" if queued else _RINGING
            prompt = "transfer-human" if to_human else ringing
            prompts = (prompt, NORMAL) if queued and announced is None else (prompt,)
            return (yield from self._open(name, *prompts, lead=lead, reason=reason))
        opening = calendar.next_opening(at)
        yield Decided(what="closed", facts={"department": name, "opening": opening.isoformat() if opening else ""})

        def variables(language: str) -> tuple[tuple[str, str], ...]:
            named = ("department", self._desk.departments[name].name[language])
            if opening:
                return (named, ("opening", opening_phrase(opening, at, language)))
            return (named,)

        suffix = "" if opening is not None else "-no-opening"
        if self._desk.departments[name].closed == "emergency":
            return (yield from self._closed_but_for_emergencies(name, suffix, variables, lead=lead, reason=reason))
        return (yield from self._closed(name, suffix, variables, lead=lead, reason=reason))

    def _open(self, name: str, *prompts: str, lead: tuple[str, ...], reason: str) -> Conversation:
        department = self._desk.departments[name]
        key = yield from self._ask(
            *prompts, lead=lead, wait_s=0, variables=lambda language: (("department", department.name[language]),)
        )
        if self._wants_human(key, name):
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

    def _closed(
        self, name: str, suffix: str, variables: Variables, *, lead: tuple[str, ...], reason: str
    ) -> Conversation:
        """The hours and the next opening, then a message may be left (OV-8)."""
        if self._desk.departments[name].hours is None:
            hours = "closed-hours"
        else:
            hours = f"closed-hours-{name}"
        key = yield from self._ask(hours, f"closed-department{suffix}", lead=lead, wait_s=0, variables=variables)
        if self._wants_human(key, name):
            return (yield from self._operator("asked"))
        return Destination(kind="message", department=name, language=self._language, reason=f"closed-{reason}")

    def _closed_but_for_emergencies(
        self, name: str, suffix: str, variables: Variables, *, lead: tuple[str, ...], reason: str
    ) -> Conversation:
        """1: an emergency, taken within 30 minutes; 2: anything else, at the next opening (OV-7)."""
        menu = self._desk.menu
        # In doubt it is an emergency: who presses nothing may not be able to.
        urgent = True
        for attempt in range(1, menu.attempts + 1):
            key = yield from self._ask(f"closed-emergency{suffix}", lead=lead, wait_s=menu.wait_s, variables=variables)
            if self._wants_human(key, name):
                return (yield from self._operator("asked"))
            urgent = key != "2"
            if key in (None, "1", "2", menu.operator_key):
                break
            lead = yield from self._not_understood(key, attempt)
        yield Decided(what="message", facts={"urgency": "urgent" if urgent else "ordinary"})
        reason = f"closed-{'emergency' if urgent else 'ordinary'}-{reason}"
        return Destination(kind="message", department=name, language=self._language, urgent=urgent, reason=reason)

    def _wants_human(self, key: str | None, department: str) -> bool:
        """Return whether `key` asks for a person who is somewhere else than in `department`."""
        return key == self._desk.menu.operator_key and department != self._desk.menu.operator


def _of(prompt: str, filled: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return what of `filled` the prompt may say; a sound is looked up by these."""
    if prompt.startswith("closed-") or prompt == _RINGING:
        return filled
    return ()
