"""What a desk file may say. `desk.schema.json` beside this file is published from here, for editors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import holidays
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
#: Two-letter language (ISO 639-1).
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
#: What is dialled, without plus sign or spaces (E.164 digits, or a national form).
Dialled = Annotated[str, StringConstraints(pattern=r"^[0-9]{3,15}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]
Phone = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,10}$")]
#: A text per language.
Texts = dict[Language, Annotated[str, StringConstraints(min_length=1, max_length=1500)]]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Part):
    """Part of a day, from `start` up to but not including `end`; an `end` of None is midnight."""

    start: time
    end: time | None

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}" if self.end else f"{self.start:%H:%M}-24:00"


def _interval(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _HOURS.fullmatch(value.replace(" ", ""))
    if found is None:
        raise ValueError(f"{value!r} is not a time range; write it as 08:00-12:00")
    start = time(int(found[1]), int(found[2]))
    if found[3] == "24":
        if found[4] != "00":
            raise ValueError(f"{value!r} ends after midnight; end it at 24:00 and go on the next day")
        return Interval(start=start, end=None)
    end = time(int(found[3]), int(found[4]))
    if end <= start:
        raise ValueError(f"{value!r} ends before it starts; split it at 24:00")
    return Interval(start=start, end=end)


Range = Annotated[Interval, BeforeValidator(_interval, json_schema_input_type=str)]


def _in_order(ranges: tuple[Interval, ...]) -> tuple[Interval, ...]:
    for earlier, later in itertools.pairwise(ranges):
        if earlier.end is None or later.start < earlier.end:
            raise ValueError(f"{earlier} and {later} overlap or are out of order")
    return ranges


Ranges = Annotated[tuple[Range, ...], AfterValidator(_in_order)]


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

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    subdivision: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = holidays.list_supported_countries()
        if self.country not in known:
            raise ValueError(f"no holidays are known for country {self.country}")
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            raise ValueError(f"{self.country} has no subdivision {self.subdivision}")
        return self


class SpecialDay(_Part):
    """A date that differs from its weekday; without hours it is closed. It wins over holidays."""

    date: date
    hours: Ranges = ()
    reason: Texts | None = None


class Department(_Part):
    """One choice of the menu."""

    name: Texts
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[a-z]+$")]
    #: Where its calls wait for a technician, or
    queue: Identifier | None = None
    #: the phones that ring together.
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
            raise ValueError("give either a queue or phones")
        return self


class Queue(_Part):
    """One queue of app_queue."""

    strategy: Literal["ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear", "wrandom"] = "rrmemory"
    #: Seconds a technician's phone rings before the next one's.
    ring_s: Annotated[int, Field(ge=5, le=60)] = 20
    #: Seconds before the next round when nobody answered.
    retry_s: Annotated[int, Field(ge=1, le=30)] = 2
    #: Seconds of rest for a technician after each call.
    wrapup_s: Annotated[int, Field(ge=0, le=600)] = 15
    #: The longest wait, in seconds; then the caller may leave a message.
    max_wait_s: Annotated[int, Field(ge=30, le=14_400)] = 3600


class Menu(_Part):
    """What the keys do."""

    #: Key to department.
    keys: dict[Key, Identifier]
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
    wait_s: Annotated[float, Field(ge=2, le=20)] = 5.0


class Desk(_Part):
    """One support desk on its own numbers."""

    id: Identifier
    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    timezone: str
    #: Country (ISO 3166) whose habits apply to a caller's number without country code.
    region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "CA"
    #: As the network delivers them, E.164 without the plus sign.
    numbers: Annotated[tuple[Dialled, ...], Field(min_length=1)]
    #: Other ways to dial them, such as without the country code.
    aliases: tuple[Dialled, ...] = ()
    #: Short codes for registered phones, each leading straight to a department.
    service_codes: dict[Annotated[str, StringConstraints(pattern=r"^\*?[0-9]{2,4}$")], Identifier] = {}
    #: The first is spoken unless the caller is known to prefer another.
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    menu: Menu
    departments: Annotated[dict[Identifier, Department], Field(min_length=1)]
    queues: dict[Identifier, Queue] = {}
    hours: Week
    holidays: Holidays | None = None
    exceptions: tuple[SpecialDay, ...] = ()
    #: iCalendar files (RFC 5545), relative to this one: whole-day events close the day, others their time.
    ical: tuple[str, ...] = ()
    #: This desk's own prompts, over the common ones of `ivr/prompts/texts`.
    texts: dict[Identifier, Texts] = {}

    @property
    def dialled(self) -> tuple[str, ...]:
        """Every way to dial this desk, with digits only."""
        return (*self.numbers, *self.aliases)

    @property
    def zone(self) -> ZoneInfo:
        """The desk's time zone."""
        return ZoneInfo(self.timezone)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        problems = list(self._incoherences())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _incoherences(self) -> Iterator[str]:
        if self.timezone not in available_timezones():
            yield f"timezone: {self.timezone!r} is not an IANA time zone such as America/Toronto"
        named = [("menu.operator", self.menu.operator)]
        named += [(f"menu.keys.{key}", department) for key, department in self.menu.keys.items()]
        named += [(f"service_codes.{code}", department) for code, department in self.service_codes.items()]
        for field, department in named:
            if department not in self.departments:
                yield f"{field}: there is no department {department!r}"
        for name, one in self.departments.items():
            if one.queue is not None and one.queue not in self.queues:
                yield f"departments.{name}.queue: there is no queue {one.queue!r}"
        special = [self.menu.repeat, self.menu.operator_key, *self.menu.languages]
        for key in special:
            if key in self.menu.keys or special.count(key) > 1:
                yield f"menu.keys.{key}: the key has another meaning already"
        for key, language in self.menu.languages.items():
            if language not in self.languages:
                yield f"menu.languages.{key}: {language!r} is not among the desk's languages"
        if (operator := self.departments.get(self.menu.operator)) and operator.queue is None:
            yield "menu.operator: must be a department with a queue, since a human is always found there"
        yield from self._missing_texts()

    def _missing_texts(self) -> Iterator[str]:
        spoken = [(f"texts.{name}", texts) for name, texts in self.texts.items()]
        spoken += [(f"departments.{name}.name", one.name) for name, one in self.departments.items()]
        for field, texts in spoken:
            for language in self.languages:
                if language not in texts:
                    yield f"{field}: no text in {language!r}"
