"""Writes the directory: one entry at a time, whoever asks for it, with what it refers to checked.

Each change is one row of `directory_changes` and one line of the audit, in the transaction that makes it. Whoever keeps
a copy in memory reads those rows; nothing else tells of changes that another process makes.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete as delete_from
from sqlalchemy import func, select, text, update

from ivr.accounts import store as audit
from ivr.directory import queries
from ivr.directory import tables as t
from ivr.directory.desk_references import Known
from ivr.directory.edits import StoredEdit, beyond_desks
from ivr.directory.entries import (
    ONE_OF,
    AnyEntry,
    Kind,
    check_key,
    read_entry,
)
from ivr.directory.errors import Changed, EntryNotFound, Exists, InUse
from ivr.directory.queries import Found, Row, etag_of
from ivr.directory.sip_passwords import ha1
from ivr.directory.writers import WRITERS
from ivr.errors import AllBadInput
from ivr.events import EventBus
from ivr.logs import mask
from ivr.store.engine import Unit

#: So many of the last changes are kept; whoever is further behind reads everything.
KEPT_CHANGES: Final = 10_000
#: And how often older ones are deleted, in changes.
_SWEEP_EVERY: Final = 500
#: Without those that look alike on a label.
_SECRET_SIGNS: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105 - an alphabet
_SECRET_LENGTH: Final = 20


@dataclass(frozen=True, kw_only=True)
class Put:
    """What became of a put."""

    created: bool
    #: False when the entry was already so; then nothing was written.
    changed: bool
    etag: str
    entry: AnyEntry
    #: Of a phone that is new: what it registers with, told this once.
    secret: str | None = None


def new_secret() -> str:
    """Return what a phone registers with: 20 signs, 116 bits."""
    return "".join(secrets.choice(_SECRET_SIGNS) for _ in range(_SECRET_LENGTH))


async def put(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    entry: AnyEntry,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    must_be_new: bool = False,
    known: Known | None = None,
) -> Put:
    """Create or replace an entry. Repeating it changes nothing.

    `key` is as `check_key` gives it. `expected_etag` is what the entry must be now; * says that it must be there;
    `must_be_new` that it must not.
    `known` is what the provider's desk files allow; without it that is not looked at. Raises BadInput that names each
    wrong field, Changed, LastAdministrator, StoreUnavailable. `bus` is told of it as `directory.changed`.
    """
    await unit.alone("directory")
    key = check_key(kind, key, known.region if known is not None else "CA")
    before = await queries.get(unit, provider, kind, key)
    _expect(before, expected_etag)
    if must_be_new and before is not None:
        raise Exists(entry=f"{ONE_OF[kind]} {key}")
    if before is not None and before.entry == entry:
        return Put(created=False, changed=False, etag=before.etag, entry=entry)
    problems = [*beyond_desks(kind, key, entry, known, new=before is None)]
    references = await WRITERS[kind].check(StoredEdit(provider, key, before, known, unit), entry, problems)
    if problems:
        raise AllBadInput(problems)
    secret = new_secret() if kind == "phones" and before is None else None
    values = {"provider": provider, **references}
    if secret is not None:
        values["ha1"] = ha1(key, secret)
    await WRITERS[kind].write(StoredEdit(provider, key, before, known, unit), entry, values)
    fields = _changed_fields(before.entry if before is not None else None, entry)
    await _note(
        unit, provider, kind, key, "put", by=by, at=at, source=source, bus=bus, fields=fields, created=before is None
    )
    etag = etag_of(kind, provider, key, entry)
    return Put(created=before is None, changed=True, etag=etag, entry=entry, secret=secret)


async def patch(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    changes: Mapping[str, Any],
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    known: Known | None = None,
) -> Put:
    """Change some fields of an entry, by a JSON merge patch (RFC 7396). As `put`; also raises EntryNotFound."""
    await unit.alone("directory")
    region = known.region if known is not None else "CA"
    key = check_key(kind, key, region)
    before = await _there(unit, provider, kind, key)
    entry = read_entry(kind, merged(before.entry.model_dump(mode="json"), changes), region)
    return await put(
        unit, provider, kind, key, entry, by=by, at=at, source=source, expected_etag=expected_etag, bus=bus, known=known
    )


def merged(target: Any, changes: Any) -> Any:
    """Return what a merge patch makes of a document (RFC 7396 section 2). A field that is taken away is left out."""
    if not isinstance(changes, Mapping):
        return changes
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


async def delete(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
    known: Known | None = None,
) -> None:
    """Remove an entry. Raises EntryNotFound, Changed, InUse, LastAdministrator, StoreUnavailable.

    An account's last administrator goes with the account.
    """
    await unit.alone("directory")
    before = await _there(unit, provider, kind, key)
    _expect(before, expected_etag)
    edit = StoredEdit(provider, key, before, known, unit)
    if still := await WRITERS[kind].uses(edit):
        raise InUse(kind, key, still)
    also = await WRITERS[kind].remove(edit)
    for other in also:
        await _note(unit, provider, other[0], other[1], "delete", by=by, at=at, source=source, bus=bus, fields=())
    await _note(unit, provider, kind, key, "delete", by=by, at=at, source=source, bus=bus, fields=())


async def uses(unit: Unit, provider: str, kind: Kind, key: str, *, known: Known | None = None) -> tuple[str, ...]:
    """Return what uses an entry, so that it cannot be removed, as in `phone 6001`.

    Raises EntryNotFound, StoreUnavailable.
    """
    before = await _there(unit, provider, kind, key)
    return tuple(await WRITERS[kind].uses(StoredEdit(provider, key, before, known, unit)))


async def renew_secret(
    unit: Unit,
    provider: str,
    name: str,
    *,
    by: str,
    at: datetime,
    source: str = "API",
    expected_etag: str | None = None,
    bus: EventBus | None = None,
) -> str:
    """A phone's new secret, told this once; the old one is worthless. Raises EntryNotFound, StoreUnavailable."""
    await unit.alone("directory")
    before = await _there(unit, provider, "phones", name)
    _expect(before, expected_etag)
    secret = new_secret()
    table = t.endpoints
    await unit.execute(update(table).where(table.c.name == name).values(ha1=ha1(name, secret)))
    await _note(unit, provider, "phones", name, "put", by=by, at=at, source=source, bus=bus, fields=("secret",))
    return secret


async def _there(unit: Unit, provider: str, kind: Kind, key: str) -> Found:
    found = await queries.get(unit, provider, kind, key)
    if found is None:
        raise EntryNotFound(entry=f"{ONE_OF[kind]} {key}")
    return found


def _expect(before: Found | None, expected_etag: str | None) -> None:
    if expected_etag is None:
        return
    if before is None or (expected_etag != "*" and expected_etag != before.etag):
        raise Changed()


def _changed_fields(before: AnyEntry | None, after: AnyEntry) -> list[str]:
    names = type(after).model_fields
    if before is None:
        return [name for name in names if name in after.model_fields_set]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


# What is kept of a change ----------------------------------------------------------------------------


async def _note(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    unit: Unit,
    provider: str,
    kind: Kind,
    key: str,
    what: str,
    *,
    by: str,
    at: datetime,
    source: str,
    bus: EventBus | None,
    fields: Iterable[str],
    created: bool = False,
) -> None:
    subject = f"{ONE_OF[kind]} {mask(key) if kind == 'numbers' else key}"
    if provider != "main":
        subject = f"{subject} of {provider}"
    action = f"directory.{what}"
    line = await audit.note(unit, at=at, who=by, source=source, action=action, subject=subject, fields=fields)
    changed = 201 if created else 200
    await audit.noted(unit, line, 204 if what == "delete" else changed)
    await note_changes(unit, [(kind, key, what)], provider=provider, by=by, at=at, told=bus is not None)
    if bus is not None:
        told = {"provider": provider, "kind": kind, "key": key, "what": what, "by": by}
        unit.afterwards(lambda: bus.publish("directory.changed", at, told))


async def note_changes(
    unit: Unit, changes: Iterable[tuple[Kind, str, str]], *, provider: str, by: str, at: datetime, told: bool = False
) -> None:
    """Enter what changed, as (kind, key, put or delete), for whoever keeps a copy. Call it under `alone("directory")`:
    the numbers must grow in the order of the commits. `told` says that listeners hear of it from whoever calls this.
    """
    table = t.directory_changes
    rows: list[Row] = [
        {"at": at, "provider": provider, "kind": kind, "key": key, "by": by[:40], "what": what, "told": told}
        for kind, key, what in changes
    ]
    if not rows:
        return
    if skipped := len(rows) > KEPT_CHANGES:
        # The gap tells whoever reads on that they are behind, and read everything; one by one would tell them no more.
        counts = Counter(row["kind"] for row in rows)
        kept: list[Row] = [{**row, "entries": counts[kind]} for kind, row in {row["kind"]: row for row in rows}.items()]
        await _skip(unit, len(rows) - len(kept))
        rows = kept
    await unit.execute(unit.insert(table), rows)
    last: int = (await unit.execute(select(func.max(table.c.seq)))).scalar_one()
    if skipped or len(rows) >= _SWEEP_EVERY or last % _SWEEP_EVERY == 0:
        await unit.execute(delete_from(table).where(table.c.seq <= last - KEPT_CHANGES))


async def _skip(unit: Unit, numbers: int) -> None:
    """Have the next change's number be so many later."""
    table = t.directory_changes
    if unit.dialect == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "seq")
        await unit.execute(select(func.setval(sequence, func.nextval(sequence) + numbers - 1)))
        return
    counted = text("SELECT seq FROM sqlite_sequence WHERE name = 'directory_changes'")
    last = (await unit.everywhere.execute(counted)).scalar()
    skipped = {"seq": (last or 0) + numbers, "at": datetime.now(UTC), "kind": "", "key": "", "by": "", "what": ""}
    await unit.execute(unit.insert(table).values(skipped))
    await unit.execute(delete_from(table).where(table.c.seq == skipped["seq"]))
