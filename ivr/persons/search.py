"""Finds what there is about one person: in every table that may name somebody, and in the files that rows name.

Every text of every table is looked through, so that a new table is never forgotten. It takes some seconds on a large
database, and nobody's call waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Table, cast, or_, select

from ivr.errors import BadInput
from ivr.migrations.schema import metadata
from ivr.personal_data import DECLARED
from ivr.persons.selectors import Wanted
from ivr.retention.declarations import Belongs, Folder
from ivr.store.engine import Unit, batches

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

    def of(self, folder: Folder) -> Path:
        """Return a folder that rows name files in."""
        return {"messages": self.messages, "mails": self.mails, "recordings": self.recordings}[folder]


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
        for one in DECLARED.tables:
            if one.file is None:
                continue
            for row in self.rows(one.table.name):
                file = one.file.name(row)
                if file is not None and Path(file).name == file:
                    shown = f"{one.file.folder}/{row[one.by]}{Path(file).suffix}"
                    named[shown] = folders.of(one.file.folder) / file
        return {name: path for name, path in named.items() if path.is_file()}


async def find(unit: Unit, wanted: Wanted) -> Found:
    """Look through everything. Raises TooManyRows, StoreUnavailable."""
    found = Found()
    declared = {one.table.name: one for one in DECLARED.tables}
    for table in metadata.sorted_tables:
        says = declared.get(table.name)
        if says is not None and says.secret:
            continue
        texts = [column for column in table.c if isinstance(column.type, String | JSON)]
        if not texts:
            continue
        whose = says.whose if says is not None else ()
        theirs = _any_of([table.c[name] for name in whose], wanted) if whose else None
        for row in await _rows(unit, table, _any_of(texts, wanted), theirs):
            own = row.pop("theirs", False)
            _put(found.own if own else found.mentions, table, row)
    for one in DECLARED.tables:
        for belongs in one.belongs:
            await _take_belongings(unit, found, one.table, belongs)
    found.mentions = {name: rows for name, rows in found.mentions.items() if rows}
    return found


async def _take_belongings(unit: Unit, found: Found, table: Table, belongs: Belongs) -> None:
    values = [value for value in found.values(belongs.table, belongs.key) if value is not None]
    for some in batches(values):
        for row in await _rows(unit, table, table.c[belongs.column].in_(some), None):
            _put(found.own, table, row)
            found.mentions.get(table.name, {}).pop(_key(table, row), None)


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
