"""The outbox's statements. A row is changed only by whoever holds its lease."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, literal, or_, select, update

from ivr.notify import tables as t
from ivr.notify.delivery import LIFETIME, Kind, Standing, State, Step, TextTrouble, text_trouble
from ivr.store.engine import Unit
from ivr.store.metadata import Moment

#: To be worked on when their time has come.
_WAITING: tuple[State, ...] = ("pending", "unknown")
_HELD: tuple[State, ...] = ("leased", "sending", "reconciling")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One row of the outbox, without its lease."""

    id: int
    kind: Kind
    recipient: str
    subject: str
    body: str
    language: str
    ticket_number: int | None
    leave_url: str | None = None
    state: State
    created_at: datetime
    key: str
    attempts: int
    next_at: datetime | None
    expires_at: datetime
    begun_at: datetime | None
    unknown_since: datetime | None
    sent_at: datetime | None
    provider_id: str | None
    provider_status: str | None
    error: str | None

    @property
    def standing(self) -> Standing:
        """For the rules."""
        return Standing(
            kind=self.kind,
            state=self.state,
            attempts=self.attempts,
            expires_at=self.expires_at,
            unknown_since=self.unknown_since,
            error=self.error,
        )

    def brief(self) -> dict[str, Any]:
        """For events; nobody's address is in it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "subject": self.subject if self.kind == "webhook" else None,
            "ticket": str(self.ticket_number) if self.ticket_number is not None else None,
            "attempts": self.attempts,
        }


_COLUMNS = [t.outbox.c[name] for name in Notice.__dataclass_fields__]


def _notice(row: Mapping[Any, Any]) -> Notice:
    values: dict[str, Any] = dict(row)
    # Rows of before the worker have no such moment.
    values["expires_at"] = values["expires_at"] or values["created_at"] + LIFETIME[values["kind"]]
    return Notice(**values)


def _due(kind: Kind, now: datetime) -> ColumnElement[bool]:
    c = t.outbox.c
    return and_(c.kind == kind, c.state.in_(_WAITING), c.next_at <= now)


async def anything_due(unit: Unit, kind: Kind, now: datetime) -> bool:
    """Return whether it is worth a transaction that writes."""
    c = t.outbox.c
    lost = and_(c.kind == kind, c.state.in_(_HELD), c.leased_until <= now)
    return (await unit.execute(select(c.id).where(or_(_due(kind, now), lost)).limit(1))).first() is not None


async def claim(unit: Unit, kind: Kind, *, now: datetime, until: datetime, limit: int) -> list[tuple[Notice, str]]:
    """Hold up to `limit` rows whose time has come, the longest waiting first: each with its lease."""
    c = t.outbox.c
    due = select(c.id).where(_due(kind, now)).order_by(c.next_at, c.id).limit(limit)
    claimed: list[tuple[Notice, str]] = []
    for row_id in (await unit.execute(due.with_for_update(skip_locked=True))).scalars().all():
        for before, after in (("pending", "leased"), ("unknown", "reconciling")):
            lease = secrets.token_hex(16)
            statement = (
                update(t.outbox)
                .where(c.id == row_id, c.state == before, c.next_at <= now)
                .values(state=after, lease=lease, leased_until=until)
                .returning(*_COLUMNS)
            )
            row = (await unit.execute(statement)).mappings().one_or_none()
            if row is not None:
                claimed.append((_notice(row), lease))
                break
    return claimed


async def lost(unit: Unit, kind: Kind, now: datetime, limit: int = 100) -> list[tuple[Notice, str]]:
    """Rows whose holder did not come back in time, with the lease that it had."""
    c = t.outbox.c
    query = select(*_COLUMNS, c.lease).where(c.kind == kind, c.state.in_(_HELD), c.leased_until <= now).limit(limit)
    rows = (await unit.execute(query.with_for_update(skip_locked=True))).mappings().all()
    return [(_notice({k: v for k, v in row.items() if k != "lease"}), row["lease"]) for row in rows]


async def begin(unit: Unit, row_id: int, lease: str, *, now: datetime, until: datetime) -> Notice | None:
    """Write down that it is about to leave, and hold it anew; None when the lease is another's by now."""
    c = t.outbox.c
    statement = (
        update(t.outbox)
        .where(c.id == row_id, c.lease == lease, c.state == "leased", c.leased_until > now)
        .values(
            state="sending",
            leased_until=until,
            attempts=c.attempts + 1,
            begun_at=func.coalesce(c.begun_at, literal(now, Moment)),
        )
        .returning(*_COLUMNS)
    )
    row = (await unit.execute(statement)).mappings().one_or_none()
    if row is not None:
        return _notice(row)
    return None


async def step(
    unit: Unit,
    row_id: int,
    lease: str,
    taken: Step,
    *,
    now: datetime,
    provider_id: str | None = None,
    provider_status: str | None = None,
) -> Notice | None:
    """Let go of a row in its new state; None when the lease is another's by now."""
    c = t.outbox.c
    values: dict[str, Any] = {
        "state": taken.state,
        "next_at": taken.next_at,
        "unknown_since": taken.unknown_since,
        "error": taken.error[:500] if taken.error else None,
        "lease": None,
        "leased_until": None,
    }
    if taken.state in ("sent", "delivered"):
        values["sent_at"] = now
    if provider_id is not None:
        values |= {"provider_id": provider_id[:64], "provider_status": (provider_status or "")[:40] or None}
    statement = update(t.outbox).where(c.id == row_id, c.lease == lease).values(values).returning(*_COLUMNS)
    row = (await unit.execute(statement)).mappings().one_or_none()
    if row is not None:
        return _notice(row)
    return None


async def claim_provider_id(unit: Unit, row_id: int, provider_id: str, *, sure: bool, now: datetime) -> bool:
    """Have this row alone known by the provider's name; call it before the name is written, in that transaction.

    `sure` when the provider itself named it for this row. Another row that took the name from the list was wrong: it is
    unknown again and looked for anew. When it is not sure and another row has the name, nothing changes: False.
    """
    await unit.alone("provider id", provider_id)
    c = t.outbox.c
    others = (c.provider_id == provider_id) & (c.id != row_id)
    if not sure:
        return (await unit.execute(select(c.id).where(others).limit(1))).first() is None
    values = {"provider_id": None, "provider_status": None, "state": "unknown", "sent_at": None, "next_at": now}
    await unit.execute(update(t.outbox).where(others).values(values | {"unknown_since": now}))
    return True


async def is_alike_under_way(unit: Unit, notice: Notice) -> bool:
    """Return whether another row with the same text to the same number is being sent at this moment."""
    c = t.outbox.c
    alike = (c.kind == notice.kind) & (c.recipient == notice.recipient) & (c.body == notice.body)
    query = select(c.id).where(alike, c.id != notice.id, c.state == "sending").limit(1)
    return (await unit.execute(query)).first() is not None


async def change(unit: Unit, row_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a row; whoever holds it does not any more."""
    freed = {"lease": None, "leased_until": None}
    await unit.execute(update(t.outbox).where(t.outbox.c.id == row_id).values(freed | dict(values)))


async def get(unit: Unit, row_id: int) -> Notice | None:
    """A row, which nobody else changes until this transaction ends when it writes."""
    return await _one(unit, select(*_COLUMNS).where(t.outbox.c.id == row_id))


async def by_key(unit: Unit, key: str) -> Notice | None:
    """The row with this name; as `get`."""
    return await _one(unit, select(*_COLUMNS).where(t.outbox.c.key == key))


async def known_keys(unit: Unit, keys: Sequence[str]) -> set[str]:
    """Which of these names rows have."""
    c = t.outbox.c
    return {str(one) for one in (await unit.execute(select(c.key).where(c.key.in_(keys)))).scalars()}


async def taken_ids(unit: Unit, provider_ids: Sequence[str]) -> set[str]:
    """Which of these messages at the provider's are known to be one of our rows."""
    c = t.outbox.c
    return {
        str(one) for one in (await unit.execute(select(c.provider_id).where(c.provider_id.in_(provider_ids)))).scalars()
    }


async def page(unit: Unit, *, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Notice]:
    """Rows that match every filter, the newest first, with ids below `before`."""
    c = t.outbox.c
    query = select(*_COLUMNS).order_by(c.id.desc()).limit(limit)
    for name, value in filters.items():
        query = query.where(c[name] == value)
    if before is not None:
        query = query.where(c.id < before)
    return [_notice(row) for row in (await unit.execute(query)).mappings()]


async def counts(unit: Unit, states: Sequence[State], *, since: datetime) -> dict[tuple[str, str], int]:
    """Return how many rows of since then there are by kind and state, among these states."""
    c = t.outbox.c
    query = (
        select(c.kind, c.state, func.count().label("rows"))
        .where(c.state.in_(states), c.created_at >= since)
        .group_by(c.kind, c.state)
    )
    found = (await unit.execute(query)).mappings()
    return {(row["kind"], row["state"]): row["rows"] for row in found}


async def left_to_send(unit: Unit, kinds: Sequence[str]) -> int:
    """Count the messages of these kinds that wait to be sent, or are being sent."""
    waiting = t.outbox.c.kind.in_(kinds) & t.outbox.c.state.in_(("pending", "leased", "sending"))
    return int((await unit.execute(select(func.count()).select_from(t.outbox).where(waiting))).scalar_one())


async def written_since(unit: Unit, *, subject: str, body: str, since: datetime) -> bool:
    """Return whether an e-mail with these words was written since then; `subject` as a header has it."""
    same = (t.outbox.c.subject == subject) & (t.outbox.c.body == body) & (t.outbox.c.created_at > since)
    return (await unit.execute(select(t.outbox.c.id).where(same).limit(1))).first() is not None


async def emails_sent(unit: Unit, recipient: str, *, since: datetime, limit: int) -> list[datetime]:
    """Return when e-mails to this address (in small letters) were sent, since then."""
    c = t.outbox.c
    query = select(c.sent_at).where(c.kind == "email", func.lower(c.recipient) == recipient, c.sent_at > since)
    return [moment for moment in (await unit.execute(query.limit(limit))).scalars() if moment is not None]


async def put_once(unit: Unit, values: Mapping[str, Any]) -> None:
    """A new row, unless there is one of this key."""
    await unit.execute(unit.insert(t.outbox).values(values).on_conflict_do_nothing())


async def opted_out(unit: Unit, number: str) -> bool:
    """Return whether the person at this number wants no text messages."""
    return (await unit.execute(select(t.opt_outs.c.number).where(t.opt_outs.c.number == number))).first() is not None


async def opt_out(unit: Unit, number: str, *, at: datetime, row_id: int | None) -> None:
    """Remember that the person at this number wants no text messages."""
    values = {"number": number, "at": at, "outbox_id": row_id}
    await unit.execute(unit.insert(t.opt_outs).values(values).on_conflict_do_nothing())


async def opt_outs(unit: Unit) -> list[dict[str, Any]]:
    """Everyone who wants no text messages, the latest first."""
    query = select(t.opt_outs).order_by(t.opt_outs.c.at.desc(), t.opt_outs.c.number)
    return [dict(row) for row in (await unit.execute(query)).mappings()]


async def opt_in(unit: Unit, number: str) -> bool:
    """Forget that this person wanted none; whether it was known."""
    done = await unit.execute(delete(t.opt_outs).where(t.opt_outs.c.number == number))
    return done.rowcount > 0


@dataclass(frozen=True, kw_only=True)
class TextProblem:
    """Why the last text message to a number did not arrive."""

    kind: TextTrouble
    at: datetime
    error: str | None


async def text_problems(unit: Unit, numbers: Sequence[str], *, since: datetime) -> dict[str, TextProblem]:
    """Of these numbers those that the last text message since then did not reach, as far as is known."""
    c = t.outbox.c
    over = (c.kind == "sms") & c.state.in_(("sent", "delivered", "dead", "refused")) & (c.created_at > since)
    query = select(c.recipient, c.state, c.error, c.created_at).where(over, c.recipient.in_(numbers)).order_by(c.id)
    last = {row.recipient: row for row in await unit.execute(query)}
    found = {}
    for number, row in last.items():
        kind = text_trouble(row.state, row.error)
        if kind is not None:
            found[number] = TextProblem(kind=kind, at=row.created_at, error=row.error)
    return found


async def endpoints(unit: Unit) -> dict[str, dict[str, Any]]:
    """Return what is known of each endpoint, by name."""
    rows = (await unit.execute(select(t.webhook_endpoints))).mappings()
    return {row["name"]: dict(row) for row in rows}


async def add_endpoint(unit: Unit, name: str, journal_id: int) -> None:
    """An endpoint that is told of what is in the journal above this id."""
    values = {"name": name, "journal_id": journal_id, "since_id": journal_id}
    await unit.execute(unit.insert(t.webhook_endpoints).values(values).on_conflict_do_nothing())


async def change_endpoint(unit: Unit, name: str, values: Mapping[str, Any]) -> None:
    """Remember this of an endpoint."""
    await unit.execute(update(t.webhook_endpoints).where(t.webhook_endpoints.c.name == name).values(values))


async def disable_endpoint(unit: Unit, name: str, *, at: datetime, reason: str) -> None:
    """Send an endpoint nothing more until it is enabled again."""
    c = t.webhook_endpoints.c
    statement = update(t.webhook_endpoints).where(c.name == name, c.disabled_at.is_(None))
    await unit.execute(statement.values(disabled_at=at, disabled_reason=reason[:200]))


async def _one(unit: Unit, query: Select[Any]) -> Notice | None:
    row = (await unit.execute(query.with_for_update() if unit.writes else query)).mappings().one_or_none()
    if row is not None:
        return _notice(row)
    return None
