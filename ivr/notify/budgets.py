"""Budgets of what costs money, or is a nuisance to others: kept in the database, so that no restart fills them anew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select

from ivr.notify.tables import spendings as table
from ivr.refusals import Refusals
from ivr.store.engine import Unit

#: No budget looks further back.
LONGEST: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """At most `most` within a time: for each subject by itself, or for all when it is drawn on without one."""

    #: Of letters and hyphens; it is the reason of a refusal, and names the budget in the metrics.
    name: str
    most: int
    within: timedelta

    def __post_init__(self) -> None:
        if self.within > LONGEST or self.most < 1:
            raise ValueError(f"the budget {self.name} is of at least one within at most {LONGEST}")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One of a budget, for a subject: an address, a domain, an id; of all when it is empty."""

    budget: Budget
    subject: str = ""


async def spend(unit: Unit, draws: Sequence[Draw], *, now: datetime, refusals: Refusals) -> bool:
    """Draw on several budgets at once: on all of them, or on none when one is spent; then it is told which."""
    counted: list[tuple[Draw, str, int]] = []
    # In one order, so that two who draw on the same do not wait for each other.
    for draw in sorted(draws, key=lambda one: (one.budget.name, one.subject)):
        budget, subject = draw.budget, _hidden(draw.subject)
        await unit.alone("budget", budget.name, subject)
        mine = (table.c.budget == budget.name) & (table.c.subject == subject) & (table.c.at > now - budget.within)
        used: int = (await unit.execute(select(func.count()).select_from(table).where(mine))).scalar_one()
        if used >= budget.most:
            refusals.note(budget.name)
            return False
        counted.append((draw, subject, used + 1))
    for draw, subject, used in counted:
        await unit.execute(insert(table).values(budget=draw.budget.name, subject=subject, at=now))
        if not draw.subject:
            refusals.spent(draw.budget.name, used, draw.budget.most)
    return True


async def erase(unit: Unit, now: datetime) -> int:
    """Erase what no budget looks at any more. How many."""
    return int((await unit.execute(delete(table).where(table.c.at <= now - LONGEST))).rowcount)


def _hidden(subject: str) -> str:
    """A subject is known again, and not read: it may be somebody's address."""
    if subject:
        return hashlib.sha256(subject.encode()).hexdigest()[:32]
    return ""
