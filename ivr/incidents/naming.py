"""Whom an incident affects, as staff name them: a selection, or a CSV from a spreadsheet. Pure, over the directory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from ivr.directory.book import Book
from ivr.directory.numbers import normalise
from ivr.errors import BadInput
from ivr.incidents.incident import Affected

#: The columns that a CSV may have; others are not looked at.
COLUMNS = ("partner", "account", "number")


def affected(
    book: Book, region: str, *, partners: Iterable[str], accounts: Iterable[str], numbers: Iterable[str]
) -> Affected:
    """Partners by name, customers by account number, numbers as people write them.

    Raises BadInput that names the first entry, as in `accounts.3`, that the directory does not know.
    """
    by_name = {one.name.casefold(): one.id for one in book.partners.values()}
    by_account = {one.account.casefold(): one.id for one in book.customers.values()}
    found: tuple[dict[int, None], dict[int, None], dict[str, None]] = ({}, {}, {})
    for n, name in enumerate(partners):
        found[0][_known(by_name, name, f"partners.{n}", "give a partner's name as in the directory")] = None
    for n, account in enumerate(accounts):
        found[1][_known(by_account, account, f"accounts.{n}", "give an account number as on the bill")] = None
    for n, number in enumerate(numbers):
        e164 = normalise(number.strip(), region)
        if e164 is None:
            mend = "give ten digits, or a plus sign and the country code"
            raise BadInput(field=f"numbers.{n}", problem=f"this is no telephone number: {number[:40]!r}", mend=mend)
        found[2][e164] = None
    return Affected(partners=tuple(found[0]), customers=tuple(found[1]), numbers=tuple(found[2]))


def _known(known: dict[str, int], given: str, field: str, mend: str) -> int:
    one = known.get(given.strip().casefold())
    if one is None:
        raise BadInput(field=field, problem=f"the directory does not know {given[:80]!r}", mend=mend)
    return one


def affected_of_csv(text: str, book: Book, region: str) -> Affected:
    """Of a CSV with a line of headings: `partner`, `account`, `number`; a row may have any of them.

    Comma, semicolon or tab, as spreadsheets write it here. Raises BadInput that names the line.
    """
    text = text.removeprefix("\ufeff")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    cells: dict[str, list[str]] = {column: [] for column in COLUMNS}
    lines: dict[str, list[int]] = {column: [] for column in COLUMNS}
    try:
        headings = {(name or "").strip().casefold(): name for name in rows.fieldnames or ()}
        if not headings.keys() & set(COLUMNS):
            mend = f"begin with a line of headings that has at least one of: {', '.join(COLUMNS)}"
            raise BadInput(field="body", problem="there is no such column", mend=mend)
        for row in rows:
            for column in COLUMNS:
                if value := (row.get(headings.get(column, "")) or "").strip():
                    cells[column].append(value)
                    lines[column].append(rows.line_num)
    except csv.Error as error:
        where = f"line {rows.line_num + 1}"
        raise BadInput(field=where, problem=f"cannot be read as CSV: {error}", mend="save it as CSV again") from None
    try:
        return affected(book, region, partners=cells["partner"], accounts=cells["account"], numbers=cells["number"])
    except BadInput as error:
        column, _, n = error.field.partition("s.")
        where = f"line {lines[column][int(n)]}, {column}"
        raise BadInput(field=where, problem=error.problem, mend=error.mend) from None
