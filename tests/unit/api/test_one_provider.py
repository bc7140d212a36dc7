"""Every table says which of its rows are one provider's; statements that cannot be narrowed are refused."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, literal_column, select, text, update

import ivr
from api.provider_scope import rules
from ivr.store.metadata import metadata
from ivr.store.narrowing import NotNarrowed, narrowed
from ivr.tickets.tables import ticket_events, tickets


def test_every_table_has_a_rule() -> None:
    for module in pkgutil.walk_packages(ivr.__path__, "ivr."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)
    assert set(rules("main", {})) == set(metadata.tables.values())


_TABLES = MetaData()
A = Table("a", _TABLES, Column("id", Integer, primary_key=True), Column("mine", Integer))
B = Table("b", _TABLES, Column("id", Integer, primary_key=True), Column("a_id", Integer))
FREE = Table("free", _TABLES, Column("id", Integer, primary_key=True))
RULES = {A: lambda c: c.mine == literal_column("7"), B: lambda c: c.a_id == literal_column("8"), FREE: None}


def _sql(statement: object) -> str:
    return " ".join(str(narrowed(statement, RULES)).split())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "conditions"),
    [
        (select(A), ["a.mine = 7"]),
        (select(FREE), []),
        (select(A.alias("x")), ["x.mine = 7"]),
        (select(func.count()).select_from(A), ["a.mine = 7"]),
        (select(A).join(B, B.c.a_id == A.c.id), ["a.mine = 7", "b.a_id = 8"]),
        (select(A).outerjoin(B, B.c.a_id == A.c.id), ["a.mine = 7", "(b.id IS NULL OR b.a_id = 8)"]),
        (select(FREE).where(FREE.c.id.in_(select(A.c.id))), ["a.mine = 7"]),
        (select(select(A.c.id).scalar_subquery()), ["a.mine = 7"]),
        (select(select(A).subquery()), ["a.mine = 7"]),
        (select(select(A).cte()), ["a.mine = 7"]),
        (select(A.c.id).union(select(B.c.id)), ["a.mine = 7", "b.a_id = 8"]),
        (select(FREE).where(select(B).where(B.c.a_id == FREE.c.id).exists()), ["b.a_id = 8"]),
        (update(A).values(mine=1), ["a.mine = 7"]),
        (A.delete(), ["a.mine = 7"]),
        (update(FREE).values(id=select(A.c.id).scalar_subquery()), ["a.mine = 7"]),
    ],
)
def test_every_part_of_a_statement_is_narrowed(statement: object, conditions: list[str]) -> None:
    made = _sql(statement)
    for one in conditions:
        assert made.count(one) == 1, made
    assert made.count("= 7") + made.count("= 8") == len(conditions), made


def test_the_statement_that_was_given_stays_as_it_is() -> None:
    query = select(A)
    _sql(query)
    assert "= 7" not in str(query)


def test_what_cannot_be_narrowed_is_refused() -> None:
    other = Table("other", _TABLES, Column("id", Integer, primary_key=True))
    for statement in (text("SELECT 1"), select(other), select(A).where(A.c.id.in_(select(other.c.id)))):
        with pytest.raises(NotNarrowed):
            narrowed(statement, RULES)


def test_rows_of_a_ticket_are_found_by_an_alias_of_it() -> None:
    """The condition's own subquery must not be taken for a part of the statement around it."""
    joined = select(ticket_events).join(tickets, tickets.c.number == ticket_events.c.ticket_number)
    made = str(narrowed(joined, rules("main", {})))
    assert "FROM tickets AS tickets_1" in made
