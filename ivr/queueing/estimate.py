"""Estimates a caller's wait, and puts it as people say it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.clock import require_aware

#: The number of last answers that tell the rate; older ones belong to another hour of the day.
ANSWERS = 10
#: Older answers than this, in seconds, tell nothing of now.
_RECENT_S = 3600.0
#: Longer waits are said as « plus de … »: who can tell what an hour brings.
LONGEST_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A technician answered; `after_s` is since the answer before, when somebody waited all the time in between."""

    at: datetime
    after_s: float | None = None


def expected_wait(
    position: int,
    answers: Sequence[Answer],
    technicians: int,
    now: datetime,
    *,
    handling_s: float,
    waiting_since: datetime | None = None,
) -> float | None:
    """Seconds until the caller at `position` is answered; None without a technician to answer.

    From the pace of the last answers while somebody waited: a quiet hour says nothing of how fast technicians are.
    `waiting_since` is when the queue was last empty; the pause since then, or since the last answer, counts too, so
    that the estimate grows while none answers. Without such answers it rests on `handling_s`, a technician's usual
    time for a call. Never below what that many technicians could do if every call took a third of that: an estimate
    that is too short is a promise broken.
    """
    if technicians <= 0:
        return None
    recent = [one for one in answers[-ANSWERS:] if now - require_aware(one.at) <= timedelta(seconds=_RECENT_S)]
    gaps = [one.after_s for one in recent if one.after_s is not None]
    usual = handling_s / technicians
    pace = sum(gaps) / len(gaps) if gaps else usual
    if waiting_since is not None:
        pause_s = (now - max([waiting_since, *(one.at for one in recent[-1:])])).total_seconds()
        pace = max(pace, (sum(gaps) + pause_s) / (len(gaps) + 1))
    return max(pace, usual / 3) * position


def spoken_minutes(seconds: float) -> int:
    """Rounded up as people speak: each minute up to 5, then 10, 15, 20, 30, 45, 60."""
    minutes = max(1, math.ceil(seconds / 60))
    return next((step for step in (1, 2, 3, 4, 5, 10, 15, 20, 30, 45) if minutes <= step), LONGEST_MINUTES)


def is_longer(seconds: float) -> bool:
    """Return whether the wait is beyond what is said in minutes."""
    return seconds > LONGEST_MINUTES * 60


def number_prompts(number: int, language: str) -> tuple[str, ...]:
    """A number from 0 to 999 as prompts of the recorded voice, `digit-3` or `number-20`; others are cut to that."""
    number = min(max(0, number), 999)
    hundreds, rest = divmod(number, 100)
    prompts: list[str] = []
    if hundreds:
        if hundreds > 1 or language != "fr":
            prompts.append(f"digit-{hundreds}")
        prompts.append("number-hundred")
        if not rest:
            return tuple(prompts)
    return (*prompts, *(_below_100_fr(rest) if language == "fr" else _below_100(rest)))


def _below_100(number: int) -> tuple[str, ...]:
    if number < 10:
        return (f"digit-{number}",)
    if number <= 20 or number % 10 == 0:
        return (f"number-{number}",)
    return (f"number-{number // 10 * 10}", f"digit-{number % 10}")


def _below_100_fr(number: int) -> tuple[str, ...]:
    """Seventy is sixty and ten, ninety is four score and ten; twenty-one to seventy-one have « et »."""
    if number <= 20 or number % 10 == 0:
        return _below_100(number)
    tens = number // 10 * 10
    if tens in (70, 90):
        tens -= 10
    rest = number - tens
    if rest % 10 == 1 and tens != 80:
        return (f"number-{tens}", "number-et", *_below_100(rest))
    return (f"number-{tens}", *_below_100(rest))


def wait_prompts(position: int, seconds: float | None, language: str) -> tuple[str, ...]:
    """Return what a caller who waits is told: the place, then the wait, when it is known."""
    if position == 1:
        place: tuple[str, ...] = ("queue-youarenext",)
    else:
        place = ("queue-thereare", *number_prompts(position, language))
    if seconds is None:
        return place
    minutes = spoken_minutes(seconds)
    if is_longer(seconds):
        return (*place, "queue-wait-long")
    unit = "queue-minute" if minutes == 1 else "queue-minutes"
    return (*place, "queue-holdtime", *number_prompts(minutes, language), unit)
