"""A whole set of entries at once: what would change, and the change, all or nothing.

What is there is read, compared and checked first, by the rules of `ivr.directory.service`, beside the calls; only the
writing holds the database, in few statements. If somebody changed the directory meanwhile, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    JSON,
    Column,
    Insert,
    MetaData,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy.schema import CreateTable, DropTable

from ivr.accounts import store as audit
from ivr.accounts.tables import accounts as console_accounts
from ivr.directory import errors, queries, service
from ivr.directory import tables as t
from ivr.directory.entries import Kind
from ivr.store.engine import Store, Unit

Row = dict[str, Any]

#: The table of each kind, and the column that holds its key.
TABLES: Final[Mapping[Kind, tuple[Table, str]]] = {
    "partners": (t.partners, "key"),
    "accounts": (t.customers, "account"),
    "contacts": (t.contacts, "key"),
    "numbers": (t.numbers, "e164"),
    "phones": (t.endpoints, "name"),
    "staff": (t.technicians, "key"),
}
#: In which order they are written: phones refer to staff.
_WRITTEN: Final[tuple[Kind, ...]] = ("partners", "accounts", "contacts", "numbers", "staff", "phones")
#: Columns that refer to other rows, and to whose.
REFERS: Final[Mapping[str, Kind]] = {"partner_id": "partners", "customer_id": "accounts", "contact_id": "contacts"}
#: The list's column that holds the key.
KEY_COLUMNS: Final[Mapping[Kind, str]] = {"numbers": "number", "phones": "name"}
#: Rows of one statement.
_CHUNK: Final = 5000


class DirectoryChanged(errors.Changed):
    """Somebody changed the directory while the files were compared with it; compare again."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one entry."""

    kind: Kind
    key: str
    what: Literal["added", "changed", "removed"]
    #: What of it changes, by the names of its fields.
    fields: tuple[str, ...] = ()


@dataclass(kw_only=True)
class There:
    """What a provider's directory holds, and how far its changes were counted when it was read."""

    seq: int
    rows: dict[Kind, dict[str, Row]]
    #: People to warn, by their partner's id.
    people: dict[int, list[Row]]
    consoles: list[Row]
    #: Names of other providers' phones.
    others_phones: frozenset[str]
    #: Numbers that ring other providers' phones, and that no phone of this one's shows yet; E.164 digits.
    others_numbers: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Plan:
    """What an import does, told before it is done."""

    provider: str
    seq: int
    changes: list[Change] = field(default_factory=list)
    unchanged: dict[Kind, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: What new phones register with that bring no secret of their own; told once.
    secrets: dict[str, str] = field(default_factory=dict)
    added: dict[Kind, list[Row]] = field(default_factory=dict)
    changed: dict[Kind, list[Row]] = field(default_factory=dict)
    removed: dict[Kind, list[Row]] = field(default_factory=dict)
    #: People to warn, by their partner's id, where they become others.
    people: dict[int, list[Row]] = field(default_factory=dict)


async def look(unit: Unit, provider: str) -> There:
    """Read what a provider's directory holds. Raises StoreUnavailable."""
    rows: dict[Kind, dict[str, Row]] = {}
    for kind, (table, column) in TABLES.items():
        found = (await unit.execute(select(table).where(table.c.provider == provider))).mappings()
        rows[kind] = {queries.key_of(kind, row[column]): dict(row) for row in found}
    people: dict[int, list[Row]] = {}
    warned = t.partner_contacts
    ids = {row["id"] for row in rows["partners"].values()}
    for row in (await unit.execute(select(warned).order_by(warned.c.id))).mappings():
        if row["partner_id"] in ids:
            people.setdefault(row["partner_id"], []).append(dict(row))
    # Names of phones are one space on a line, whosever they are.
    others = select(t.endpoints.c.name).where(t.endpoints.c.provider != provider)
    theirs = (t.endpoints.c.provider == t.numbers.c.provider) & (t.endpoints.c.caller_id == t.numbers.c.e164)
    ringing = select(t.numbers.c.e164).join(t.endpoints, theirs).where(t.numbers.c.provider != provider)
    shown = {row["caller_id"] for row in rows["phones"].values()}
    return There(
        seq=await _seq(unit),
        rows=rows,
        people=people,
        consoles=[dict(row) for row in (await unit.execute(select(console_accounts))).mappings()],
        others_phones=frozenset((await unit.everywhere.execute(others)).scalars()),
        others_numbers=frozenset((await unit.everywhere.execute(ringing)).scalars()) - shown,
    )


def told(there: There) -> dict[str, list[dict[str, Any]]]:
    """Return what there is, by list and column, as `ivr.directory.files` writes it."""
    keys = {
        kind: {row["id"]: key for key, row in there.rows[kind].items()} for kind in ("partners", "accounts", "contacts")
    }
    phones: dict[int, str] = {}
    for name, row in sorted(there.rows["phones"].items()):
        if row["technician_id"] is not None:
            phones.setdefault(row["technician_id"], name)
    lists: dict[str, list[dict[str, Any]]] = {"warned": []}
    for kind, rows in there.rows.items():
        lists[kind] = []
        for key, row in sorted(rows.items()):
            labels = {
                "partner_key": keys["partners"].get(row.get("partner_id")),
                "contact_key": keys["contacts"].get(row.get("contact_id")),
                "people": there.people.get(row.get("id", 0), []),
            }
            if "customer_id" in row:
                labels["account"] = keys["accounts"].get(row["customer_id"])
            if kind == "staff":
                labels["phone"] = phones.get(row["id"])
            entry = queries.entry_of(kind, row | labels).model_dump(mode="json")
            lists["warned"] += [{"partner": key, **one} for one in entry.pop("people", ())]
            lists[kind].append({KEY_COLUMNS.get(kind, "key"): key, **entry})
    return lists


async def _seq(unit: Unit) -> int:
    return (await unit.execute(select(func.max(t.directory_changes.c.seq)))).scalar_one() or 0


# The change ------------------------------------------------------------------------------------------


async def carry_out(
    store: Store, plan: Plan, *, by: str, at: datetime, source: str, said: Callable[[int, int], None] | None = None
) -> None:
    """Write what a plan says, all or nothing. Nobody else may have changed the directory since it was looked at.

    `said` is told how many rows of how many are ready. Raises DirectoryChanged, StoreUnavailable.
    """
    writing = _Writing(plan, said or (lambda done, of: None))
    async with store.unit(before=writing.stage) as unit:
        await unit.alone("directory")
        if await _seq(unit) != plan.seq:
            raise DirectoryChanged()
        await writing.write(unit)
        if plan.changes:
            await _note(unit, plan, by=by, at=at, source=source)


async def _note(unit: Unit, plan: Plan, *, by: str, at: datetime, source: str) -> None:
    changes: list[tuple[Kind, str, str]] = [
        (one.kind, one.key, "delete" if one.what == "removed" else "put") for one in plan.changes
    ]
    await service.note_changes(unit, changes, provider=plan.provider, by=by, at=at)
    counts = {what: sum(one.what == what for one in plan.changes) for what in ("added", "changed", "removed")}
    subject = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    fields = {one.kind for one in plan.changes}
    line = await audit.note(
        unit, at=at, who=by, source=source, action="directory.import", subject=subject, fields=fields
    )
    await audit.noted(unit, line, 200)


class _Writing:
    """SQLite has one writer, and calls wait for it: rows are put into temporary tables first, so that the transaction
    has one statement for each table, which takes half of the time. PostgreSQL gets them by thousands.
    """

    def __init__(self, plan: Plan, said: Callable[[int, int], None]) -> None:
        self._plan = plan
        self._rows: dict[Kind, list[Row]] = {
            kind: [*plan.added.get(kind, []), *plan.changed.get(kind, [])] for kind in _WRITTEN
        }
        self._said, self._done = said, 0
        self._of = sum(map(len, (*self._rows.values(), *plan.removed.values())))
        self._staged: dict[Kind, Table] = {}
        #: Ids of new rows, by the temporary ones.
        self._ids: dict[int, int] = {}

    async def stage(self, unit: Unit) -> None:
        """Put the rows into temporary tables, where the database is better off so."""
        if unit.dialect != "sqlite":
            return
        for kind, rows in self._rows.items():
            table, _ = TABLES[kind]
            if not rows:
                continue
            if "id" in table.c:
                # Nobody else makes rows before these are written, or nothing is.
                first = (await unit.everywhere.execute(select(func.coalesce(func.max(table.c.id), 0)))).scalar_one() + 1
                new = (row["id"] for row in rows if row["id"] < 0)
                self._ids |= {number: first + n for n, number in enumerate(new)}
            columns = [sql_column(name, table.c[name].type) for name in rows[0]]
            staged = Table(f"staged_{table.name}", MetaData(), *(Column(c.name, c.type) for c in columns))
            staged.schema = "temp"
            await unit.execute(DropTable(staged, if_exists=True))
            await unit.execute(CreateTable(staged))
            await self._in_chunks(
                unit, insert(staged).from_select(list(rows[0]), _each(unit, table, list(rows[0]))), rows
            )
            self._staged[kind] = staged

    async def write(self, unit: Unit) -> None:
        """Write everything, in an order in which whatever is referred to is there."""
        plan = self._plan
        for kind, rows in self._rows.items():
            table, column = TABLES[kind]
            if (staged := self._staged.get(kind)) is not None:
                await unit.execute(_put(unit, table, column, list(rows[0]), select(staged)))
                await unit.execute(DropTable(staged))
            elif rows:
                names = [name for name in rows[0] if name != "id"]
                await self._in_chunks(unit, _put(unit, table, column, names, _each(unit, table, names)), rows)
                if "id" in table.c:
                    mine = select(table.c[column], table.c.id).where(table.c.provider == plan.provider)
                    given = {row[column]: row["id"] for row in (await unit.execute(mine)).mappings()}
                    self._ids |= {row["id"]: given[row[column]] for row in rows}
        warned = t.partner_contacts
        for partner, people in plan.people.items():
            number = self._ids.get(partner, partner)
            await unit.execute(delete(warned).where(warned.c.partner_id == number))
            if people:
                await unit.execute(insert(warned), [{**one, "partner_id": number} for one in people])
        for kind in reversed(_WRITTEN):
            await self._remove(unit, kind, plan.removed.get(kind, []))

    async def _in_chunks(self, unit: Unit, statement: Insert, rows: Sequence[Row]) -> None:
        for some in _chunks(rows):
            await unit.execute(statement, {"rows": [self._final(row) for row in some]})
            self._tell(len(some))

    def _final(self, row: Row) -> Row:
        """A row with ids as they are in the database."""
        final = dict(row)
        for name in ("id", *REFERS, "technician_id"):
            if (number := final.get(name)) is not None and number < 0:
                final[name] = self._ids.get(number)
        return final

    async def _remove(self, unit: Unit, kind: Kind, rows: Sequence[Row]) -> None:
        table, column = TABLES[kind]
        for some in _chunks(rows):
            if kind == "staff":
                theirs = t.endpoints.c.technician_id.in_([row["id"] for row in some])
                await unit.execute(update(t.endpoints).where(theirs).values(technician_id=None))
            if kind == "partners":
                warned = t.partner_contacts
                await unit.execute(delete(warned).where(warned.c.partner_id.in_([row["id"] for row in some])))
            of_it = (table.c.provider == some[0]["provider"], table.c[column].in_([row[column] for row in some]))
            await unit.execute(delete(table).where(*of_it))
            self._tell(len(some))

    def _tell(self, rows: int) -> None:
        self._done += rows
        self._said(self._done, self._of)


def _each(unit: Unit, table: Table, names: Sequence[str]) -> Select[Any]:
    """The rows of the JSON list `rows`: one statement takes a third of the time of one for each row."""
    given = bindparam("rows", type_=JSON)
    if unit.dialect == "postgresql":
        types = [sql_column(name, table.c[name].type) for name in names]
        recordset = func.json_to_recordset(given).table_valued(*types).render_derived(with_types=True)
        return select(*(recordset.c[name] for name in names))
    each = func.json_each(given).table_valued("value")
    return select(*(func.json_extract(each.c.value, f"$.{name}") for name in names))


def _put(unit: Unit, table: Table, column: str, names: Sequence[str], rows: Select[Any]) -> Insert:
    """Writes rows, new or changed."""
    # SQLite would take ON for the beginning of a join's condition.
    put = unit.insert(table).from_select(names, rows.where(true()))
    if "id" not in table.c:
        keys = list(table.primary_key.columns)
    else:
        keys = [table.c.provider, table.c[column]]
    changed = {name: put.excluded[name] for name in names if name not in ("provider", "id", column)}
    return put.on_conflict_do_update(index_elements=keys, set_=changed)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for begin in range(0, len(rows), _CHUNK):
        yield rows[begin : begin + _CHUNK]
