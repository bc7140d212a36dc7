"""What a desk file may say. `desks/desk.schema.json` is published from here for editors, by `ivr.desk.publish`."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

import holidays
from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ivr.desk.oncall import OnCall, Person  # noqa: F401 - published with the desk
from ivr.desk.ticketing import Level, Routing, Ticketing, Times, ToPartner  # noqa: F401 - published with the desk
from ivr.numbers.diallable import ISLANDS, Refused, for_our_people

#: What to write instead, per pattern below.
MENDS: dict[str, str] = {}


def _written(pattern: str, mend: str) -> Any:
    """A text of this form; `mend` tells how to write it."""
    MENDS[pattern] = mend
    return StringConstraints(pattern=pattern)


Identifier = Annotated[
    str, _written(r"^[a-z][a-z0-9-]{0,39}$", "use lower-case letters, digits and hyphens, as in hl-cloud")
]
#: Two-letter language (ISO 639-1), among those in which moments can be spoken.
Language = Annotated[str, _written(r"^(fr|en)$", "use fr or en")]
#: What is dialled, without plus sign or spaces (E.164 digits, or a national form).
Dialled = Annotated[str, _written(r"^[0-9]{3,15}$", "write 3 to 15 digits without spaces, as in 18446664844")]
ServiceCode = Annotated[str, _written(r"^\*?[0-9]{2,4}$", "write 2 to 4 digits, as in 611, with or without * before")]
Key = Annotated[str, _written(r"^[0-9*#]$", "give one key of a telephone: 0 to 9, * or #")]
#: The account of a phone, or a telephone that is none of ours.
Phone = Annotated[
    str,
    _written(
        r"^([0-9]{2,10}|tel:\+?[0-9]{10,15})$",
        "give the account of a phone, 2 to 10 digits, as in 7101, or a number outside, as in tel:5145551234",
    ),
]
Country = Annotated[str, _written(r"^[A-Z]{2}$", "use two capital letters (ISO 3166), as in CA")]
Email = Annotated[str, _written(r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[a-z]+$", "write it as service@example.com")]
ListId = Annotated[str, _written(r"^[A-Za-z0-9._-]{1,200}$", "write it as support.example.com, without < and >")]
#: Beside the desk file or in a folder there, and nowhere else.
CalendarFile = Annotated[
    str,
    _written(
        r"^([^/.\s\x00-\x1f\\][^/\x00-\x1f\\]*/)?[^/.\s\x00-\x1f\\][^/\x00-\x1f\\]*$",
        "name a file beside the desk file, as closures.ics, or in a folder there",
    ),
]
#: What is also shown and put into headings of e-mails, so on one line.
Name = Annotated[str, _written(r"^[^\x00-\x1f\x7f]{1,60}$", "write 1 to 60 characters on one line")]
#: A name per language.
Names = dict[Language, Name]
#: A text per language.
Texts = dict[Language, Annotated[str, StringConstraints(min_length=1, max_length=1500)]]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: What a prompt's text may contain between braces; in every other prompt, nothing.
VARIABLES: Final = {
    "closed-hours": {"department"},
    "closed-department": {"department", "opening"},
    "closed-department-no-opening": {"department"},
    "closed-emergency": {"department", "opening"},
    "closed-emergency-no-opening": {"department"},
    "ringing-department": {"department"},
}

#: Before a department's telephone that is none of ours.
_OUTSIDE: Final = "tel:"

#: What a waiting caller presses to be called back (OV-9).
CALLBACK_KEY: Final = "1"
#: And to get a text message at each stage of an incident (OV-27).
FOLLOW_KEY: Final = "2"

#: Names that Asterisk's configuration has for something else.
_TAKEN_IDS = frozenset({"next", "queue", "ring", "message", "done", "general", "globals"})

_HOURS = r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)"


class Incoherent(ValueError):
    """One rule of a desk file is broken: where (within the part that raises it), how, and what to do."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        self.field, self.problem, self.mend = field, problem, mend
        super().__init__(f"{field}: {problem}; {mend}" if field else f"{problem}; {mend}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Part):
    """Part of a day, from `start` up to but not including `end`; an `end` of None is midnight."""

    start: time
    end: time | None

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}" if self.end else f"{self.start:%H:%M}-24:00"


def _interval(value: Any) -> Interval:
    if isinstance(value, Interval):
        return value
    found = re.fullmatch(_HOURS, value.replace(" ", "")) if isinstance(value, str) else None
    if found is None:
        raise Incoherent("", f"{str(value)[:40]!r} is not a time range", "write it as 08:00-12:00")
    start = time(int(found[1]), int(found[2]))
    if found[3] == "24":
        if found[4] != "00":
            raise Incoherent("", f"{value!r} ends after midnight", "end it at 24:00 and go on the next day")
        return Interval(start=start, end=None)
    end = time(int(found[3]), int(found[4]))
    if end <= start:
        raise Incoherent("", f"{value!r} ends before it starts", "split it at 24:00")
    return Interval(start=start, end=end)


Range = Annotated[
    Interval,
    BeforeValidator(
        _interval, json_schema_input_type=Annotated[str, Field(pattern=f"^{_HOURS}$", examples=["08:00-12:00"])]
    ),
]


def _in_order(ranges: tuple[Interval, ...]) -> tuple[Interval, ...]:
    for earlier, later in itertools.pairwise(ranges):
        if earlier.end is None or later.start < earlier.end:
            raise Incoherent("", f"{earlier} and {later} overlap or are out of order", "put them in order, apart")
    return ranges


Ranges = Annotated[tuple[Range, ...], AfterValidator(_in_order)]


def _iso(value: Any) -> Any:
    """Else digits alone would be taken for seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise Incoherent("", f"{value[:40]!r} is not a date", "write it as 2026-12-24")
    return value


IsoDate = Annotated[date, BeforeValidator(_iso)]


class Week(_Part):
    """Opening hours of each day; a day without any is closed."""

    monday: Ranges = ()
    tuesday: Ranges = ()
    wednesday: Ranges = ()
    thursday: Ranges = ()
    friday: Ranges = ()
    saturday: Ranges = ()
    sunday: Ranges = ()

    def of(self, weekday: int) -> tuple[Interval, ...]:
        """The ranges of a weekday, Monday being 0."""
        ranges: tuple[Interval, ...] = getattr(self, DAYS[weekday])
        return ranges


class Holidays(_Part):
    """Public holidays, by country and subdivision (ISO 3166)."""

    country: Country
    subdivision: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = holidays.list_supported_countries()
        if self.country not in known:
            raise Incoherent("country", f"no holidays are known for {self.country}", "give another, or none")
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            problem = f"{self.country} has no subdivision {self.subdivision!r}"
            raise Incoherent("subdivision", problem, f"give one of: {', '.join(known[self.country]) or 'none'}")
        return self


class SpecialDay(_Part):
    """A date that differs from its weekday; closed without hours. It wins over holidays and imported calendars."""

    date: IsoDate
    hours: Ranges = ()
    reason: Texts | None = None


Days = Annotated[int, Field(ge=1, le=3650)]


class Department(_Part):
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


class CallbackRules(_Part):
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


class Queue(_Part):
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


class AnnouncementHabits(_Part):
    """How this desk tells the state of its services to those who wait."""

    #: Seconds of music between two times that it is said.
    every_s: Annotated[int, Field(ge=10, le=300)] = 30
    #: After so many hours an announcement is taken for forgotten, and whoever looks after it is reminded.
    stale_after_h: Annotated[float, Field(ge=0.25, le=168, allow_inf_nan=False)] = 4
    #: Who is reminded; without it, the department where the human is.
    ops_email: Email | None = None


class CallAudio(_Part):
    """Recording phones' ordinary calls, of which both parties are told when it begins."""

    #: A reported call's recording is kept so many days; any other is erased when it cannot be reported any more.
    keep_days: Annotated[int, Field(ge=1, le=365)]


class CallTrace(_Part):
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


class Keeping(_Part):
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


class Menu(_Part):
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


class Desk(_Part):
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
        numbers = (self.number_of(phone) for phone in phones if phone.startswith(_OUTSIDE))
        return tuple(dict.fromkeys(number for number in numbers if isinstance(number, str)))

    def number_of(self, phone: str) -> str | Refused:
        """The number of a department's telephone outside, E.164 digits, or why it is not called."""
        number = phone.removeprefix(_OUTSIDE)
        return for_our_people(number, region=self.region, own=self.dialled)

    @property
    def call_trace(self) -> CallTrace:
        """How reports of bad calls are taken."""
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
            if phone.startswith(_OUTSIDE) and isinstance(refused := self.number_of(phone), Refused):
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
    """What keeps a text's {variables} from being filled in, if anything."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        return f"braces do not match ({error})"
    for _, name, form, conversion in parts:
        if name is not None and (name not in allowed or form or conversion):
            return f"{{{name}}} is not known there"
    return None
