"""Whom an incident affects, as staff name them: a selection, or a CSV from a spreadsheet. Pure, over the directory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from ivr.directory.book import Book
from ivr.directory.numbers import normalise
from ivr.directory.people import MAIN
from ivr.errors import AllBadInput, BadInput
from ivr.incidents.incident import Affected

Found = TypeVar("Found", bound=Hashable)

#: The columns that a CSV may have; others are not looked at.
COLUMNS = ("partner", "account", "number")
_IN_FRENCH = {"partenaire": "partner", "compte": "account", "numéro": "number", "numero": "number"}


def affected(
    book: Book,
    region: str,
    provider: str = MAIN,
    /,
    *,
    partners: Iterable[str],
    accounts: Iterable[str],
    numbers: Iterable[str],
) -> Affected:
    """A provider's partners by name, its customers by account number, numbers as people write them.

    Raises AllBadInput that names every entry, as in `accounts.3`, that the directory does not know.
    """
    by_name = {one.name.casefold(): one.id for one in book.partners.values() if one.provider == provider}
    by_account = {one.account.casefold(): one.id for one in book.customers.values() if one.provider == provider}
    wrong: list[BadInput] = []

    def number_of(given: str, field: str) -> str:
        e164 = normalise(given.strip(), region)
        if e164 is None:
            mend = "give ten digits, or a plus sign and the country code"
            raise BadInput(field=field, problem=f"this is no telephone number: {given[:40]!r}", mend=mend)
        return e164

    def every(what: str, given: Iterable[str], find: Callable[[str, str], Found]) -> tuple[Found, ...]:
        found: dict[Found, None] = {}
        for n, one in enumerate(given):
            try:
                found[find(one, f"{what}.{n}")] = None
            except BadInput as error:
                wrong.append(error)
        return tuple(found)

    by_their_name = partial(_known, by_name, "give a partner's name as in the directory")
    by_their_account = partial(_known, by_account, "give an account number as on the bill")
    named = Affected(
        partners=every("partners", partners, by_their_name),
        customers=every("accounts", accounts, by_their_account),
        numbers=every("numbers", numbers, number_of),
    )
    if wrong:
        raise AllBadInput(wrong)
    return named


def _known(known: Mapping[str, int], mend: str, given: str, field: str) -> int:
    one = known.get(given.strip().casefold())
    if one is None:
        raise BadInput(field=field, problem=f"the directory does not know {given[:80]!r}", mend=mend)
    return one


def affected_of_csv(text: str, book: Book, region: str, provider: str = MAIN) -> Affected:
    """Of a CSV with a line of headings: `partner`, `account`, `number`, in English or French; a row may have any.

    Comma, semicolon or tab, as spreadsheets write it here. Raises BadInput for what is no such table, and AllBadInput
    that names the line and the column of every cell that is wrong; nothing is taken then.
    """
    text = text.removeprefix("\ufeff")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    cells: dict[str, list[str]] = {column: [] for column in COLUMNS}
    lines: dict[str, list[int]] = {column: [] for column in COLUMNS}
    try:
        given = [((name or "").strip().casefold(), name) for name in rows.fieldnames or ()]
        headings = {_IN_FRENCH.get(heading, heading): name for heading, name in given}
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
        return affected(
            book,
            region,
            provider,
            partners=cells["partner"],
            accounts=cells["account"],
            numbers=cells["number"],
        )
    except AllBadInput as error:

        def of_cell(one: BadInput) -> tuple[int, BadInput]:
            column, _, n = one.field.partition("s.")
            line = lines[column][int(n)]
            return line, BadInput(field=f"line {line}, {column}", problem=one.problem, mend=one.mend)

        found = sorted((of_cell(one) for one in error.errors), key=lambda one: one[0])
        raise AllBadInput([one for _, one in found]) from None
