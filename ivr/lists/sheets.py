"""Lists as spreadsheets save them: CSV in whatever dialect Excel was set to, and back. Pure.

French Excel saves CSV in Windows-1252 with semicolons, « CSV UTF-8 » with a byte order mark, and « Texte Unicode » in
UTF-16 with tabs; it may begin with a line `sep=;`, and holds what must not become a number as `="00123"`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ivr.errors import AllBadInput, BadInput

#: A larger file is no directory: 100,000 rows of phones are 10 MB.
MOST_BYTES = 100 << 20
_MOST_COLUMNS = 200
_MOST_CELL = 10_000

#: One cell and what ends it. A quoted one may have spaces around its quotation marks and an equals sign before them.
_CELL = (
    r'[ \u00a0]*+(?P<formula>=?)"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"[ \u00a0]*+(?P<end1>SEP|\r\n|\n|\r|\Z)'
    r"|(?P<plain>[^SEP\r\n]*+)(?P<end2>SEP|\r\n|\n|\r|\Z)"
)
_SEPARATORS = (";", "\t", ",", "|")
_SEP_LINE = re.compile(r"sep=(.)(\r\n|\n|\r)", re.IGNORECASE)
#: Blank in any sense, and what nobody sees: byte order mark, zero width, direction marks.
_UNSEEN = (
    " \t\r\n\v\f\u00a0\u202f\u2007\ufeff\u200b\u200c\u200d\u200e\u200f"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_AS_TEXT = re.compile(r'="((?:[^"]|"")*)"')

#: A cell that a spreadsheet would run as a formula; an apostrophe before it makes it a text (CSV injection, OWASP).
_RUNS = re.compile(r"'*[=+\-@\t\r]")
#: A telephone number as we write it: a plus sign, and a space that keeps Excel from adding it up.
_NUMBER = re.compile(r"\+[0-9]{1,3} [0-9 ().,+-]+", re.ASCII)
#: What Excel would take for a number, a date or a truth, and write differently.
_MONTH = r"(?:jan|f[eé]v|feb|mar|avr|apr|mai|may|jui|jun|jul|ao[uû]|aug|sep|oct|nov|d[eé]c)[^\W\d_]*\.?"
_TAKEN = re.compile(
    r"0[0-9]+|[0-9]{11,}"
    r"|(?=.*[0-9])(?![0-9]+\Z)[0-9 .,/:$€%()\-]+"
    r"|[0-9.,]+e[0-9]+"
    rf"|{_MONTH}[ -]?[0-9]{{1,4}}|[0-9]{{1,2}}[ -]?{_MONTH}([ -]?[0-9]{{2,4}})?"
    r"|true|false|vrai|faux",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Row:
    """One row: its number as the spreadsheet shows it, and its cells by column, without the empty ones."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """One list. `headings` are as they are written, by column; `ignored` are those that mean nothing to us.

    In a `sparse` one a row says nothing of what it does not name; in the others an empty cell says that there is none.
    """

    file: str
    headings: dict[str, str]
    rows: list[Row]
    ignored: tuple[str, ...] = ()
    sparse: bool = False

    def heading(self, column: str) -> str:
        """Return what the file calls a column."""
        return self.headings.get(column, column)


def wrong(file: str, row: int | None, column: str | None, problem: str, mend: str) -> BadInput:
    """What is wrong with a cell, a row or a file: `row` as the spreadsheet counts, `column` as the file heads it."""
    place = file if row is None else f"{file}, row {row}"
    field = place if column is None else f"{place}, column {column}"
    error = BadInput(field=field, problem=problem, mend=mend)
    error.facts |= {"file": file, "row": row, "column": column}
    return error


def plain(text: str) -> str:
    """A heading or a name without what people write differently: case, accents, punctuation, spaces."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join(re.sub(r"[\W_]+", " ", bare.casefold()).split())


def decode(file: str, data: bytes) -> str:
    """The text of a file: UTF-8, UTF-16, or Windows-1252 as French Excel's « ANSI ». Raises BadInput."""
    if len(data) > MOST_BYTES:
        raise wrong(file, None, None, f"is larger than {MOST_BYTES >> 20} MB", "import it in parts")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decoded(file, data, encoding)
    head = data[:1000]
    if len(head) > 3 and head.count(0) * 3 > len(head):
        # UTF-16 whose mark was lost: of ASCII each second byte is zero.
        return _decoded(file, data, "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _decoded(file, data, "windows-1252")


def _decoded(file: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].count(b"\n") + 1
        raise wrong(
            file, before, None, f"is no text in {encoding}", "save it as « CSV UTF-8 (délimité par des virgules) »"
        ) from None


def read_sheet(file: str, data: bytes, columns: dict[str, str], *, required: Iterable[str] = ()) -> Sheet:
    """A list whose headings are looked up in `columns`: plain heading to column.

    Headings that nobody knows are left out, and are in `ignored`; one that looks like a slip of the pen is an error.
    Raises AllBadInput with all that is wrong.
    """
    text = decode(file, data)
    errors: list[BadInput] = []
    said = _SEP_LINE.match(text)
    if said:
        text = text[said.end() :]
    separator = said[1] if said else _separator(text, columns)
    rows = _rows(file, text, separator, errors)
    first, written = next(((number, cells) for number, cells in rows if any(cells)), (1, []))
    places, headings, ignored = _places(file, first, written, columns, errors)
    for column in required:
        if column not in headings:
            mend = f"the first row must name the columns; give one the heading « {column} »"
            errors.append(wrong(file, first, None, f"has no column « {column} »", mend))
    found: list[Row] = []
    for number, cells in rows:
        if not any(cells):
            continue
        if any(cells[len(places) :]):
            problem = f"has more cells than there are headings ({len(places)})"
            errors.append(wrong(file, number, None, problem, f'put a cell that has a {separator!r} in it between " "'))
            continue
        by_column = {column: cell for column, cell in zip(places, cells, strict=False) if column is not None and cell}
        if by_column:
            found.append(Row(number, by_column))
    if errors:
        raise AllBadInput(errors)
    return Sheet(file, headings, found, tuple(ignored))


def _places(
    file: str, first: int, written: Iterable[str], columns: dict[str, str], errors: list[BadInput]
) -> tuple[list[str | None], dict[str, str], list[str]]:
    """Return each heading's column, the headings by column, and those unknown; add what is wrong to `errors`."""
    places: list[str | None] = []
    headings: dict[str, str] = {}
    ignored: list[str] = []
    for heading in written:
        column = columns.get(plain(heading))
        if column is None and heading:
            if near := difflib.get_close_matches(plain(heading), columns, n=1, cutoff=0.85):
                mend = f"write « {near[0]} », or delete the column"
                errors.append(wrong(file, first, heading, "is no heading", mend))
            else:
                ignored.append(heading)
        elif column in headings:
            problem = f"is the column « {headings[column]} » again"
            errors.append(wrong(file, first, heading, problem, "delete one of them"))
            column = None
        elif column is not None:
            headings[column] = heading
        places.append(column)
    return places, headings, ignored


def _separator(text: str, columns: dict[str, str]) -> str:
    """Return what parts the cells: that by which most of the first row's headings are known."""
    begin = len(text) - len(text.lstrip("\r\n;, "))
    head = text[begin : begin + 20_000]

    def known(separator: str) -> tuple[int, int]:
        cells = next(iter(_records(head, separator)), ("", []))[1]
        return sum(plain(_bare(cell)) in columns for cell in cells), len(cells)

    return max(_SEPARATORS, key=known)


def _records(text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Each record: what is wrong with it, if anything, and its cells as they are written."""
    cells: list[str] = []
    problem = ""
    for one in _pattern(separator).finditer(text):
        quoted = one["quoted"]
        if quoted is None:
            cell, end = one["plain"], one["end2"]
            if cell.lstrip(_UNSEEN).startswith('"'):
                problem = "has a quotation mark that is not closed, or text after it"
        else:
            end = one["end1"]
            cell = quoted.replace('""', '"') if not one["formula"] else f'="{quoted}"'
        cells.append(cell)
        if len(cells) > _MOST_COLUMNS:
            problem = f"has more than {_MOST_COLUMNS} cells"
            cells.pop()
        if len(cell) > _MOST_CELL:
            problem = f"has a cell of more than {_MOST_CELL} characters"
        if end != separator:
            if one.end() < len(text) or cells != [""]:
                yield problem, cells
            cells, problem = [], ""
            if one.end() == len(text):
                return


@cache
def _pattern(separator: str) -> re.Pattern[str]:
    return re.compile(_CELL.replace("SEP", re.escape(separator)))


def _rows(file: str, text: str, separator: str, errors: list[BadInput]) -> Iterator[tuple[int, list[str]]]:
    for number, (problem, cells) in enumerate(_records(text, separator), 1):
        if problem:
            errors.append(wrong(file, number, None, problem, 'write a quotation mark within a cell twice: ""'))
        else:
            yield number, [_bare(cell) for cell in cells]


def _bare(cell: str) -> str:
    """Return what a cell says, without what only tells a spreadsheet how to take it."""
    cell = cell.strip(_UNSEEN)
    if not cell or cell[0] not in "='":
        return cell
    if _RUNS.match(cell):
        if cell[0] == "'":
            return cell[1:]
        if found := _AS_TEXT.fullmatch(cell):
            return found[1].replace('""', '"')
        return cell
    return cell


def write_sheet(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A list as French Excel opens it by a double click, and `read_sheet` reads as it was: UTF-8 with a mark, `;`."""
    lines = [";".join(map(_quoted, headings))]
    lines.extend(";".join(_quoted(_careful(cell)) for cell in row) for row in rows)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig", "replace")


def _careful(cell: str) -> str:
    """A cell that a spreadsheet neither runs nor takes for a number that it is not."""
    if _RUNS.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    if _TAKEN.fullmatch(cell):
        return f'="{cell}"'
    return cell


def _quoted(cell: str) -> str:
    if any(sign in cell for sign in ';"\r\n\t,|') or cell != cell.strip(_UNSEEN):
        return '"' + cell.replace('"', '""') + '"'
    return cell
