"""Narrows statements to a part of the tables, so that what somebody may see and change is decided in one place.

A statement says as ever what it wants; conditions are added for each table that it reads, changes or deletes from, in
subqueries as well. What is inserted is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import Alias, ColumnElement, Delete, Executable, Insert, Join, Select, Table, TextClause, Update, or_
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.ddl import ExecutableDDLElement

#: Of a table's columns, the condition that its rows fulfil; or None for a table that everybody may read.
Rule = Callable[[Any], ColumnElement[bool]]
Rules = Mapping[Table, Rule | None]


class NotNarrowed(Exception):
    """A statement cannot be narrowed: a table of ours has no rule, or it is plain text."""


def narrowed(statement: Executable, rules: Rules) -> Executable:
    """The statement with every table's condition. Raises NotNarrowed."""
    if isinstance(statement, Insert | ExecutableDDLElement):
        return statement
    if isinstance(statement, TextClause):
        raise NotNarrowed(str(statement))

    def reading(found: Select[Any]) -> None:
        for table, maybe in _tables(found.get_final_froms()):
            _add(found, table, rules, maybe=maybe)

    def writing(found: Update | Delete) -> None:
        _add(found, found.table, rules, maybe=False)

    by_kind: dict[str, Callable[[Any], None]] = {"select": reading, "update": writing, "delete": writing}
    return cast(Executable, visitors.cloned_traverse(cast(ClauseElement, statement), {}, by_kind))


def _tables(sources: Any, *, maybe: bool = False) -> Iterator[tuple[Any, bool]]:
    """Tables and their aliases, and whether an outer join may find no row there."""
    for source in sources:
        if isinstance(source, Join):
            yield from _tables((source.left,), maybe=maybe or source.full)
            yield from _tables((source.right,), maybe=maybe or source.isouter or source.full)
        else:
            yield source, maybe


def _add(statement: Any, source: Any, rules: Rules, *, maybe: bool) -> None:
    table = source.element if isinstance(source, Alias) else source
    if not isinstance(table, Table) or table.metadata not in {one.metadata for one in rules}:
        return
    if table not in rules:
        raise NotNarrowed(table.name)
    rule = rules[table]
    if rule is None:
        return
    condition = rule(source.c)
    if maybe:
        condition = or_(next(iter(source.primary_key)).is_(None), condition)
    statement._where_criteria += (condition,)
