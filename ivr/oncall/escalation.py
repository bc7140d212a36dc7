"""Decides who is paged when, until somebody takes the emergency (OV-7), and whether the promise was kept. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.desk.oncall import OnCall

#: « au plus dans les trente (30) minutes »
PROMISE = timedelta(minutes=30)
#: Pages go on until somebody takes it: over a week-end, and over holidays that adjoin one. What was left longer ago is
#: history: staff were told of it, and have seen the ticket in their working hours.
LASTS = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page; without a person it goes to the fallback number."""

    nth: int
    at: datetime
    person: str | None


def timetable(duty: OnCall, line: Sequence[str], start: datetime, until: datetime) -> list[Page]:
    """Every page up to `until`, if it is not taken: one person after the other, the manager in time, and round again.

    `line` is who is on call at `start`, when the caller left the message, and the next ones.
    """
    every, late = timedelta(minutes=duty.every_min), timedelta(minutes=duty.manager_after_min)
    pages: list[Page] = []
    ring: list[str | None] = list(line) or [None]
    manager, passed, first = duty.manager, timedelta(0), 0
    while start + passed <= until:
        if manager is not None and passed >= late:
            # Exactly then, whatever the rhythm was; from now on they are one of the line.
            ring, passed, first = [manager, *(one for one in ring if one != manager)], late, len(pages)
            manager = None
        pages.append(Page(nth=len(pages), at=start + passed, person=ring[(len(pages) - first) % len(ring)]))
        passed += every
    return pages


def come(pages: Sequence[Page], sent: int, now: datetime, ahead: Collection[int] = ()) -> list[Page]:
    """The pages whose time has come and that were not sent; of a person who was missed twice, one.

    `sent` is how far the timetable has come; those of `ahead` were sent before their time.
    """
    missed = [page for page in pages[sent:] if page.at <= now and page.nth not in ahead]
    return list({page.person: page for page in missed}.values())


def brought_forward(
    pages: Sequence[Page], sent: int, ahead: Collection[int], cannot: Collection[str | None]
) -> Page | None:
    """The page that is sent before its time since somebody passed theirs on: the first one's who has not done so.

    None when everybody has; then the others come when it is their time.
    """
    return next((page for page in pages[sent:] if page.nth not in ahead and page.person not in cannot), None)


def kept(left_at: datetime, taken_at: datetime | None, now: datetime) -> bool | None:
    """Return whether the emergency was taken in time; None while that is still open. Measured on *taken* alone."""
    if taken_at is not None:
        return taken_at - left_at <= PROMISE
    if now - left_at <= PROMISE:
        return None
    return False
