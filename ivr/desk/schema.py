"""What a desk file may say. `desks/desk.schema.json` is published from here for editors, by `ivr.desk.publish`."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from phonenumbers import SUPPORTED_REGIONS
from pydantic import Field, model_validator

from ivr.desk.fields import (
    OUTSIDE,
    CalendarFile,
    Country,
    Days,
    Dialled,
    Email,
    Holidays,
    Identifier,
    Incoherent,
    Key,
    Language,
    ListId,
    Name,
    Names,
    Part,
    Phone,
    ServiceCode,
    SpecialDay,
    Texts,
    Week,
)
from ivr.desk.oncall import OnCall, Person  # noqa: F401 - published with the desk
from ivr.desk.ticketing import Level, Routing, Ticketing, Times, ToPartner  # noqa: F401 - published with the desk
from ivr.numbers.diallable import ISLANDS, Refused, for_our_people

#: What a prompt's text may contain between braces; in every other prompt, nothing.
VARIABLES: Final = {
    "closed-hours": {"department"},
    "closed-department": {"department", "opening"},
    "closed-department-no-opening": {"department"},
    "closed-emergency": {"department", "opening"},
    "closed-emergency-no-opening": {"department"},
    "ringing-department": {"department"},
}

#: What a waiting caller presses to be called back (OV-9).
CALLBACK_KEY: Final = "1"
#: And to get a text message at each stage of an incident (OV-27).
FOLLOW_KEY: Final = "2"

#: Names that Asterisk's configuration has for something else.
_TAKEN_IDS = frozenset({"next", "queue", "ring", "message", "done", "general", "globals"})


class Department(Part):
    """One choice of the menu."""

    name: Names
    email: Email
    #: List-Ids of groups by which its e-mails come, as support.example.com: their marks of a list are no reason to
    #: leave an e-mail alone. A group that has the department's own address is known without.
    lists: Annotated[tuple[ListId, ...], Field(max_length=20)] = ()
    #: Where its calls wait for a technician; a department has this or phones.
    queue: Identifier | None = None
    #: Which of their `skills` in the directory technicians need to be rung first for its calls.
    skill: Identifier | None = None
    #: The phones that ring together; one outside, as tel:5145551234, by the trunk, and whoever answers it presses 1.
    phones: tuple[Phone, ...] = ()
    #: How long they ring, in seconds, before the caller may leave a message.
    ring_s: Annotated[int, Field(ge=5, le=120)] = 25
    #: Its own hours; without any, the desk's.
    hours: Week | None = None
    #: What a caller may leave out of hours: an emergency message that is taken at once, or an ordinary one.
    closed: Literal["emergency", "message"] = "message"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.queue is None) == (not self.phones):
            raise Incoherent("", "has both a queue and phones, or neither", "give it either a queue or phones")
        return self


class CallbackRules(Part):
    """Being called back while keeping one's place: when it is offered, and how it is carried out (OV-9)."""

    #: The technician answers first and hears the customer being dialled, or the customer is dialled first.
    mode: Literal["technician_first", "customer_first"] = "technician_first"
    #: Offered when so many wait, callers and held places together …
    waiting: Annotated[int, Field(ge=1, le=1000)] = 3
    #: … or when the wait is estimated at so many seconds …
    wait_s: Annotated[int, Field(ge=30, le=14_400)] = 300
    #: … and never with fewer technicians logged in than this.
    technicians: Annotated[int, Field(ge=1, le=1000)] = 1
    #: Times that a customer is dialled, seconds it rings, and seconds between the attempts.
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    ring_s: Annotated[int, Field(ge=10, le=60)] = 30
    pause_s: Annotated[int, Field(ge=5, le=7200)] = 300
    #: The request lapses after so many hours of the desk being open.
    open_hours: Annotated[float, Field(gt=0, le=80, allow_inf_nan=False)] = 8.0
    #: Countries (ISO 3166) whose geographic and mobile numbers may be called; none of the islands of +1.
    regions: Annotated[tuple[Country, ...], Field(min_length=1)] = ("CA", "US")
    #: Requests taken from one number, one customer and in all, per day.
    per_number: Annotated[int, Field(ge=1, le=100)] = 5
    per_customer: Annotated[int, Field(ge=1, le=1000)] = 20
    per_day: Annotated[int, Field(ge=1, le=100_000)] = 1000

    @model_validator(mode="after")
    def _callable(self) -> Self:
        for region in self.regions:
            if region in ISLANDS:
                problem = f"{region} is an island of +1, where numbers are never called"
                raise Incoherent(f"regions.{region}", problem, "remove it")
            if region not in SUPPORTED_REGIONS:
                raise Incoherent(
                    f"regions.{region}", f"there is no country {region}", "give its two letters (ISO 3166), as in CA"
                )
        return self


class Queue(Part):
    """One queue of app_queue."""

    strategy: Literal["ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear", "wrandom"] = "rrmemory"
    #: Seconds a technician's phone rings before the next one's.
    ring_s: Annotated[int, Field(ge=5, le=60)] = 20
    #: Seconds before the next round when nobody answered.
    retry_s: Annotated[int, Field(ge=1, le=30)] = 2
    #: So long, in seconds from joining on, only those who speak the caller's language and have the department's skill
    #: are rung, if any is on duty; then everybody.
    suited_s: Annotated[int, Field(ge=0, le=600)] = 20
    #: Seconds of rest for a technician after each call.
    wrapup_s: Annotated[int, Field(ge=0, le=600)] = 15
    #: After so many calls in a row that a technician declined, let ring, or could not be reached for, they have a break
    #: until they come back; 0 for never.
    misses: Annotated[int, Field(ge=0, le=20)] = 3
    #: Seconds before a technician who declined a call is rung again.
    declined_rest_s: Annotated[int, Field(ge=5, le=600)] = 30
    #: Minutes that the place is kept of a caller of whom nothing is heard any more: who calls again from the same
    #: number or phone takes it back. 0 for not at all.
    place_kept_min: Annotated[int, Field(ge=0, le=120)] = 15
    #: The longest wait, in seconds; then the caller may leave a message.
    max_wait_s: Annotated[int, Field(ge=30, le=14_400)] = 3600
    #: Seconds between two announcements of the caller's place and wait.
    announce_s: Annotated[int, Field(ge=10, le=600)] = 45
    #: A technician's usual time for a call, in seconds; the estimate rests on it until calls tell better.
    handling_s: Annotated[int, Field(ge=10, le=7200)] = 300
    #: Without it, no callback is offered.
    callback: CallbackRules | None = None


class AnnouncementHabits(Part):
    """How this desk tells the state of its services to those who wait."""

    #: Seconds of music between two times that it is said.
    every_s: Annotated[int, Field(ge=10, le=300)] = 30
    #: After so many hours an announcement is taken for forgotten, and whoever looks after it is reminded.
    stale_after_h: Annotated[float, Field(ge=0.25, le=168, allow_inf_nan=False)] = 4
    #: Who is reminded; without it, the department where the human is.
    ops_email: Email | None = None


class CallAudio(Part):
    """Recording phones' ordinary calls, of which both parties are told when it begins."""

    #: A reported call's recording is kept so many days; any other is erased when it cannot be reported any more.
    keep_days: Annotated[int, Field(ge=1, le=365)]


class CallTrace(Part):
    """*57, the report of a call that went badly."""

    #: Who is told, and whose tickets its reports become.
    department: Identifier
    #: A call can be reported this many minutes after its end.
    within_min: Annotated[int, Field(ge=1, le=120)] = 30
    #: The evidence of every call is kept in memory for this many minutes, or until that is full; then it is erased.
    evidence_min: Annotated[int, Field(ge=1, le=120)] = 30
    #: Without it, no call's audio is ever recorded.
    audio: CallAudio | None = None

    @model_validator(mode="after")
    def _evidence_of_what_is_reported(self) -> Self:
        if self.evidence_min < self.within_min:
            problem = f"a call can be reported {self.within_min} minutes after its end, when its evidence is erased"
            raise Incoherent("evidence_min", problem, f"give at least {self.within_min}, or less for within_min")
        return self


class Keeping(Part):
    """For how many days callers' personal data is kept; then it is erased, and only what happened stays."""

    #: Voice messages' recordings, and their callers' numbers.
    messages_days: Days = 90
    #: Who called, what they pressed and heard; numbers of callbacks.
    calls_days: Days = 365
    #: The evidence of calls that were reported with *57. What follows is asked of the first desk.
    traces_days: Days = 365
    #: What e-mails, text messages and webhooks said, and to whom; text messages that came in.
    notices_days: Days = 90
    #: E-mails that came in; what they said is on their tickets.
    mails_days: Days = 365
    #: Whose closed tickets were, and what was said in them. Three years: as long as who is owed something may sue
    #: (Civil Code of Québec, article 2925).
    tickets_days: Days = 1095
    #: Who listened to whose recording, and what was done with the console's accounts.
    listenings_days: Days = 1095
    #: Logs: the service's and Asterisk's, which name callers where a call was refused.
    logs_days: Days = 30


class Menu(Part):
    """What the keys do."""

    #: Key to department.
    keys: Annotated[dict[Key, Identifier], Field(min_length=1)]
    repeat: Key = "*"
    #: A human, at any moment.
    operator_key: Key = "0"
    #: The department where that human is.
    operator: Identifier
    #: Key to the language it switches to and back from.
    languages: dict[Key, Language] = {}
    #: Wrong or missing answers before the caller is given a person.
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    #: Seconds of silence after the menu that count as a missing answer.
    wait_s: Annotated[float, Field(ge=2, le=20, allow_inf_nan=False)] = 5.0


class Desk(Part):
    """One support desk on its own numbers."""

    id: Identifier
    name: Name
    #: Whether what the line has once follows this desk: its sounds, console, *57, recordings and periods. One desk's.
    main: bool = False
    #: The company whose customers it knows; several desks may be one company's.
    provider: Identifier = "main"
    timezone: Annotated[str, Field(examples=["America/Toronto"])]
    #: Country (ISO 3166) whose habits apply to a caller's number without country code.
    region: Country = "CA"
    #: As the network delivers them, E.164 without the plus sign.
    numbers: Annotated[tuple[Dialled, ...], Field(min_length=1)]
    #: Other ways to dial them, such as without the country code.
    aliases: tuple[Dialled, ...] = ()
    #: Short codes for registered phones, each leading straight to a department.
    service_codes: dict[ServiceCode, Identifier] = {}
    #: The first is spoken unless the caller is known to prefer another.
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    menu: Menu
    departments: Annotated[dict[Identifier, Department], Field(min_length=1)]
    #: Without it, the reports go to the menu's operator.
    trace: CallTrace | None = None
    queues: dict[Identifier, Queue] = {}
    keep: Keeping = Keeping()
    announcement: AnnouncementHabits = AnnouncementHabits()
    #: What incidents can touch, named as within a sentence (« la téléphonie »); the status page shows each.
    services: dict[Identifier, Names] = {}
    hours: Week
    holidays: Holidays | None = None
    exceptions: tuple[SpecialDay, ...] = ()
    #: iCalendar files (RFC 5545), relative to this one: whole-day events close the day, others their time.
    ical: tuple[CalendarFile, ...] = ()
    #: This desk's own prompts, over the common ones of `ivr/prompts/texts`.
    texts: dict[Identifier, Texts] = {}
    #: What who sends a text message is answered, once a day; {number} is the desk's. The first desk's is used.
    text_answer: Texts = {
        "fr": "Personne ne lit les textos à ce numéro. Appelez-nous au {number}.",
        "en": "Nobody reads texts to this number. Call us at {number}.",
    }
    #: Clocks, routing, rights and services of its tickets.
    tickets: Ticketing = Ticketing()
    #: Who is paged for emergencies out of hours; without it, nobody is.
    oncall: OnCall | None = None

    @property
    def dialled(self) -> tuple[str, ...]:
        """Every way to dial this desk, with digits only."""
        return (*self.numbers, *self.aliases)

    @property
    def outside(self) -> tuple[str, ...]:
        """The numbers outside that its departments ring, E.164 digits without the plus sign."""
        phones = (phone for one in self.departments.values() for phone in one.phones)
        numbers = (self.number_of(phone) for phone in phones if phone.startswith(OUTSIDE))
        return tuple(dict.fromkeys(number for number in numbers if isinstance(number, str)))

    def number_of(self, phone: str) -> str | Refused:
        """The number of a department's telephone outside, E.164 digits, or why it is not called."""
        number = phone.removeprefix(OUTSIDE)
        return for_our_people(number, region=self.region, own=self.dialled)

    @property
    def call_trace(self) -> CallTrace:
        """Return how reports of bad calls are taken."""
        return self.trace or CallTrace(department=self.menu.operator)

    @property
    def zone(self) -> ZoneInfo:
        """The desk's time zone."""
        return ZoneInfo(self.timezone)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for problem in itertools.chain(self._clashes(), self._unknown_names(), self._text_problems()):
            raise problem
        return self

    def _clashes(self) -> Iterator[Incoherent]:
        if self.id in _TAKEN_IDS or self.id.startswith(("message-", "thanks-")):
            yield Incoherent("id", f"{self.id!r} has another meaning in Asterisk's configuration", "choose another")
        for queue in self.queues:
            if queue in _TAKEN_IDS:
                problem = f"{queue!r} has another meaning in Asterisk's configuration"
                yield Incoherent(f"queues.{queue}", problem, "choose another")
        lists: dict[str, tuple[Any, ...]] = {
            "languages": self.languages,
            "numbers": (*self.numbers, *self.aliases, *self.service_codes),
            "exceptions": tuple(day.date for day in self.exceptions),
        }
        for field, values in lists.items():
            for value in values:
                if values.count(value) > 1:
                    yield Incoherent(field, f"{value} is given twice", "keep one of them")
        special = [self.menu.repeat, self.menu.operator_key, *self.menu.languages]
        if CALLBACK_KEY in self.menu.languages and any(queue.callback for queue in self.queues.values()):
            problem = f"{CALLBACK_KEY} asks for a callback in the queue"
            yield Incoherent(f"menu.languages.{CALLBACK_KEY}", problem, "choose another key")
        if FOLLOW_KEY in self.menu.languages:
            problem = f"{FOLLOW_KEY} asks for text messages in the queue"
            yield Incoherent(f"menu.languages.{FOLLOW_KEY}", problem, "choose another key")
        for key in special:
            if key in self.menu.keys:
                yield Incoherent(f"menu.keys.{key}", "the key has another meaning already", "choose another key")
            if special.count(key) > 1:
                yield Incoherent("menu", f"{key} repeats, finds a human or changes language", "give it one meaning")

    def _unknown_names(self) -> Iterator[Incoherent]:
        if not _is_zone(self.timezone):
            problem = f"{self.timezone!r} is not an IANA time zone"
            yield Incoherent("timezone", problem, "write it as America/Toronto")
        yield from self._unknown_departments()
        for name, one in self.departments.items():
            yield from self._unreachable(name, one)
        for key, language in self.menu.languages.items():
            if language not in self.languages:
                problem = f"{language!r} is not among the desk's languages"
                yield Incoherent(f"menu.languages.{key}", problem, "add it to languages, or remove the key")
        if self.departments[self.menu.operator].queue is None:
            # Where phones ring there may be nobody; in a queue a technician always comes.
            yield Incoherent("menu.operator", "the department has no queue", "name one whose calls wait in a queue")

    def _unknown_departments(self) -> Iterator[Incoherent]:
        named = [("menu.operator", self.menu.operator)]
        named += [(f"menu.keys.{key}", department) for key, department in self.menu.keys.items()]
        named += [(f"service_codes.{code}", department) for code, department in self.service_codes.items()]
        if self.trace is not None:
            named.append(("trace.department", self.trace.department))
        routed = self.tickets.routing.departments.items()
        named += [(f"tickets.routing.departments.{kind}", department) for kind, department in routed]
        for field, department in named:
            if department not in self.departments:
                mend = f"use one of: {', '.join(self.departments)}"
                yield Incoherent(field, f"there is no department {department!r}", mend)

    def _unreachable(self, name: str, one: Department) -> Iterator[Incoherent]:
        if one.queue is not None and one.queue not in self.queues:
            problem = f"there is no queue {one.queue!r}"
            yield Incoherent(f"departments.{name}.queue", problem, "add it under queues, or correct the name")
        for at, phone in enumerate(one.phones):
            if phone.startswith(OUTSIDE) and isinstance(refused := self.number_of(phone), Refused):
                mend = "give a geographic or mobile number"
                yield Incoherent(f"departments.{name}.phones.{at}", f"{phone} is {refused.reason}", mend)

    def _text_problems(self) -> Iterator[Incoherent]:
        spoken = [(f"texts.{name}", texts) for name, texts in self.texts.items()]
        spoken += [(f"departments.{name}.name", one.name) for name, one in self.departments.items()]
        spoken += [(f"services.{name}", names) for name, names in self.services.items()]
        spoken.append(("text_answer", self.text_answer))
        for field, texts in spoken:
            for language in self.languages:
                if language not in texts:
                    yield Incoherent(field, f"no text in {language!r}", "add it")
        for name, texts in self.texts.items():
            allowed = VARIABLES.get("closed-hours" if name.startswith("closed-hours-") else name, set())
            for language, text in texts.items():
                if problem := _unfillable(text, allowed):
                    braces = " and ".join(f"{{{one}}}" for one in sorted(allowed)) or "no braces"
                    yield Incoherent(f"texts.{name}.{language}", problem, f"use {braces} there")
        for name, one in self.departments.items():
            if one.hours is not None and f"closed-hours-{name}" not in self.texts:
                problem = f"there is no text closed-hours-{name} that tells these hours"
                yield Incoherent(f"departments.{name}.hours", problem, "add it under texts")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _unfillable(text: str, allowed: set[str]) -> str | None:
    """Return what keeps a text's {variables} from being filled in, if anything."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        return f"braces do not match ({error})"
    for _, name, form, conversion in parts:
        if name is not None and (name not in allowed or form or conversion):
            return f"{{{name}}} is not known there"
    return None
