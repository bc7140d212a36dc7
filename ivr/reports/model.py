"""What a report says, when it is due, and what of it the facts already tell (OV-28). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, get_args

from babel.dates import format_date

from ivr import wording
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.errors import BadInput
from ivr.incidents.model import STAGE_NAMES, Incident, what_of
from ivr.typography import time_of_day

Section = Literal["description", "impact", "components", "duration", "resolution", "corrective"]
SECTIONS: Final[tuple[Section, ...]] = (
    "description",
    "impact",
    "components",
    "duration",
    "resolution",
    "corrective",
)
Reminder = Literal["soon", "overdue"]

#: So many working days after the resolution, the report is due.
DUE_DAYS: Final = 10
#: And operations are reminded when so many are left.
_SOON_DAYS: Final = 3
_LONGEST: Final = 20_000
_CONTROL: Final = frozenset(chr(n) for n in (*range(9), *range(11, 32), 127))

HEADINGS: Final = wording.texts("reports.headings", get_args(Section))
_IMPACTS: Final = wording.texts("reports.impacts")
_SAY: Final = wording.texts("reports.say")
_LENGTHS: Final = wording.texts("reports.lengths")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How much came in because of an incident."""

    calls: int
    tickets: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report: texts by language and section, in paragraphs."""

    incident_id: int
    sections: Mapping[str, Mapping[Section, str]]
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str
    published_at: datetime | None = None
    published_by: str | None = None
    reminded: Reminder | None = None


def due_on(calendar: Calendar, resolved_at: datetime) -> date:
    """The tenth working day after the one on which it was resolved; a day on which the desk opens is one."""
    return _working_day(calendar, resolved_at.astimezone(calendar.zone).date(), DUE_DAYS)


def _working_day(calendar: Calendar, after: date, count: int) -> date:
    day = after
    # A desk that never opens has reports after two weeks.
    for _ in range(366):
        day += timedelta(days=1)
        if calendar.day(day):
            count -= 1
            if count == 0:
                return day
    return after + timedelta(days=14)


def reminder_due(calendar: Calendar, resolved_at: datetime, now: datetime) -> Reminder | None:
    """Return what operations should have been reminded of by now."""
    due = due_on(calendar, resolved_at)
    today = now.astimezone(calendar.zone).date()
    if today > due:
        return "overdue"
    left = sum(bool(calendar.day(today + timedelta(days=n))) for n in range(1, (due - today).days + 1))
    if left <= _SOON_DAYS:
        return "soon"
    return None


def draft(incident: Incident, desk: Desk, reach: Reach) -> dict[str, dict[Section, str]]:
    """Return what the facts tell, in each language of the desk; the rest is for people to write."""
    return {language: _draft(incident, desk, reach, language) for language in desk.languages}


def _draft(one: Incident, desk: Desk, reach: Reach, language: str) -> dict[Section, str]:
    say, names = _SAY[language], [desk.services[name] for name in one.services if name in desk.services]
    named = {name: len(ids) for name, ids in vars(one.affected).items()}
    whom = say["named"].format(**named) if one.affected else say["everybody"]
    told = [
        f"{spoken(said.at, desk, language)} – {STAGE_NAMES[language][said.stage]}\n{said.texts.get(language, '')}"
        for said in one.updates
    ]
    start, resolved = spoken(one.started_at, desk, language), one.resolved_at
    times = say["open"].format(start=start)
    if resolved is not None:
        length = in_words(resolved - one.started_at, language)
        times = say["times"].format(start=start, end=spoken(resolved, desk, language), length=length)
    last = one.updates[-1].texts.get(language, "") if resolved is not None else ""
    impact = say["impact"].format(what=what_of(names, language), impact=_IMPACTS[language][one.impact])
    return {
        "description": "\n\n".join((one.title.get(language, ""), *told)),
        "impact": "\n\n".join((impact, whom, say["received"].format(calls=reach.calls, tickets=reach.tickets))),
        "components": "\n".join(one.components) or say["none"],
        "duration": times,
        "resolution": last or say["corrective"],
        "corrective": say["corrective"],
    }


def spoken(at: datetime, desk: Desk, language: str) -> str:
    """A moment as people say it, by the desk's clocks."""
    locale = f"{language}_CA"
    day = format_date(at.astimezone(desk.zone), "long", locale=locale)
    return f"{day}, {time_of_day(at, desk.zone, language)}"


def in_words(length: timedelta, language: str) -> str:
    """Return how long it took: « 1 jour, 2 heures et 5 minutes »."""
    minutes = max(1, round(length.total_seconds() / 60))
    counts = (minutes // 1440, minutes % 1440 // 60, minutes % 60)
    words = _LENGTHS[language]
    units = (words["day"], words["hour"], words["minute"])
    *first, last = [f"{n} {unit}{'s' if n > 1 else ''}" for n, unit in zip(counts, units, strict=True) if n]
    if first:
        return words["and"].join([", ".join(first), last])
    return last


def checked(given: Mapping[str, Mapping[Any, str]], desk: Desk) -> dict[str, dict[Section, str]]:
    """Sections that somebody wrote, all of them or some. Raises BadInput that names the one that cannot be."""
    found: dict[str, dict[Section, str]] = {}
    for language, sections in given.items():
        if language not in desk.languages:
            mend = f"give only: {', '.join(desk.languages)}"
            raise BadInput(field=f"sections.{language}", problem="the desk does not speak this language", mend=mend)
        for name, text in sections.items():
            field = f"sections.{language}.{name}"
            section = next((one for one in SECTIONS if one == name), None)
            if section is None:
                raise BadInput(field=field, problem="there is no such section", mend=f"one of: {', '.join(SECTIONS)}")
            plain = text.replace("\r\n", "\n").strip()
            if len(plain) > _LONGEST or not _CONTROL.isdisjoint(plain):
                if len(plain) > _LONGEST:
                    problem = "is too long"
                else:
                    problem = "holds control characters"
                raise BadInput(field=field, problem=problem, mend=f"plain text of at most {_LONGEST} characters")
            found.setdefault(language, {})[section] = plain
    return found


def check_complete(report: Report, desk: Desk) -> None:
    """Raise BadInput for a section that is empty or still to be written, in any language of the desk."""
    for language in desk.languages:
        for section in SECTIONS:
            text = report.sections.get(language, {}).get(section, "").strip()
            if not text or text == _SAY[language]["corrective"]:
                field = f"sections.{language}.{section}"
                raise BadInput(field=field, problem="is not written yet", mend="write it, then publish")


def paragraphs(text: str) -> list[list[str]]:
    """A section's paragraphs, each of its lines."""
    return [part.splitlines() for part in text.split("\n\n") if part.strip()]


def facts(report: Report, calendar: Calendar, resolved_at: datetime | None) -> dict[str, Any]:
    """As it is told to others."""
    due = due_on(calendar, resolved_at) if resolved_at is not None else None
    moment = None
    if due is not None:
        moment = datetime.combine(due, time(23, 59), calendar.zone)
    told = {name: value for name, value in vars(report).items() if name != "reminded"}
    return told | {"due_on": due, "due_at": moment}
