"""What maintenance is, when it begins and ends, and what may be changed about it (OV-29). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from ivr import wording
from ivr.clock import require_aware
from ivr.errors import BadInput
from ivr.incidents.model import Impact, in_every_language, what_of

Kind = Literal["planned", "emergency"]
State = Literal["scheduled", "in_progress", "completed", "cancelled"]
#: What subscribers are told of.
News = Literal["scheduled", "changed", "in_progress", "completed", "cancelled"]

STATE_NAMES: Final = wording.texts("maintenance.states", get_args(News))
_DRAFTS: Final = wording.texts("maintenance.drafts", get_args(Kind))
#: Longer is a slip of the pen.
_LONGEST: Final = timedelta(days=14)
_FURTHEST: Final = timedelta(days=400)


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """One maintenance of a desk. Moments are aware; it begins at `starts_at` and is over at `ends_at`."""

    id: int
    desk: str
    kind: Kind
    title: Mapping[str, str]
    #: What callers hear and readers read, by language.
    texts: Mapping[str, str]
    impact: Impact
    services: tuple[str, ...]
    components: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    cancelled: bool
    sms: bool
    told: State
    by: str
    created_at: datetime
    updated_at: datetime
    version: int

    def state(self, now: datetime) -> State:
        """Return where it stands: it begins and ends by the clock alone."""
        if self.cancelled:
            return "cancelled"
        if self.ended_at is not None or require_aware(now) >= self.ends_at:
            return "completed"
        if now >= self.starts_at:
            return "in_progress"
        return "scheduled"

    @property
    def over_at(self) -> datetime:
        """Return when it is, or was, over."""
        return self.ended_at or self.ends_at

    @property
    def window_ends_at(self) -> datetime:
        """The end of its window, to be told beside its beginning: given up, it keeps the window that it had."""
        if self.cancelled:
            return self.ends_at
        return max(self.over_at, self.starts_at)

    def facts(self, now: datetime) -> dict[str, Any]:
        """As it is told to others."""
        names = ("id", "desk", "kind", "impact", "starts_at", "ends_at", "ended_at", "sms", "by", "version")
        lists = {"services": list(self.services), "components": list(self.components)}
        by_language = {"title": dict(self.title), "texts": dict(self.texts)}
        moments = {"created_at": self.created_at, "updated_at": self.updated_at, "state": self.state(now)}
        return {name: getattr(self, name) for name in names} | lists | by_language | moments


def draft(kind: Kind, services: Iterable[Mapping[str, str]], language: str) -> str:
    """Return a draft text, for staff in a hurry; `services` by language, as within a sentence."""
    known = language if language in _DRAFTS else "fr"
    return _DRAFTS[known][kind].format(what=what_of(services, known))


def checked_texts(
    texts: Mapping[str, str], languages: Sequence[str], *, kind: Kind, services: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    """The texts as they will be read and said. Raises BadInput, with a draft for a language that is missing."""
    names = list(services)
    return in_every_language(texts, languages, lambda language: draft(kind, names, language))


def check_window(starts_at: datetime, ends_at: datetime, now: datetime, *, began: bool = False) -> None:
    """Raise BadInput for a window that cannot be meant; one that `began` keeps its beginning."""
    if require_aware(ends_at) <= require_aware(starts_at):
        raise BadInput(field="ends_at", problem="is not after starts_at", mend="give a later moment")
    if ends_at <= now:
        raise BadInput(field="ends_at", problem="is in the past", mend="give a moment to come")
    if not began and starts_at < now - timedelta(minutes=5):
        raise BadInput(field="starts_at", problem="is in the past", mend="give now, or a moment to come")
    if starts_at > now + _FURTHEST:
        raise BadInput(field="starts_at", problem="is more than a year ahead", mend="give a moment within a year")
    if ends_at - starts_at > _LONGEST:
        raise BadInput(field="ends_at", problem="is more than 14 days after starts_at", mend="give several windows")


def check_open(one: Maintenance, now: datetime) -> None:
    """Raise BadInput for one that is over, of which nothing can be changed any more."""
    state = one.state(now)
    if state in ("completed", "cancelled"):
        problem = f"this maintenance is {state}"
        raise BadInput(field="maintenance_id", problem=problem, mend="announce a new one")


def in_progress(several: Iterable[Maintenance], now: datetime) -> list[Maintenance]:
    """Those that go on now, the one that began last first."""
    going = [one for one in several if one.state(now) == "in_progress"]
    return sorted(going, key=lambda one: (one.starts_at, one.id), reverse=True)
