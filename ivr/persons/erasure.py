"""Erases one person: what happened stays, for the figures; who they were does not. What has to stay is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Table, delete

from ivr.accounts import store as audit
from ivr.personal_data import DECLARED
from ivr.persons.search import Folders, Found, Key, find
from ivr.persons.selectors import Wanted
from ivr.retention.declarations import Row
from ivr.store.engine import Store, Unit
from ivr.tickets.model import DONE

log = structlog.get_logger()


@dataclass(kw_only=True)
class Erased:
    """What became of it: rows erased by table, files, and what stayed, with why."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    left: list[str] = field(default_factory=list)


async def erase(
    store: Store, wanted: Wanted, folders: Folders, *, at: datetime, who: str, source: str = "command line"
) -> Erased:
    """Erase, and enter into the audit who did it. Repeating is harmless. Raises StoreUnavailable, OSError, BadInput."""
    done = Erased()
    async with store.unit() as unit:
        line = await audit.note(
            unit, at=at, who=who, source=source, action="person.erase", subject=wanted.masked, fields=wanted.fields
        )
    async with store.reading() as unit:
        found = await find(unit, wanted)
    # Files first, then the rows that name them.
    going = _going(found, done)
    for path in going.files(folders).values():
        await asyncio.to_thread(path.unlink, missing_ok=True)
        done.files += 1
    async with store.unit() as unit:
        await _rows(unit, going, done)
        await audit.noted(unit, line, 200)
    for name, rows in found.mentions.items():
        done.left.append(f"{name}: {len(rows)} of others or of staff mention them; look at them by hand")
    log.info("person's data erased", rows=sum(done.rows.values()), files=done.files, by=who)
    return done


def _going(found: Found, done: Erased) -> Found:
    """Return what can go now."""
    going = Found(own={name: dict(rows) for name, rows in found.own.items()})

    def keep(table: str, why: str, stays: list[Key]) -> None:
        for key in stays:
            going.own[table].pop(key)
        if stays:
            done.left.append(f"{table}: {len(stays)} {why}")

    is_open = {row["number"] for row in found.rows("tickets") if row["status"] not in DONE}
    for one in DECLARED.tables:
        if one.waits is not None:
            not_over, why = one.waits
            keep(one.table.name, why, _keys(found, one.table.name, not_over))
    keep("tickets", "are open: close them, and repeat this", [(number,) for number in is_open])
    for one in DECLARED.tables:
        if one.with_ticket:
            of_open = _keys(found, one.table.name, lambda row: row["ticket_number"] in is_open)
            keep(one.table.name, "belong to open tickets", of_open)
    for one in DECLARED.tables:
        if one.stays is not None:
            keep(one.table.name, f"stay: {one.stays}", list(found.own.get(one.table.name, {})))
    return going


def _keys(found: Found, table: str, which: Callable[[Row], bool]) -> list[Key]:
    return [key for key, row in found.own.get(table, {}).items() if which(row)]


async def _rows(unit: Unit, going: Found, done: Erased) -> None:
    for one in DECLARED.tables:
        name = one.table.name
        if one.forget is not None and one.forgotten_with is None:
            await DECLARED.forget(unit, name, going.values(name, one.by))
        elif one.deleted:
            await _delete(unit, one.table, going)
        else:
            continue
        if count := len(going.own.get(name, {})):
            done.rows[name] = count


async def _delete(unit: Unit, table: Table, going: Found) -> None:
    for key in going.own.get(table.name, {}):
        of_it = [column == value for column, value in zip(table.primary_key, key, strict=True)]
        await unit.execute(delete(table).where(*of_it))
