"""The small parts of a desk file: how identifiers, numbers, hours and days are written, and what mends them."""

from __future__ import annotations

import itertools
import re
from datetime import date, time
from typing import Annotated, Any, Final, Self

import holidays
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ivr.desk.oncall import OnCall, Person  # noqa: F401 - published with the desk
from ivr.desk.ticketing import Level, Routing, Ticketing, Times, ToPartner  # noqa: F401 - published with the desk

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


#: Before a department's telephone that is none of ours.
OUTSIDE: Final = "tel:"


_HOURS = r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)"


class Incoherent(ValueError):
    """One rule of a desk file is broken: where (within the part that raises it), how, and what to do."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        self.field, self.problem, self.mend = field, problem, mend
        super().__init__(f"{field}: {problem}; {mend}" if field else f"{problem}; {mend}")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(Part):
    """Part of a day, from `start` up to but not including `end`; an `end` of None is midnight."""

    start: time
    end: time | None

    def __str__(self) -> str:
        if self.end:
            return f"{self.start:%H:%M}-{self.end:%H:%M}"
        return f"{self.start:%H:%M}-24:00"


def _interval(value: Any) -> Interval:
    if isinstance(value, Interval):
        return value
    found = None
    if isinstance(value, str):
        found = re.fullmatch(_HOURS, value.replace(" ", ""))
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


class Week(Part):
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


class Holidays(Part):
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


class SpecialDay(Part):
    """A date that differs from its weekday; closed without hours. It wins over holidays and imported calendars."""

    date: IsoDate
    hours: Ranges = ()
    reason: Texts | None = None


Days = Annotated[int, Field(ge=1, le=3650)]
