"""Finds what there is about one person: in every table that may name somebody, and in the files that rows name.

Every text of every table is looked through, so that a new table is never forgotten. It takes some seconds on a large
database, and nobody's call waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Table, cast, or_, select

from ivr.errors import BadInput
from ivr.migrations.schema import metadata
from ivr.persons.selectors import Wanted
from ivr.store.engine import Unit

#: Secrets of staff, which name nobody.
_SECRETS = frozenset(
    (
        "account_recovery_codes",
        "account_sessions",
        "account_tries",
        "api_tokens",
        "technician_pins",
        "webhook_endpoints",
    )
)
#: Columns that say whose a row is; a row that only mentions the person elsewhere is another's.
WHOSE: Mapping[str, tuple[str, ...]] = {
    "calls": ("ani", "identity"),
    "callbacks": ("number", "identity"),
    "messages": ("number",),
    "emergencies": ("number",),
    "tickets": (
        *("requester_name", "requester_contact", "requester_phone", "requester_email", "account_name", "account_phone"),
    ),
    "inbound_mails": ("sender",),
    "outbox": ("recipient",),
    "inbound_texts": ("sender",),
    "status_subscribers": ("address",),
    "incident_followers": ("number", "asked_by"),
    "report_requests": ("address",),
    "announcement_hearings": ("caller",),
    "caller_languages": ("number",),
    "sms_opt_outs": ("number",),
    "call_traces": ("other",),
    "contacts": ("name", "email", "phone", "phones"),
    "partner_contacts": ("name", "mobile"),
    "customers": ("name", "phone"),
    "numbers": ("e164",),
}
#: Rows that belong to a row: table and column, then the other table and its column.
_BELONGS = (
    ("call_events", "call_id", "calls", "id"),
    ("call_legs", "call_id", "calls", "id"),
    ("tickets", "number", "messages", "ticket_number"),
    ("tickets", "number", "inbound_mails", "ticket_number"),
    ("ticket_events", "ticket_number", "tickets", "number"),
    ("messages", "ticket_number", "tickets", "number"),
    ("inbound_mails", "ticket_number", "tickets", "number"),
    ("solutions", "ticket_number", "tickets", "number"),
    ("call_traces", "ticket_number", "tickets", "number"),
    ("emergencies", "message_id", "messages", "id"),
    ("call_trace_evidence", "trace_id", "call_traces", "id"),
    ("recommendations", "trace_id", "call_traces", "id"),
)
#: More than one person has.
MOST_ROWS = 20_000

Row = dict[str, Any]
Key = tuple[Any, ...]


class TooManyRows(BadInput):
    """What was given is in too many rows to be one person's."""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where files are that rows name."""

    messages: Path
    mails: Path
    recordings: Path


@dataclass(kw_only=True)
class Found:
    """Rows by table, in the order of their keys: a person's own, and others that mention them."""

    own: dict[str, dict[Key, Row]] = field(default_factory=dict)
    mentions: dict[str, dict[Key, Row]] = field(default_factory=dict)

    def rows(self, table: str) -> list[Row]:
        """A person's own rows of a table."""
        return list(self.own.get(table, {}).values())

    def values(self, table: str, column: str) -> list[Any]:
        """One column of them."""
        return [row[column] for row in self.rows(table)]

    def counts(self) -> dict[str, tuple[int, int]]:
        """By table: how many rows are theirs, and how many mention them."""
        names = sorted({*self.own, *self.mentions})
        return {name: (len(self.own.get(name, {})), len(self.mentions.get(name, {}))) for name in names}

    def files(self, folders: Folders) -> dict[str, Path]:
        """The files that their rows name and that are there, by their names in an export."""
        named: dict[str, Path] = {}
        for row in self.rows("messages"):
            if row["file"] and Path(row["file"]).name == row["file"]:
                named[f"messages/{row['id']}.wav"] = folders.messages / row["file"]
        for row in self.rows("inbound_mails"):
            if Path(row["key"]).name == row["key"]:
                named[f"mails/{row['id']}.eml"] = folders.mails / f"{row['key']}.eml"
        for row in self.rows("calls"):
            if Path(row["linkedid"]).name == row["linkedid"]:
                named[f"recordings/{row['id']}.wav"] = folders.recordings / f"{row['linkedid']}.wav"
        return {name: path for name, path in named.items() if path.is_file()}


async def find(unit: Unit, wanted: Wanted) -> Found:
    """Look through everything. Raises TooManyRows, StoreUnavailable."""
    found = Found()
    for table in metadata.sorted_tables:
        if table.name in _SECRETS:
            continue
        texts = [column for column in table.c if isinstance(column.type, String | JSON)]
        if not texts:
            continue
        whose = WHOSE.get(table.name, ())
        theirs = _any_of([table.c[name] for name in whose], wanted) if whose else None
        for row in await _rows(unit, table, _any_of(texts, wanted), theirs):
            own = row.pop("theirs", False)
            _put(found.own if own else found.mentions, table, row)
    for child, column, parent, key in _BELONGS:
        values = [value for value in found.values(parent, key) if value is not None]
        table = metadata.tables[child]
        for start in range(0, len(values), 500):
            for row in await _rows(unit, table, table.c[column].in_(values[start : start + 500]), None):
                _put(found.own, table, row)
                found.mentions.get(child, {}).pop(_key(table, row), None)
    found.mentions = {name: rows for name, rows in found.mentions.items() if rows}
    return found


async def _rows(
    unit: Unit, table: Table, where: ColumnElement[bool], theirs: ColumnElement[bool] | None
) -> Iterable[Row]:
    columns = [*table.c, *([theirs.label("theirs")] if theirs is not None else [])]
    rows = [dict(row) for row in (await unit.execute(select(*columns).where(where).limit(MOST_ROWS + 1))).mappings()]
    if len(rows) > MOST_ROWS:
        problem = f"more than {MOST_ROWS} rows of {table.name} have it"
        raise TooManyRows(field="numbers", problem=problem, mend="give a whole number, address or name")
    return rows


def _any_of(columns: Iterable[Any], wanted: Wanted) -> ColumnElement[bool]:
    texts = [cast(column, String) if isinstance(column.type, JSON) else column for column in columns]
    return or_(*(text.icontains(pattern, autoescape=True) for text in texts for pattern in wanted.patterns))


def _put(where: dict[str, dict[Key, Row]], table: Table, row: Row) -> None:
    where.setdefault(table.name, {})[_key(table, row)] = row


def _key(table: Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key)
