"""Chooses whom a queue rings for a caller: those with their language and the skill first, then all. Pure.

Asterisk keeps the places and turns; before each phone rings it asks whether that one is to, and takes the next one
where not. So a caller is never passed over for good: after `suited_s` seconds in line everyone is rung for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class Need:
    """A caller's request, and how long they have been in line, in seconds."""

    language: str | None
    skill: str | None = None
    waited_s: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody who is logged in to the queue."""

    endpoint: str
    #: The queue's; those with a lower one are rung before.
    penalty: int = 0
    #: Each with its penalty; without any, they are taken to speak every language.
    languages: Mapping[str, int] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()
    #: At work, though perhaps in a call; and able to be given one this moment.
    on_duty: bool = True
    free: bool = True


def rank(need: Need, one: Candidate) -> int | None:
    """Return the penalty with which somebody is rung for a caller, the lowest first; None for one not suited."""
    if need.skill is not None and need.skill not in one.skills:
        return None
    if not one.languages or need.language is None:
        return one.penalty
    spoken = one.languages.get(need.language)
    if spoken is not None:
        return one.penalty + spoken
    return None


def may_ring(
    need: Need, endpoint: str, candidates: Iterable[Candidate], *, before: Sequence[Need], suited_s: float
) -> bool:
    """Return whether a phone rings for a caller now. `before` are those ahead of them in line.

    No caller waits for a language or a skill that none on duty has. A technician whom somebody ahead is waiting for is
    left to them as long as another suited one is free. When in doubt it rings.
    """
    there = {one.endpoint: one for one in candidates}
    if need.waited_s >= suited_s or endpoint not in there:
        return True
    if rank(need, there[endpoint]) is None:
        return not any(one.on_duty and rank(need, one) is not None for one in there.values())
    # The queue knows best who is free.
    team = [replace(one, free=True) if one.endpoint == endpoint else one for one in there.values()]
    suited = _suited(need, team)
    wanted = {only for ahead in before if (only := _only(ahead, team, suited_s)) is not None}
    spared = {name: penalty for name, penalty in suited.items() if name not in wanted} or suited
    return spared.get(endpoint) == min(spared.values())


def _suited(need: Need, team: Iterable[Candidate]) -> dict[str, int]:
    """Those who are free and suit a caller, with their penalties."""
    return {one.endpoint: penalty for one in team if one.free and (penalty := rank(need, one)) is not None}


def _only(need: Need, team: Iterable[Candidate], suited_s: float) -> str | None:
    """The one who is free and suits a caller who still waits for a suited one, where it is only one."""
    suited = list(_suited(need, team)) if need.waited_s < suited_s else []
    if len(suited) == 1:
        return suited[0]
    return None
