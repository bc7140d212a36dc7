"""Budgets are kept in the database, and drawn on by everybody or by nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from ivr.notify.budgets import Budget, Draw, erase, spend
from ivr.notify.tables import spendings
from ivr.refusals import Refusals
from ivr.store.engine import Store

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
HOUR = Budget(name="hour", most=3, within=timedelta(hours=1))
ONE = Budget(name="one", most=2, within=timedelta(days=1))


async def draw(store: Store, subject: str, at: datetime = NOW, refusals: Refusals | None = None) -> bool:
    async with store.unit() as unit:
        draws = [Draw(budget=HOUR), Draw(budget=ONE, subject=subject)]
        return await spend(unit, draws, now=at, refusals=refusals or Refusals())


async def test_all_or_none_are_drawn_on(store: Store) -> None:
    reasons: list[str] = []
    refusals = Refusals(count=reasons.append)
    assert [await draw(store, "a", refusals=refusals) for _ in range(3)] == [True, True, False]
    assert await draw(store, "b", refusals=refusals)
    assert not await draw(store, "c", refusals=refusals)
    assert reasons == ["one", "hour"]
    assert await draw(store, "c", NOW + timedelta(hours=1))
    assert not await draw(store, "a", NOW + timedelta(hours=1))
    assert await draw(store, "a", NOW + timedelta(days=1))


async def test_many_at_once_draw_no_more_than_there_is(store: Store) -> None:
    assert sum(await asyncio.gather(*(draw(store, str(n)) for n in range(10)))) == HOUR.most


async def test_who_it_was_for_cannot_be_read_and_is_forgotten(store: Store) -> None:
    await draw(store, "nom@exemple.ca")
    async with store.unit() as unit:
        rows = [str(row) for row in await unit.execute(select(spendings))]
        assert len(rows) == 2
        assert "exemple" not in " ".join(rows)
        assert await erase(unit, NOW + timedelta(hours=23)) == 0
        assert await erase(unit, NOW + timedelta(days=1)) == 2


@pytest.mark.parametrize(("most", "within"), [(0, timedelta(hours=1)), (1, timedelta(days=2))])
def test_a_budget_that_cannot_be_kept_is_refused(most: int, within: timedelta) -> None:
    with pytest.raises(ValueError, match="budget"):
        Budget(name="x", most=most, within=within)
