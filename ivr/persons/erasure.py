"""Erases one person: what happened stays, for the figures; who they were does not. What has to stay is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import delete

from ivr.accounts import store as audit
from ivr.migrations.schema import metadata
from ivr.persons.search import Folders, Found, find
from ivr.persons.selectors import Wanted
from ivr.retention import store as keeping
from ivr.store.engine import Store, Unit
from ivr.tickets.model import DONE

log = structlog.get_logger()

#: Rows that are nothing without the person.
_DELETED = (
    *("status_subscribers", "incident_followers", "report_requests", "announcement_hearings", "caller_languages"),
    "inbound_texts",
)
#: What stays, and why.
_KEPT = {
    "sms_opt_outs": "a refusal of text messages has to be honoured (CASL)",
    "contacts": "the directory: an administrator removes whoever is a customer's contact no more",
    "partner_contacts": "the directory: an administrator removes whoever is a partner's no more",
    "customers": "the directory: the contract with the customer",
    "numbers": "the directory: the contract with the customer",
}


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
    log.info("a person's data is erased", rows=sum(done.rows.values()), files=done.files, by=who)
    return done


def _going(found: Found, done: Erased) -> Found:
    """What can go now."""
    going = Found(own={name: dict(rows) for name, rows in found.own.items()})

    def keep(table: str, why: str, stays: list[tuple[object, ...]]) -> None:
        for key in stays:
            going.own[table].pop(key)
        if stays:
            done.left.append(f"{table}: {len(stays)} {why}")

    own = found.own
    live = [key for key, row in own.get("calls", {}).items() if row["ended_at"] is None]
    keep("calls", "still go on; repeat this later", live)
    active = [key for key, row in own.get("callbacks", {}).items() if row["ended_at"] is None]
    keep("callbacks", "are still to be made: cancel them, or repeat this later", active)
    pending = [key for key, row in own.get("outbox", {}).items() if row["state"] not in keeping.LEFT]
    keep("outbox", "have not left yet; repeat this later", pending)
    is_open = {row["number"] for row in found.rows("tickets") if row["status"] not in DONE}
    keep("tickets", "are open: close them, and repeat this", [(number,) for number in is_open])
    for table in ("messages", "inbound_mails", "call_traces"):
        of_open = [key for key, row in own.get(table, {}).items() if row["ticket_number"] in is_open]
        keep(table, "belong to open tickets", of_open)
    for table, why in _KEPT.items():
        keep(table, f"stay: {why}", list(own.get(table, {})))
    return going


async def _rows(unit: Unit, going: Found, done: Erased) -> None:
    await keeping.erase_calls(unit, going.values("calls", "id"))
    await keeping.erase_callbacks(unit, going.values("callbacks", "id"))
    for message_id in going.values("messages", "id"):
        await keeping.erase_message(unit, message_id)
    for mail_id in going.values("inbound_mails", "id"):
        await keeping.erase_mail(unit, mail_id)
    await keeping.erase_tickets(unit, going.values("tickets", "number"))
    await keeping.erase_traces(unit, going.values("call_traces", "id"))
    await keeping.erase_notices(unit, going.values("outbox", "id"))
    for name in _DELETED:
        table = metadata.tables[name]
        for key in going.own.get(name, {}):
            of_it = [column == value for column, value in zip(table.primary_key, key, strict=True)]
            await unit.execute(delete(table).where(*of_it))
    for name in ("calls", "callbacks", "messages", "inbound_mails", "tickets", "call_traces", "outbox", *_DELETED):
        if count := len(going.own.get(name, {})):
            done.rows[name] = count
