"""What an incident is, which updates it may have, what is said of it and whom it touches. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from ivr import wording
from ivr.announcements.model import LONGEST_TEXT, spoken_text
from ivr.clock import require_aware
from ivr.errors import BadInput

Stage = Literal["investigating", "confirmed", "resolved"]
Impact = Literal["minor", "major", "critical"]
STAGES: tuple[Stage, ...] = ("investigating", "confirmed", "resolved")

#: What each stage is called where people read it (OV-26).
STAGE_NAMES = wording.texts("incidents.stages", STAGES)
#: That all is well again is told for so long, to who called because of it.
RESOLVED_ON_AIR = timedelta(minutes=30)

#: What is resolved may return within this (OV-26); then it is closed, and a new one is opened instead.
CLOSES_AFTER = timedelta(days=7)

_DRAFTS = wording.texts("incidents.drafts", STAGES)
#: For who has heard the whole already: fifteen words at most.
_BRIEF = wording.texts("incidents.brief", STAGES)
_ANYTHING = wording.text("incidents.anything")
_AND = wording.text("incidents.and")


class LanguageMissing(BadInput):
    """An update says the same in every language of the desk."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """What was said at a stage, by language; `by` is who wrote it."""

    id: int
    stage: Stage
    texts: Mapping[str, str]
    at: datetime
    by: str

    def facts(self) -> dict[str, Any]:
        """As it is told to others."""
        return {"id": self.id, "stage": self.stage, "texts": dict(self.texts), "at": self.at, "by": self.by}


@dataclass(frozen=True, kw_only=True)
class Affected:
    """Whom it touches: partners and customers by id, numbers as E.164 digits. Nobody named is everybody."""

    partners: tuple[int, ...] = ()
    customers: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.partners or self.customers or self.numbers)

    def touches(self, *, partner: int | None, customer: int | None, number: str | None) -> bool:
        """Return whether a caller is among those who are named."""
        return partner in self.partners or customer in self.customers or number in self.numbers


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident of a desk. Moments are aware; `updates` are in order, and there is at least one."""

    id: int
    desk: str
    title: Mapping[str, str]
    impact: Impact
    #: Of the desk's services, by id.
    services: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    affected: Affected = field(default_factory=Affected)
    started_at: datetime
    updates: tuple[Update, ...]
    version: int = 1

    @property
    def stage(self) -> Stage:
        """Return where it stands."""
        return self.updates[-1].stage

    @property
    def resolved_at(self) -> datetime | None:
        """Return when it was resolved, for good as far as is known; None while it is not."""
        if self.stage != "resolved":
            return None
        back = (n for n, one in enumerate(self.updates, 1) if one.stage != "resolved")
        return self.updates[max(back, default=0)].at

    def is_told(self, now: datetime) -> bool:
        """Return whether those who wait hear of it."""
        resolved = self.resolved_at
        return resolved is None or require_aware(now) < resolved + RESOLVED_ON_AIR

    def facts(self) -> dict[str, Any]:
        """As it is told to others."""
        return {
            "id": self.id,
            "desk": self.desk,
            "title": dict(self.title),
            "impact": self.impact,
            "stage": self.stage,
            "services": list(self.services),
            "components": list(self.components),
            "affected": {name: list(values) for name, values in vars(self.affected).items()},
            "started_at": self.started_at,
            "resolved_at": self.resolved_at,
            "updates": [one.facts() for one in self.updates],
            "version": self.version,
        }


def draft(stage: Stage, services: Iterable[Mapping[str, str]], language: str) -> str:
    """Return a draft text, for staff in a hurry; `services` by language, as within a sentence."""
    return _filled(_DRAFTS, stage, services, language)


def _filled(
    texts: Mapping[str, Mapping[str, str]], stage: Stage, services: Iterable[Mapping[str, str]], language: str
) -> str:
    known = wording.known(language)
    return texts[known][stage].format(what=what_of(services, known))


def what_of(services: Iterable[Mapping[str, str]], language: str) -> str:
    """The services in one phrase, French or English: « la téléphonie et la messagerie »."""
    *first, last = [names[language] for names in services if language in names] or [_ANYTHING[language]]
    if first:
        return _AND[language].join([", ".join(first), last])
    return last


def in_every_language(
    texts: Mapping[str, str], languages: Sequence[str], drafted: Callable[[str], str]
) -> dict[str, str]:
    """Return texts as they will be read and said, in each language of a desk and in no other.

    Raises BadInput that names the language; LanguageMissing, with what `drafted` says, for one that is missing.
    """
    for language in texts:
        if language not in languages:
            mend = f"give only: {', '.join(languages)}"
            raise BadInput(field=f"texts.{language}", problem="the desk does not speak this language", mend=mend)
    for language in languages:
        if not texts.get(language, "").strip():
            mend = f"say it in this language too, for example: {drafted(language)}"
            raise LanguageMissing(field=f"texts.{language}", problem="is missing", mend=mend)
    return {language: spoken_text(f"texts.{language}", texts[language]) for language in languages}


def checked_texts(
    texts: Mapping[str, str], languages: Sequence[str], *, stage: Stage, services: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    """An update's texts as they will be read and said. Raises BadInput, with a draft for a language that is missing."""
    return in_every_language(texts, languages, lambda language: draft(stage, services, language))


def updated(incident: Incident, update: Update) -> Incident:
    """The incident with one more update. Any stage may follow any: what is resolved can return (OV-26).

    Raises BadInput for one that says nothing new, or that comes when the incident is closed.
    """
    resolved = incident.resolved_at
    if resolved is not None and update.at >= resolved + CLOSES_AFTER:
        problem = f"this incident is closed; it was resolved on {resolved:%Y-%m-%d}"
        raise BadInput(field="incident_id", problem=problem, mend="open a new incident")
    last = incident.updates[-1]
    if (update.stage, dict(update.texts)) == (last.stage, dict(last.texts)):
        mend = "say what is new, or leave it as it is"
        raise BadInput(field="texts", problem="is what the last update says already", mend=mend)
    return replace(incident, updates=(*incident.updates, update), version=incident.version + 1)


def told(incidents: Iterable[Incident], language: str, now: datetime) -> str | None:
    """What those who wait hear: the last word on each incident, the latest first; None when there is nothing to tell.

    As many as fit into one announcement; of the others the callers will hear once the first are over.
    """
    telling = [one for one in incidents if one.is_told(now) and language in one.updates[-1].texts]
    telling.sort(key=lambda one: (one.stage != "resolved", one.updates[-1].at, one.id), reverse=True)
    said = ""
    for one in telling:
        longer = f"{said} {one.updates[-1].texts[language]}".strip()
        if len(longer) <= LONGEST_TEXT:
            said = longer
    return said or None


def briefly(
    incidents: Iterable[Incident], services: Callable[[Incident], Iterable[Mapping[str, str]]], language: str
) -> str:
    """Return the short text for callers who have heard `told` once, in the same order; a sentence or two each."""
    said = ""
    for one in sorted(incidents, key=lambda one: (one.stage != "resolved", one.updates[-1].at, one.id), reverse=True):
        longer = f"{said} {_filled(_BRIEF, one.stage, services(one), language)}".strip()
        if len(longer) <= LONGEST_TEXT:
            said = longer
    return said
