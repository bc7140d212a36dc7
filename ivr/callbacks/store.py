"""The callbacks' statements. A change names the state it changes from, so that of two who try one succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, tuple_, update

from ivr.callbacks.model import ENDED, Callback, State
from ivr.callbacks.tables import callback_offers, callbacks
from ivr.desk.schema import CallbackRules
from ivr.store.engine import Unit

#: The longest wait in a queue.
_LONGEST_CALL = timedelta(days=1)

_COLUMNS = [column for column in callbacks.c if column.name != "active_key"]


def _values(one: Callback) -> dict[str, Any]:
    return dict(vars(one)) | {"active_key": None if one.ended else f"{one.desk}:{one.number}"}


async def first_spoken(unit: Unit, call_id: str, *, since: datetime) -> datetime | None:
    """Return when one of ours first spoke with a caller who was called back, of a call that began at `since` (OV-9)."""
    back = callbacks.c
    # By its index: a callback is asked for while the call lasts.
    asked = (back.call_id == call_id) & back.requested_at.between(since, since + _LONGEST_CALL)
    # A customer who was called first has pressed 1, and may still wait.
    spoke = back.answered_at.is_not(None) & ((back.mode == "technician_first") | (back.state == "done"))
    first = select(back.answered_at).where(asked, spoke).order_by(back.answered_at).limit(1)
    found: datetime | None = (await unit.execute(first)).scalar_one_or_none()
    return found


async def add(unit: Unit, one: Callback) -> Callback:
    """A new callback; the one that the number has at this desk already, when there is one."""
    statement = unit.insert(callbacks).values(_values(one)).on_conflict_do_nothing().returning(callbacks.c.id)
    if (await unit.execute(statement)).scalar_one_or_none() is not None:
        return one
    active = await active_of(unit, desk=one.desk, number=one.number)
    return active or one


async def change(unit: Unit, one: Callback, *, was: State) -> bool:
    """Write a callback whose state was `was`; False when somebody else changed it meanwhile."""
    statement = (
        update(callbacks).where(callbacks.c.id == one.id, callbacks.c.state == was).values(_values(one))
    ).returning(callbacks.c.id)
    return (await unit.execute(statement)).scalar_one_or_none() is not None


async def get(unit: Unit, callback_id: str) -> Callback | None:
    """One callback."""
    row = (await unit.execute(select(*_COLUMNS).where(callbacks.c.id == callback_id))).mappings().one_or_none()
    if row is not None:
        return Callback(**row)
    return None


async def active(unit: Unit) -> list[Callback]:
    """All that have not ended."""
    rows = await unit.execute(select(*_COLUMNS).where(callbacks.c.state.not_in(ENDED)))
    return [Callback(**row) for row in rows.mappings()]


async def active_of(unit: Unit, *, desk: str, number: str) -> Callback | None:
    """The one that a number has at a desk."""
    found = await unit.execute(select(*_COLUMNS).where(callbacks.c.active_key == f"{desk}:{number}"))
    row = found.mappings().one_or_none()
    if row is not None:
        return Callback(**row)
    return None


async def page(
    unit: Unit, *, desk: str | None, state: State | None, number: str | None, limit: int, before: Callback | None
) -> list[Callback]:
    """The latest requests first."""
    statement = select(*_COLUMNS).order_by(callbacks.c.requested_at.desc(), callbacks.c.id.desc()).limit(limit)
    for column, value in ((callbacks.c.desk, desk), (callbacks.c.state, state), (callbacks.c.number, number)):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        # Requests of one moment are told apart by their ids.
        here = tuple_(callbacks.c.requested_at, callbacks.c.id)
        statement = statement.where(here < tuple_(before.requested_at, before.id))
    return [Callback(**row) for row in (await unit.execute(statement)).mappings()]


async def limit_reached(
    unit: Unit, rules: CallbackRules, *, desk: str, number: str, customer_id: int | None, now: datetime
) -> str | None:
    """Which limit of the last 24 hours a further request would exceed: number, customer or day."""
    since = (callbacks.c.desk == desk) & (callbacks.c.requested_at > now - timedelta(days=1))

    async def count(*conditions: Any) -> int:
        return int(
            (await unit.execute(select(func.count()).select_from(callbacks).where(since, *conditions))).scalar_one()
        )

    if await count(callbacks.c.number == number) >= rules.per_number:
        return "number"
    if customer_id is not None and await count(callbacks.c.customer_id == customer_id) >= rules.per_customer:
        return "customer"
    if await count() >= rules.per_day:
        return "day"
    return None


async def offered(unit: Unit, *, call_id: str, desk: str, at: datetime) -> None:
    """A caller was offered a callback; once per call."""
    values = {"call_id": call_id, "desk": desk, "at": at}
    await unit.execute(unit.insert(callback_offers).values(values).on_conflict_do_nothing())


async def funnel(unit: Unit, *, desk: str, since: datetime) -> Mapping[str, int]:
    """Return counts of callbacks offered, accepted, dialled, answered (1 pressed), talked; and of the other ends."""
    offers = select(func.count()).select_from(callback_offers)
    offers = offers.where(callback_offers.c.desk == desk, callback_offers.c.at >= since)
    mine = (callbacks.c.desk == desk) & (callbacks.c.requested_at >= since)

    async def count(*conditions: Any) -> int:
        return int(
            (await unit.execute(select(func.count()).select_from(callbacks).where(mine, *conditions))).scalar_one()
        )

    return {
        "offered": int((await unit.execute(offers)).scalar_one()),
        "accepted": await count(),
        "dialled": await count(callbacks.c.attempts > 0),
        "answered": await count(callbacks.c.answered_at.is_not(None)),
        "talked": await count(callbacks.c.state == "done"),
        "cancelled": await count(callbacks.c.state == "cancelled"),
        "refused": await count(callbacks.c.state == "refused"),
        "expired": await count(callbacks.c.state == "expired"),
    }


async def answered_at(unit: Unit, *, call_id: str, began: datetime) -> datetime | None:
    """Return when a technician first spoke with the person who asked for a callback during this call (OV-9).

    None before that. `began` is when the call did.
    """
    table = callbacks.c
    # By its index: a callback is asked for while the call lasts.
    asked = (table.call_id == call_id) & table.requested_at.between(began, began + _LONGEST_CALL)
    # Who was called first has pressed 1, and may still wait.
    spoke = table.answered_at.is_not(None) & ((table.mode == "technician_first") | (table.state == "done"))
    first = select(table.answered_at).where(asked, spoke).order_by(table.answered_at).limit(1)
    found: datetime | None = (await unit.execute(first)).scalar_one_or_none()
    return found
