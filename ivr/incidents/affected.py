"""Whom an incident affects, as staff name them: a selection, or a CSV from a spreadsheet. Pure, over the directory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from ivr.directory.model import MAIN
from ivr.directory.snapshot import Book
from ivr.errors import AllBadInput, BadInput
from ivr.incidents.model import Affected
from ivr.lists.sheets import read_sheet
from ivr.numbers.normalise import NotANumber, read_number

Found = TypeVar("Found", bound=Hashable)

#: The columns that a CSV may have; others are not looked at.
COLUMNS = ("partner", "account", "number")
#: Without accents, as `ivr.lists.sheets.plain` gives them.
_HEADINGS = {
    **{column: column for column in COLUMNS},
    "partenaire": "partner",
    "compte": "account",
    "numero": "number",
}


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
        try:
            # An extension is touched by what touches its number.
            return read_number(given, region).e164
        except NotANumber as error:
            raise BadInput(field=field, problem=f"{error.problem}: {given[:40]!r}", mend=error.mend) from None

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


def affected_of_csv(csv: str | bytes, book: Book, region: str, provider: str = MAIN) -> Affected:
    """Of a CSV with a line of headings: `partner`, `account`, `number`, in English or French; a row may have any.

    An extension behind a number is not looked at. Raises AllBadInput for what is no such table, and with the row and
    the column of every cell that is wrong; nothing is taken then.
    """
    data = csv if isinstance(csv, bytes) else csv.encode("utf-8", "replace")
    try:
        sheet = read_sheet("body", data, _HEADINGS)
    except BadInput as error:
        raise AllBadInput([_of_row(one) for one in getattr(error, "errors", (error,))]) from None
    if not sheet.headings:
        mend = f"begin with a line of headings that has at least one of: {', '.join(COLUMNS)}"
        raise AllBadInput([BadInput(field="body", problem="there is no such column", mend=mend)])
    cells: dict[str, list[str]] = {column: [] for column in COLUMNS}
    rows: dict[str, list[int]] = {column: [] for column in COLUMNS}
    for row in sheet.rows:
        for column, cell in row.cells.items():
            cells[column].append(cell)
            rows[column].append(row.number)
    if not sheet.rows:
        mend = "add rows; for an incident that affects everybody, give no list"
        raise AllBadInput([BadInput(field="body", problem="this list names nobody", mend=mend)])
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
            row = rows[column][int(n)]
            return row, BadInput(field=f"line {row}, {column}", problem=one.problem, mend=one.mend)

        found = sorted((of_cell(one) for one in error.errors), key=lambda one: one[0])
        raise AllBadInput([one for _, one in found]) from None


def _of_row(error: BadInput) -> BadInput:
    row, column = error.facts.get("row"), error.facts.get("column")
    field = "body"
    if row is not None:
        field = ", ".join(str(part) for part in (f"line {row}", column) if part)
    return BadInput(field=field, problem=error.problem, mend=error.mend)
