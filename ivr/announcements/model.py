"""What is announced when, which texts can be spoken, and when a forgotten announcement is brought to mind. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ivr.clock import require_aware
from ivr.errors import BadInput

Source = Literal["text", "wav", "phone"]

#: Nobody listens to more. A text of that many characters takes about 40 s to say.
LONGEST_TEXT = 600
LONGEST_S = 60.0
#: Announcements are made for the hours and days to come; a date beyond is a slip of the pen.
_HORIZON = timedelta(days=366)
#: The signs of markup (SSML, the voices' own commands, texts with variables).
_MARKUP = "<>{}[]\\|"


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One announcement of a desk. Moments are aware; `expires_at` of None is until it is ended."""

    id: int
    desk: str
    source: Source
    #: What is said, by language; nothing is known of what is said in recordings.
    texts: Mapping[str, str]
    #: The sound's name, below the sounds' folder and without extension, by language.
    sounds: Mapping[str, str]
    #: What is said to whoever has heard the whole, and the sounds of it, by language; None is the whole once more.
    brief_texts: Mapping[str, str] | None = None
    brief_sounds: Mapping[str, str] | None = None
    starts_at: datetime
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    reminded_at: datetime | None = None

    def facts(self) -> dict[str, object]:
        """As it is told to others."""
        return {
            "id": self.id,
            "source": self.source,
            "texts": dict(self.texts),
            "starts_at": self.starts_at,
            "expires_at": self.expires_at,
            "created_by": self.created_by,
            "created_at": self.created_at,
        }


def in_force(announcements: Iterable[Announcement], now: datetime) -> Announcement | None:
    """Return what a desk announces at `now`: the latest to have started, unless it has expired or was ended.

    One that was replaced does not come back when its successor expires.
    """
    started = [one for one in announcements if one.ended_at is None and one.starts_at <= now]
    last = max(started, key=lambda one: (one.starts_at, one.id), default=None)
    if last is not None and (last.expires_at is None or now < last.expires_at):
        return last
    return None


def scheduled(announcements: Iterable[Announcement], now: datetime) -> Announcement | None:
    """The next one to start."""
    ahead = (one for one in announcements if one.ended_at is None and one.starts_at > now)
    return min(ahead, key=lambda one: (one.starts_at, one.id), default=None)


def replaced(announcements: Iterable[Announcement], start: datetime, now: datetime) -> list[Announcement]:
    """Which ones a new announcement ends: all, or, when it starts later only, those that have not started either."""
    return [one for one in announcements if one.ended_at is None and (start <= now or one.starts_at > now)]


def period(starts_at: datetime | None, expires_at: datetime | None, now: datetime) -> tuple[datetime, datetime | None]:
    """Return when an announcement begins, not before `now`, and ends.

    Raises BadInput for an end before its beginning.
    """
    for field, moment in (("starts_at", starts_at), ("expires_at", expires_at)):
        if moment is not None and require_aware(moment) > now + _HORIZON:
            raise BadInput(field=field, problem="is more than a year ahead", mend="give a moment within a year")
    start = now if starts_at is None else max(starts_at, now)
    if expires_at is not None and expires_at <= now:
        raise BadInput(field="expires_at", problem="is in the past", mend="give a moment to come, or none")
    if expires_at is not None and expires_at <= start:
        raise BadInput(field="expires_at", problem="is not after starts_at", mend="give a later moment, or none")
    return start, expires_at


def reminder_due(one: Announcement, now: datetime, stale_after: timedelta) -> bool:
    """Return whether whoever looks after the desk should be asked if an announcement in force still holds.

    Once per period.
    """
    return now - (one.reminded_at or one.starts_at) >= stale_after


def spoken_text(field: str, text: str) -> str:
    """A text as it will be said. Raises BadInput that names `field` for what cannot be."""
    said = " ".join(text.split())
    odd = next((sign for sign in said if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn")), None)
    if odd is not None:
        mend = "remove it; write what is to be said and nothing else"
        raise BadInput(field=field, problem=f"holds the control character U+{ord(odd):04X}", mend=mend)
    found = next((sign for sign in said if sign in _MARKUP), None) or _entity(said)
    if found is not None:
        mend = "write what is to be said, without markup"
        raise BadInput(field=field, problem=f"holds markup: {found}", mend=mend)
    if not any(sign.isalpha() for sign in said):
        raise BadInput(field=field, problem="says nothing", mend="write at least a word")
    if len(said) > LONGEST_TEXT:
        mend = f"say it in at most {LONGEST_TEXT} characters"
        raise BadInput(field=field, problem=f"has {len(said)} characters", mend=mend)
    return said


def _entity(text: str) -> str | None:
    found = re.search(r"&#?\w+;", text)
    if found:
        return found[0]
    return None


def both_languages(field: str, given: Iterable[str], needed: Iterable[str]) -> None:
    """Raise BadInput that names the first language of the desk that is lacking, or one that it does not speak."""
    given, needed = list(given), list(needed)
    for language in needed:
        if language not in given:
            mend = f"give one for each of: {', '.join(needed)}"
            raise BadInput(field=f"{field}.{language}".lstrip("."), problem="is missing", mend=mend)
    for language in given:
        if language not in needed:
            problem = "the desk does not speak this language"
            raise BadInput(
                field=f"{field}.{language}".lstrip("."), problem=problem, mend=f"give only: {', '.join(needed)}"
            )
