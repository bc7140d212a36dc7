"""The tickets' statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ClauseElement, Select, String, bindparam, func, insert, select, update

from ivr.directory.store import customer_with_account, customers_of_partner
from ivr.store.engine import Unit, insert_into
from ivr.tickets import tables as t
from ivr.tickets.model import OPEN, Ticket

_COLUMNS = [column for column in t.tickets.c if column.name not in ("intake_key", "due_at")]
_BY_NUMBER = select(*_COLUMNS).where(t.tickets.c.number == bindparam("wanted"))
_ADD_EVENT = insert(t.ticket_events)
_DUE = (
    select(t.tickets.c.number, t.tickets.c.due_at)
    .where(t.tickets.c.due_at.is_not(None), t.tickets.c.due_at <= bindparam("now"))
    .order_by(t.tickets.c.due_at)
    .limit(bindparam("most"))
)


async def add(unit: Unit, values: Mapping[str, Any]) -> Ticket | None:
    """A new ticket; None when its key or its call has one already. Without a `customer_id`, its account's customer."""
    found = {name: value for name, value in values.items() if isinstance(value, ClauseElement)}
    plain = {name: value for name, value in values.items() if name not in found}
    if "customer_id" not in values:
        plain["of_account"] = values.get("account_number")
    statement = _insert(unit.dialect, by_account="customer_id" not in values)
    row = (await unit.execute(statement.values(found) if found else statement, plain)).mappings().one_or_none()
    if row is not None:
        return Ticket(**row)
    return None


@cache
def _insert(dialect: str, *, by_account: bool) -> Any:
    """Made once, as the other statements that every new ticket needs: making them costs more than running them."""
    statement = insert_into(t.tickets, dialect).on_conflict_do_nothing().returning(*_COLUMNS)
    if by_account:
        statement = statement.values(customer_id=customer_with_account(bindparam("of_account", type_=String)))
    return statement


async def find(unit: Unit, *, intake_key: str | None = None, call_id: str | None = None) -> Ticket | None:
    """The ticket that was entered under this key, or else belongs to this call."""
    for column, value in ((t.tickets.c.intake_key, intake_key), (t.tickets.c.call_id, call_id)):
        if value is not None and (found := await _one(unit, select(*_COLUMNS).where(column == value))) is not None:
            return found
    return None


async def of_call(unit: Unit, call_id: str) -> Ticket | None:
    """The ticket that a call has, or that its message joined."""
    if (own := await find(unit, call_id=call_id)) is not None:
        return own
    joined = select(t.messages.c.ticket_number).where(t.messages.c.call_id == call_id).limit(1).scalar_subquery()
    return await _one(unit, select(*_COLUMNS).where(t.tickets.c.number == joined))


async def of_recent_message(
    unit: Unit, *, desk: str, department: str, number: str | None, endpoint: str | None, since: datetime
) -> Ticket | None:
    """The ticket, while it is open, of the last message that this number left for a department since then, or that this
    phone left where its number is not known."""
    message = t.messages.c
    if number is not None:
        mine = message.number == number
    else:
        mine = message.endpoint == endpoint
    left = (message.desk == desk) & (message.department == department) & (message.created_at >= since) & mine
    last = select(message.ticket_number).join(t.tickets).where(left, t.tickets.c.status.in_(OPEN))
    last = last.order_by(message.id.desc()).limit(1)
    return await _one(unit, select(*_COLUMNS).where(t.tickets.c.number == last.scalar_subquery()))


async def get(unit: Unit, number: int) -> Ticket | None:
    """A ticket."""
    return await _one(unit, _BY_NUMBER, {"wanted": number})


async def lock(unit: Unit, number: int) -> Ticket | None:
    """Return a ticket, locked until this transaction ends."""
    return await _one(unit, select(*_COLUMNS).where(t.tickets.c.number == number).with_for_update())


async def change(unit: Unit, number: int, values: Mapping[str, Any]) -> None:
    """Set columns of a ticket."""
    await unit.execute(update(t.tickets).where(t.tickets.c.number == number).values(values))


async def count_about(unit: Unit, incident_id: int) -> tuple[int, int]:
    """Return how many tickets are about an incident, and how many of them are open."""
    is_open = func.count().filter(t.tickets.c.status.in_(OPEN)).label("still_open")
    query = select(func.count().label("total"), is_open).where(t.tickets.c.incident_id == incident_id)
    row = (await unit.execute(query)).one()
    return row.total, row.still_open


async def due(unit: Unit, now: datetime, limit: int) -> dict[int, datetime]:
    """The tickets whose clocks are to be looked at by now, and since when; the earliest first."""
    rows = await unit.execute(_DUE, {"now": now, "most": limit})
    return {row.number: row.due_at for row in rows}


async def with_clocks(unit: Unit, *, after: int, limit: int) -> dict[int, datetime | None]:
    """The tickets with a running clock, by number, and when it is to be looked at."""
    table, spans = t.tickets, t.ticket_spans
    query = select(table.c.number, table.c.due_at).join(spans, spans.c.ticket_number == table.c.number)
    query = query.where(spans.c.ended_at.is_(None), table.c.number > after).distinct()
    rows = await unit.execute(query.order_by(table.c.number).limit(limit))
    return {row.number: row.due_at for row in rows}


async def promised_by(unit: Unit, now: datetime, limit: int) -> list[Ticket]:
    """Return open tickets past their promise, of which staff were not told, the oldest first."""
    ticket, alarm = t.tickets.c, t.ticket_alarms.c
    told = select(alarm.ticket_number).where(alarm.ticket_number == ticket.number, alarm.clock == "due").exists()
    late = ticket.promised_at.is_not(None) & (ticket.promised_at <= now) & ticket.answered_at.is_(None)
    query = select(*_COLUMNS).where(late, ticket.status.in_(OPEN), ~told).order_by(ticket.promised_at).limit(limit)
    return [Ticket(**row) for row in (await unit.execute(query)).mappings()]


async def look_again(unit: Unit, number: int, *, seen: datetime | None, at: datetime | None) -> bool:
    """Set when a ticket's clocks are to be looked at, unless that was changed since it was `seen`; whether it was."""
    column = t.tickets.c.due_at
    still = column.is_(None) if seen is None else column == seen
    done = await unit.execute(update(t.tickets).where(t.tickets.c.number == number, still).values(due_at=at))
    return done.rowcount == 1


async def several(unit: Unit, numbers: Iterable[int]) -> list[Ticket]:
    """These tickets, by number."""
    query = select(*_COLUMNS).where(t.tickets.c.number.in_(list(numbers))).order_by(t.tickets.c.number)
    return [Ticket(**row) for row in (await unit.execute(query)).mappings()]


async def page(
    unit: Unit, *, filters: Mapping[str, Any], only_open: bool, before: int | None, limit: int
) -> list[Ticket]:
    """Tickets that match every filter, the newest first, with numbers below `before`."""
    query = select(*_COLUMNS).order_by(t.tickets.c.number.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(t.tickets.c[name] == value)
    if only_open:
        query = query.where(t.tickets.c.status.in_(OPEN))
    if before is not None:
        query = query.where(t.tickets.c.number < before)
    return [Ticket(**row) for row in (await unit.execute(query)).mappings()]


async def of_partner(unit: Unit, partner_id: int, *, number: int | None = None, limit: int = 1) -> list[Ticket]:
    """Tickets of a partner's customers, and theirs of nobody's customer, the newest first; or the one with this number.

    A ticket of somebody else's customer is not theirs, whichever partner has it or had it (OV-27).
    """
    ticket = t.tickets.c
    nobodys = ticket.customer_id.is_(None) & (ticket.partner_id == partner_id)
    query = select(*_COLUMNS).where(ticket.customer_id.in_(customers_of_partner(partner_id)) | nobodys)
    if number is not None:
        query = query.where(ticket.number == number)
    rows = (await unit.execute(query.order_by(ticket.number.desc()).limit(limit))).mappings()
    return [Ticket(**row) for row in rows]


async def opened_between(unit: Unit, start: datetime, end: datetime) -> list[int]:
    """The numbers of the tickets that were opened from `start` to before `end`."""
    opened = (t.tickets.c.created_at >= start) & (t.tickets.c.created_at < end)
    return list((await unit.execute(select(t.tickets.c.number).where(opened))).scalars())


async def first_due(unit: Unit, limit: int) -> list[int]:
    """The numbers of open tickets with a running clock, by when it is to be looked at."""
    ticket = t.tickets.c
    query = select(ticket.number).where(ticket.due_at.is_not(None), ticket.status.in_(OPEN))
    return list((await unit.execute(query.order_by(ticket.due_at).limit(limit))).scalars())


async def open_tickets(unit: Unit, customer_id: int, limit: int = 20) -> list[Ticket]:
    """A customer's tickets that are not done, the newest first."""
    return await page(unit, filters={"customer_id": customer_id}, only_open=True, before=None, limit=limit)


async def add_event(
    unit: Unit, number: int, *, at: datetime, who: str, kind: str, changes: Mapping[str, Any], version: int
) -> None:
    """Note what was done to a ticket."""
    values = {"ticket_number": number, "at": at, "who": who, "kind": kind, "changes": changes, "version": version}
    await unit.execute(_ADD_EVENT, values)


async def note(
    unit: Unit,
    ticket: Ticket,
    *,
    at: datetime,
    who: str,
    kind: str,
    changes: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
) -> None:
    """Write columns of a ticket, one more version, and the history's entry of that version.

    `ticket` is as it is now, locked. `changes` is what the history tells, `values` the columns.
    """
    version = ticket.version + 1
    await change(unit, ticket.number, {**(values or {}), "version": version, "updated_at": at})
    await add_event(unit, ticket.number, at=at, who=who, kind=kind, changes=changes, version=version)


async def events(unit: Unit, number: int) -> list[dict[str, Any]]:
    """A ticket's history, the oldest first."""
    table = t.ticket_events
    query = select(table.c.at, table.c.who, table.c.kind, table.c.changes, table.c.version)
    return await _dicts(unit, query.where(table.c.ticket_number == number).order_by(table.c.id))


async def add_message(unit: Unit, values: Mapping[str, Any]) -> int | None:
    """A new voice message's id; None when its key has one already."""
    statement = unit.insert(t.messages).values(values).on_conflict_do_nothing().returning(t.messages.c.id)
    found: int | None = (await unit.execute(statement)).scalar_one_or_none()
    return found


async def ticket_of_message(unit: Unit, key: str) -> int | None:
    """The number of the ticket that a message, known by its key, belongs to."""
    query = select(t.messages.c.ticket_number).where(t.messages.c.key == key)
    number: int | None = (await unit.execute(query)).scalar_one_or_none()
    return number


async def without_transcript(unit: Unit, since: datetime, without: Sequence[int]) -> dict[str, Any] | None:
    """Return the oldest recording since then that is not transcribed, but for some."""
    lacking = t.messages.c.transcript.is_(None) & (t.messages.c.file != "") & t.messages.c.id.not_in(without)
    query = select(t.messages).where(lacking, t.messages.c.created_at > since).order_by(t.messages.c.id).limit(1)
    row = (await unit.execute(query)).mappings().one_or_none()
    if row is not None:
        return dict(row)
    return None


async def put_transcript(unit: Unit, message_id: int, text: str) -> None:
    """What a message says."""
    await unit.execute(update(t.messages).where(t.messages.c.id == message_id).values(transcript=text))


async def messages(unit: Unit, *, number: int | None = None, message_id: int | None = None) -> list[dict[str, Any]]:
    """A ticket's voice messages, the oldest first; or the one with this id."""
    query = select(t.messages).order_by(t.messages.c.id)
    if number is not None:
        query = query.where(t.messages.c.ticket_number == number)
    if message_id is not None:
        query = query.where(t.messages.c.id == message_id)
    return await _dicts(unit, query)


async def _one(unit: Unit, query: Select[Any], values: Mapping[str, Any] | None = None) -> Ticket | None:
    row = (await unit.execute(query, values)).mappings().one_or_none()
    if row is not None:
        return Ticket(**row)
    return None


async def _dicts(unit: Unit, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await unit.execute(query)).mappings()]
