"""A storm of emergencies: what is paged for by itself, what together, and who is rung first. Pure.

A caller who hides their number, or makes one up, can leave any number of messages. Each is a ticket with its message,
and its caller hears what everybody hears; but unknown callers share a few pages, and never stand before a
customer whom we know. What is beyond is one bundle, which is paged as one and says how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

#: The number of customers who are paged for by themselves at one time. With their bundle one phone can be rung for
#: each of them well within the half hour.
MOST_KNOWN: Final = 6
#: Of unknown callers, what was taken meanwhile counts for so long.
STORM: Final = timedelta(hours=1)
#: A bundle takes more in for so long; then a new one begins, of which operations are told again when it is late.
BUNDLE_TAKES: Final = timedelta(hours=6)
#: After a bundle of those was taken, the next one is paged no sooner: it grows meanwhile, and has time until minute 30.
BUNDLE_AGAIN: Final = timedelta(minutes=10)
#: Text messages to one person within an hour, at the least; more where pages come more often.
TEXTS_AN_HOUR: Final = 30


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An emergency that is paged for, or was: not one of those that joined another."""

    id: int
    #: Whether its caller is a customer: by a registered phone, or by a number that the directory has.
    known: bool
    #: Whether it stands for all that joined it.
    bundle: bool
    left_at: datetime
    taken_at: datetime | None


#: By itself, as the first of a new bundle, or joining the bundle with this id.
Placed = Literal["alone", "begins"] | int


def placed(known: bool, left_at: datetime, standing: Sequence[Standing], *, strangers: int) -> Placed:
    """Return how an emergency that was just left is paged for, among those of its desk that wait or were left lately.

    At most `strangers` unknown callers are paged for by themselves within an hour.
    """
    alike = [one for one in standing if one.known == known]
    counted = [
        one
        for one in alike
        if not one.bundle and (one.taken_at is None or (not known and left_at - one.left_at < STORM))
    ]
    if len(counted) < (MOST_KNOWN if known else strangers):
        return "alone"
    takes = [one for one in alike if one.bundle and one.taken_at is None and left_at - one.left_at < BUNDLE_TAKES]
    if takes:
        return takes[-1].id
    return "begins"


def may_page(*, known: bool, bundle: bool, last_taken: datetime | None, now: datetime) -> bool:
    """Return whether an emergency is paged for now; `last_taken` is when a bundle of its kind was taken last."""
    return known or not bundle or last_taken is None or now - last_taken >= BUNDLE_AGAIN


def may_text(sent: int, *, known: bool, first: bool, every_min: int) -> bool:
    """Return whether a page leaves by text message as well: `sent` were sent to this person within an hour.

    The last third is kept for customers, and the last sixth for what a customer is paged for the first time.
    """
    most = max(TEXTS_AN_HOUR, 60 // every_min * 3 // 2)
    if not known:
        return sent < most * 2 // 3
    return sent < (most if first else most * 5 // 6)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A page call that is to be made."""

    id: int
    emergency: int
    number: str
    known: bool
    left_at: datetime
    #: Whether anybody was rung for this emergency before.
    rung: bool


def in_order(calls: Sequence[Due]) -> list[Due]:
    """Sort emergencies for ringing: customers not rung for yet, the newest first; then others for whom nobody
    was; then those again, in the same order."""
    return sorted(
        calls,
        key=lambda one: (
            one.rung,
            not one.known,
            -one.left_at.timestamp() if one.known else one.left_at.timestamp(),
            one.id,
        ),
    )


def overtaken(calls: Sequence[Due]) -> set[int]:
    """Those that need not be made any more: the same phone is to be rung for the same emergency by a later page."""
    newest: dict[tuple[int, str], int] = {}
    for one in calls:
        newest[one.emergency, one.number] = max(one.id, newest.get((one.emergency, one.number), 0))
    return {one.id for one in calls if one.id != newest[one.emergency, one.number]}
