"""The knowledge base: what solved tickets, found by its words (OV-19)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, desc, false, func, literal_column, select, text

from ivr.store.engine import Unit
from ivr.tickets import tables as t
from ivr.tickets.model import Ticket

#: More words than this tell nothing more.
_MOST_WORDS = 12


async def keep(unit: Unit, ticket: Ticket, solution: str, *, who: str, at: datetime) -> int:
    """Enter what solved a ticket; its id."""
    values = {
        "ticket_number": ticket.number,
        "desk": ticket.desk,
        "kind": ticket.kind,
        "language": ticket.language or "fr",
        "service": ticket.service,
        "problem": ticket.observed,
        "solution": solution,
        "who": who,
        "created_at": at,
    }
    made: int = (await unit.execute(unit.insert(t.solutions).values(values).returning(t.solutions.c.id))).scalar_one()
    return made


async def search(
    unit: Unit, words: str | None, *, filters: Mapping[str, Any], skip: int, limit: int
) -> list[dict[str, Any]]:
    """Solutions that hold every word, the best first; without words, the newest.

    Accents and capitals do not matter, and the beginning of a word will do. Words that are only signs find nothing.
    """
    table = t.solutions
    query = select(table).order_by(table.c.id.desc())
    if words is not None:
        if unit.dialect == "postgresql":
            query = _in_postgresql(words)
        else:
            query = _in_sqlite(words)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    return [dict(row) for row in (await unit.execute(query.offset(skip).limit(limit))).mappings()]


def _in_sqlite(words: str) -> Select[Any]:
    # Between quotes nothing is an operator (FTS5 query syntax); a star after them asks for beginnings.
    found = re.findall(r"\w+", words)[:_MOST_WORDS]
    wanted = " ".join(f'"{word}"*' for word in found) or '""'
    table = t.solutions
    matching = text("SELECT rowid AS id, rank FROM solutions_words WHERE solutions_words MATCH :wanted")
    hits = matching.bindparams(wanted=wanted).columns(id=table.c.id.type, rank=table.c.id.type).subquery("hits")
    return select(table).join(hits, hits.c.id == table.c.id).order_by(hits.c.rank, table.c.id.desc())


#: PostgreSQL: as in revision 0007, word for word, so that its index is used. Neither accents nor capitals matter, as in
#: SQLite, and what is between words there is so here.
_ACCENTED, _PLAIN = "ÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸàâäçéèêëîïôöùûüÿ", "aaaceeeeiioouuuy" * 2
_SIGNS = "_-.,;:/@+&=<>~^`'\"’‘«»()[]{}|*%$#!?"
_SAID = (
    "to_tsvector('simple', translate("
    "lower(coalesce(service, '') || ' ' || coalesce(problem, '') || ' ' || solution), "
    "'{accented}{signs}', '{plain}{blanks}'))"
).format(accented=_ACCENTED, signs=_SIGNS.replace("'", "''"), plain=_PLAIN, blanks=" " * len(_SIGNS))


def _in_postgresql(words: str) -> Select[Any]:
    table = t.solutions
    found = re.findall(r"[^\W_]+", words)[:_MOST_WORDS]
    if not found:
        return select(table).where(false())
    # Letters and digits alone, so that nothing is an operator (tsquery); a colon and a star ask for beginnings.
    wanted = func.translate(func.lower(" & ".join(f"{word}:*" for word in found)), _ACCENTED, _PLAIN)
    query = func.to_tsquery(literal_column("'simple'::regconfig"), wanted)
    said: ColumnElement[Any] = literal_column(_SAID)
    return select(table).where(said.op("@@")(query)).order_by(desc(func.ts_rank(said, query)), table.c.id.desc())
