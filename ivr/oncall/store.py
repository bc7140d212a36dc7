"""The night's statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, exists, select, update

from ivr.oncall import tables as t
from ivr.oncall.rota import Stint
from ivr.oncall.storms import Due, Standing
from ivr.store.engine import Unit
from ivr.tickets.model import DONE
from ivr.tickets.tables import messages, tickets


@dataclass(frozen=True, kw_only=True)
class Emergency:
    """An urgent message, and how far it has come."""

    id: int
    message_id: int
    ticket_number: int
    desk: str
    number: str | None
    #: Whether its caller is a customer.
    known: bool
    #: Whether it is paged for all that were merged into it.
    bundle: bool
    merged_into: int | None
    left_at: datetime
    pages: int
    notified_at: datetime | None
    taken_at: datetime | None
    taken_by: str | None
    called_back_at: datetime | None
    called_back_by: str | None
    late_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PageCall:
    """One ringing of one person for one emergency."""

    id: int
    emergency_id: int
    desk: str
    nth: int
    person: str | None
    number: str
    state: str
    channel: str | None
    outcome: str | None
    due_at: datetime
    dialled_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None


async def overrides(unit: Unit, desk: str, start: datetime, end: datetime) -> list[tuple[int, Stint]]:
    """A desk's overrides that touch this time, with their ids, the earliest first."""
    table = t.oncall_overrides
    query = select(table).where(table.c.desk == desk, table.c.starts_at < end, table.c.ends_at > start)
    rows = await unit.execute(query.order_by(table.c.starts_at))
    return [(row.id, Stint(start=row.starts_at, end=row.ends_at, person=row.person, override=True)) for row in rows]


async def add_override(
    unit: Unit, desk: str, stint: Stint, *, who: str, event: str | None = None, occurrence: str | None = None
) -> int:
    """A new override's id. `event` and `occurrence` are where in a calendar it came from, if it did."""
    values = {"desk": desk, "person": stint.person, "starts_at": stint.start, "ends_at": stint.end, "who": who}
    values |= {"event": event, "occurrence": occurrence}
    made: int = (
        await unit.execute(unit.insert(t.oncall_overrides).values(values).returning(t.oncall_overrides.c.id))
    ).scalar_one()
    return made


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An override that came from a calendar."""

    id: int
    event: str
    occurrence: str
    stint: Stint


async def imported(unit: Unit, desk: str, events: Iterable[str]) -> list[Imported]:
    """A desk's overrides that came from these events."""
    table = t.oncall_overrides
    rows = await unit.execute(select(table).where(table.c.desk == desk, table.c.event.in_(list(events))))
    found = []
    for row in rows:
        stint = Stint(start=row.starts_at, end=row.ends_at, person=row.person, override=True)
        found.append(Imported(id=row.id, event=row.event, occurrence=row.occurrence or "", stint=stint))
    return found


async def versions(unit: Unit, desk: str, events: Iterable[str]) -> dict[tuple[str, str], tuple[int, datetime]]:
    """The last version of these events that was imported: SEQUENCE and DTSTAMP, by event and occurrence."""
    table = t.oncall_events
    rows = await unit.execute(select(table).where(table.c.desk == desk, table.c.event.in_(list(events))))
    return {(row.event, row.occurrence): (row.sequence, row.stamped_at) for row in rows}


async def keep_version(
    unit: Unit, desk: str, event: str, occurrence: str, *, sequence: int, stamped_at: datetime
) -> None:
    """Remember the version of an event that was imported."""
    row = {"desk": desk, "event": event, "occurrence": occurrence, "sequence": sequence, "stamped_at": stamped_at}
    put = unit.insert(t.oncall_events).values(row)
    changed = {"sequence": sequence, "stamped_at": stamped_at}
    await unit.execute(put.on_conflict_do_update(index_elements=["desk", "event", "occurrence"], set_=changed))


async def remove_override(unit: Unit, desk: str, override_id: int) -> bool:
    """Remove an override. Returns whether there was one."""
    table = t.oncall_overrides
    done = await unit.execute(table.delete().where(table.c.id == override_id, table.c.desk == desk))
    return done.rowcount == 1


@cache
def _new_messages() -> Select[Any]:
    """Made once: it is asked every two seconds, and making it costs more than running it. As the next one."""
    table = t.emergencies
    query = select(messages).outerjoin(table, table.c.message_id == messages.c.id)
    query = query.where(messages.c.urgent, messages.c.created_at >= bindparam("since"), table.c.id.is_(None))
    return query.order_by(messages.c.id).limit(bindparam("most"))


@cache
def _waiting() -> Select[Any]:
    table = t.emergencies
    mine = (table.c.taken_at.is_(None), table.c.merged_into.is_(None), table.c.left_at >= bindparam("since"))
    return select(table).where(*mine).order_by(table.c.id)


async def new_messages(unit: Unit, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Urgent messages left since then that are no emergencies yet, the oldest first."""
    return [dict(row) for row in (await unit.execute(_new_messages(), {"since": since, "most": limit})).mappings()]


async def add(unit: Unit, values: Mapping[str, Any]) -> Emergency | None:
    """A new emergency; None when the message is one already."""
    statement = unit.insert(t.emergencies).values(values).on_conflict_do_nothing().returning(t.emergencies)
    row = (await unit.execute(statement)).mappings().one_or_none()
    if row is not None:
        return Emergency(**row)
    return None


async def waiting(unit: Unit, since: datetime) -> list[Emergency]:
    """Return the emergencies left since then and not taken, the oldest first."""
    return [Emergency(**row) for row in (await unit.execute(_waiting(), {"since": since})).mappings()]


async def standing(unit: Unit, desk: str, *, waiting_since: datetime, left_since: datetime) -> list[Standing]:
    """A desk's emergencies that are or were paged for: those that wait, and those that were left lately."""
    table = t.emergencies
    waits = table.c.taken_at.is_(None) & (table.c.left_at >= waiting_since)
    columns = [table.c[name] for name in Standing.__dataclass_fields__]
    mine = (table.c.desk == desk) & table.c.merged_into.is_(None)
    query = select(*columns).where(mine, waits | (table.c.left_at >= left_since)).order_by(table.c.id)
    return [Standing(**row) for row in (await unit.execute(query)).mappings()]


async def bundle_taken_at(unit: Unit, desk: str, *, known: bool) -> datetime | None:
    """Return when a bundle of this kind was taken last."""
    table = t.emergencies
    mine = (table.c.desk == desk) & (table.c.known == known) & table.c.bundle & table.c.taken_at.is_not(None)
    query = select(table.c.taken_at).where(mine).order_by(table.c.id.desc()).limit(1)
    found: datetime | None = (await unit.execute(query)).scalar_one_or_none()
    return found


async def left_in_bundle(unit: Unit, emergency_id: int) -> list[int]:
    """Return a bundle's tickets without work since their message was left, the oldest first."""
    table = t.emergencies
    members = (table.c.id == emergency_id) | (table.c.merged_into == emergency_id)
    undone = tickets.c.status.not_in(DONE) & (
        tickets.c.answered_at.is_(None) | (tickets.c.answered_at < table.c.left_at)
    )
    query = select(tickets.c.number).join(table, table.c.ticket_number == tickets.c.number).where(members, undone)
    return list((await unit.execute(query.distinct().order_by(tickets.c.number))).scalars())


async def get(unit: Unit, emergency_id: int) -> Emergency | None:
    """An emergency."""
    row = (await unit.execute(select(t.emergencies).where(t.emergencies.c.id == emergency_id))).mappings().one_or_none()
    if row is not None:
        return Emergency(**row)
    return None


async def lock(unit: Unit, emergency_id: int) -> Emergency | None:
    """Return an emergency, locked until this transaction ends."""
    query = select(t.emergencies).where(t.emergencies.c.id == emergency_id).with_for_update()
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is not None:
        return Emergency(**row)
    return None


async def change(unit: Unit, emergency_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of an emergency, and of those that were merged into it."""
    table = t.emergencies
    which = (table.c.id == emergency_id) | (table.c.merged_into == emergency_id)
    await unit.execute(update(table).where(which).values(values))


async def left_between(unit: Unit, desk: str, start: datetime, end: datetime) -> list[Emergency]:
    """A desk's emergencies of a time, the oldest first."""
    table = t.emergencies
    query = select(table).where(table.c.desk == desk, table.c.left_at >= start, table.c.left_at < end)
    return [Emergency(**row) for row in (await unit.execute(query.order_by(table.c.id))).mappings()]


async def add_page_call(
    unit: Unit, emergency_id: int, *, nth: int, person: str | None, number: str, at: datetime
) -> None:
    """Somebody is to be rung; once for each page."""
    values = {
        "emergency_id": emergency_id,
        "nth": nth,
        "person": person,
        "number": number,
        "state": "due",
        "due_at": at,
    }
    await unit.execute(unit.insert(t.page_calls).values(values).on_conflict_do_nothing())


@dataclass(frozen=True, kw_only=True)
class OpenCall:
    """A page call that is not over, and what decides when its turn is."""

    call: PageCall
    #: Whether its emergency was taken.
    taken: bool
    due: Due


async def open_page_calls(unit: Unit) -> list[OpenCall]:
    """Page calls that are not over, the earliest first."""
    found = []
    for row in (await unit.execute(_open_page_calls())).mappings():
        facts = dict(row)
        taken = facts.pop("taken_at") is not None
        known, left_at, rung = facts.pop("known"), facts.pop("left_at"), facts.pop("rung")
        call = PageCall(**facts)
        due = Due(
            id=call.id,
            emergency=call.emergency_id,
            number=call.number,
            known=known,
            left_at=left_at,
            rung=bool(rung),
        )
        found.append(OpenCall(call=call, taken=taken, due=due))
    return found


async def page_call(unit: Unit, call: int) -> PageCall | None:
    """One page call."""
    row = (await unit.execute(_page_calls().where(t.page_calls.c.id == call))).mappings().one_or_none()
    if row is not None:
        return PageCall(**row)
    return None


async def page_calls(unit: Unit, emergency_id: int) -> list[PageCall]:
    """All of an emergency's, the earliest first."""
    query = _page_calls().where(t.page_calls.c.emergency_id == emergency_id).order_by(t.page_calls.c.id)
    return [PageCall(**row) for row in (await unit.execute(query)).mappings()]


@cache
def _open_page_calls() -> Select[Any]:
    """Made once: it is asked every second."""
    before = t.page_calls.alias()
    mine = (before.c.emergency_id == t.page_calls.c.emergency_id) & before.c.dialled_at.is_not(None)
    c = t.emergencies.c
    columns = (c.taken_at, c.known, c.left_at, exists().where(mine).label("rung"))
    query = _page_calls().add_columns(*columns).where(t.page_calls.c.state != "ended")
    return query.order_by(t.page_calls.c.id)


def _page_calls() -> Select[Any]:
    joined = t.page_calls.join(t.emergencies, t.emergencies.c.id == t.page_calls.c.emergency_id)
    return select(t.page_calls, t.emergencies.c.desk).select_from(joined)


async def last_paged(unit: Unit, number: str, *, since: datetime) -> tuple[Emergency, str] | None:
    """The emergency left since then for which this number was paged last, one that waits before others; and who was."""
    joined = t.page_calls.join(t.emergencies, t.emergencies.c.id == t.page_calls.c.emergency_id)
    query = select(t.emergencies, t.page_calls.c.person).select_from(joined)
    query = query.where(t.page_calls.c.number == number, t.emergencies.c.left_at >= since)
    query = query.order_by(t.emergencies.c.taken_at.is_not(None), t.page_calls.c.id.desc()).limit(1)
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    facts = dict(row)
    person = facts.pop("person")
    return Emergency(**facts), str(person or "fallback")


async def begin_page_call(unit: Unit, call: int, *, channel: str, at: datetime) -> bool:
    """Note that a page call begins. Returns whether it is ours to dial: no other has begun it."""
    due = (t.page_calls.c.id == call) & (t.page_calls.c.state == "due")
    values = {"state": "dialling", "channel": channel, "dialled_at": at}
    return (await unit.execute(update(t.page_calls).where(due).values(values))).rowcount == 1


async def page_again(unit: Unit, call: int) -> None:
    """A call that was being dialled is due again."""
    dialling = (t.page_calls.c.id == call) & (t.page_calls.c.state == "dialling")
    values = {"state": "due", "channel": None, "dialled_at": None}
    await unit.execute(update(t.page_calls).where(dialling).values(values))


async def change_page_call(unit: Unit, call: int, values: Mapping[str, Any]) -> None:
    """Set columns of a page call."""
    await unit.execute(update(t.page_calls).where(t.page_calls.c.id == call).values(values))


async def end_page_call(unit: Unit, call: int, *, outcome: str, at: datetime) -> PageCall | None:
    """The call as it ended, with the outcome that it had before, if any; None when it was over already."""
    await unit.alone("page call", call)
    found = await page_call(unit, call)
    if found is None or found.state == "ended":
        return None
    over = replace(found, state="ended", outcome=found.outcome or outcome, ended_at=at)
    await change_page_call(unit, call, {"state": over.state, "outcome": over.outcome, "ended_at": at})
    return over
