"""What a feature says of the personal data in its tables: how long it is kept, whose it is, and how it is erased.

Each feature that owns tables has a `retention.py` with one `PersonalData`; `ivr/personal_data.py` lists them all. The
eraser and `ivr/persons` run what is said there and know no table themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Table

from ivr.store.engine import Unit

Folder = Literal["messages", "mails", "recordings"]
Row = Mapping[str, Any]
#: Takes the values of a column, and blanks or deletes what is personal in the rows that have them.
Forget = Callable[[Unit, Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Belongs:
    """A row is the person's when its `column` is the `key` of a row of theirs in another `table`."""

    column: str
    table: str
    key: str


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """The file that a row names, in a folder of the line: `name` gives its file name, None when there is none."""

    folder: Folder
    name: Callable[[Row], str | None]


@dataclass(frozen=True, kw_only=True)
class Retention:
    """One table. Either `keep`, a field of a desk file's `keep` in days, or `rule`, another limit in words."""

    table: Table
    keep: str | None = None
    rule: str | None = None
    #: Columns that say whose a row is; a row that only mentions a person elsewhere is another's.
    whose: tuple[str, ...] = ()
    belongs: tuple[Belongs, ...] = ()
    #: Blanks what is personal in rows, given by the column `by`; the rows stay, for the figures.
    forget: Forget | None = None
    by: str = "id"
    #: The table with whose rows these are forgotten: `forget` then takes that table's `by`.
    forgotten_with: str | None = None
    #: Rows that are nothing without the person: they are deleted.
    deleted: bool = False
    #: Why rows stay when the person is erased.
    stays: str | None = None
    #: Which rows are not over yet, and what is told of them.
    waits: tuple[Callable[[Row], bool], str] | None = None
    #: Kept while its ticket is open.
    with_ticket: bool = False
    file: RowFile | None = None
    #: Secrets of staff, which name nobody: not looked through.
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Erases what is older than `keep` of the main desk; without `keep`, by a rule of its own, given now. How many."""

    name: str
    erase: Callable[[Unit, datetime], Awaitable[int]]
    keep: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeskSweep:
    """Erases what is a desk's, given by its id, and older than its own `keep`. How many."""

    name: str
    erase: Callable[[Unit, str, datetime], Awaitable[int]]
    keep: str


@dataclass(frozen=True, kw_only=True)
class FileSweep:
    """Rows that name a file: `due` gives their ids and file names, of a desk or, without `of_desk`, of all."""

    name: str
    table: str
    folder: Folder
    keep: str
    due: Callable[[Unit, str, datetime], Awaitable[list[tuple[Any, str]]]]
    of_desk: bool = True


@dataclass(frozen=True, kw_only=True)
class StraySweep:
    """Files that no row names, by their own age: `known` gives those that one does."""

    name: str
    folder: Folder
    keep: str
    known: Callable[[Unit, Sequence[str]], Awaitable[set[str]]]


@dataclass(frozen=True, kw_only=True)
class PersonalData:
    """All that a feature declares. `impersonal` are its tables with nothing about a person."""

    tables: tuple[Retention, ...] = ()
    impersonal: tuple[Table, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    desk_sweeps: tuple[DeskSweep, ...] = ()
    file_sweeps: tuple[FileSweep, ...] = ()
    stray_sweeps: tuple[StraySweep, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What all features declare, in their order."""

    features: tuple[PersonalData, ...] = field(default=())

    @property
    def tables(self) -> tuple[Retention, ...]:
        """Return every table with personal data."""
        return tuple(one for feature in self.features for one in feature.tables)

    async def forget(self, unit: Unit, table: str, keys: Sequence[Any]) -> None:
        """Blank rows of a table, given by its `by`, and those that are forgotten with them."""
        for one in self.tables:
            own = one.table.name == table and one.forgotten_with is None
            if one.forget is not None and (own or one.forgotten_with == table):
                await one.forget(unit, keys)
