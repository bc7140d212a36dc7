"""The directory as files: a folder of CSV, one of its lists alone, or all of it in YAML. Pure, but for `load`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ivr.directory import csv_cells
from ivr.directory.csv_columns import BY_KIND, LISTS, Column, headings, kind_of
from ivr.errors import AllBadInput, BadInput
from ivr.lists.sheets import MOST_BYTES, Row, Sheet, plain, read_sheet, write_sheet, wrong

#: What an import writes beside its files; never read.
SECRETS = "phones-secrets.csv"
_YAML = (".yaml", ".yml")
_SHEETS = (".csv", ".txt", ".tsv")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Draft:
    """One row: what it says by column, before it is looked at as an entry. Columns that the file lacks are absent."""

    values: dict[str, Any]
    sheet: Sheet
    row: int
    #: Columns whose cells cannot be used.
    bad: set[str] = field(default_factory=set)

    def wrong(self, column: str | None, problem: str, mend: str) -> BadInput:
        """Return what is wrong with one of its cells, or with the row."""
        return wrong(self.sheet.file, self.row, self.sheet.heading(column) if column else None, problem, mend)


@dataclass
class Drafts:
    """All that some files say, by kind of list, and what of it was left out or taken otherwise than it is written."""

    lists: dict[str, list[Draft]] = field(default_factory=dict)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Every cell that cannot be read, and every file.
    errors: list[BadInput] = field(default_factory=list)
    #: Kinds of lists that could not be read at all.
    unreadable: set[str] = field(default_factory=set)


def load(path: Path) -> dict[str, bytes]:
    """The files of a folder, or one file, by name. Raises BadInput."""
    if path.suffix.lower() in (".xlsx", ".xls", ".ods", ".numbers"):
        mend = "save each sheet as CSV UTF-8 into a folder, and give the folder"
        raise wrong(path.name, None, None, "is a workbook", mend)
    if not path.exists():
        raise BadInput(field="PATH", problem=f"there is no {path}", mend="give a folder of CSV files, or one file")
    endings = (*_SHEETS, *_YAML)
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix.lower() in endings)
    else:
        found = [path]
    files: dict[str, bytes] = {}
    for file in found:
        if file.name == SECRETS:
            continue
        if file.stat().st_size > MOST_BYTES:
            raise wrong(file.name, None, None, f"is larger than {MOST_BYTES >> 20} MB", "import it in parts")
        try:
            files[file.name] = file.read_bytes()
        except OSError as error:
            raise wrong(file.name, None, None, f"cannot be read: {error.strerror}", "check its rights") from error
    if not files:
        mend = "make one with ./omnivigil directory template PATH"
        raise BadInput(field="PATH", problem=f"{path} holds no list", mend=mend)
    return files


def read(files: Mapping[str, bytes]) -> Drafts:
    """Return what the files say, by name of the file; what of them cannot be read is among its `errors`."""
    drafts = Drafts()
    errors = drafts.errors
    for file, data in files.items():
        try:
            if file.lower().endswith(_YAML):
                sheets = _yaml(file, data)
            else:
                sheets = _csv(file, data, drafts.notes)
        except BadInput as error:
            errors.extend(error.errors if isinstance(error, AllBadInput) else [error])
            drafts.unreadable |= {one.kind for one in LISTS if kind_of(file) in (None, one.kind)}
            continue
        for kind, sheet in sheets:
            if kind in drafts.lists:
                problem = f"is the list of {kind} again, as is {drafts.sheets[kind].file}"
                errors.append(wrong(file, None, None, problem, "put both into one"))
                continue
            drafts.notes += [
                f"{sheet.file}: column « {one} » is none of ours, and is left out" for one in sheet.ignored
            ]
            drafts.sheets[kind] = sheet
            drafts.lists[kind] = [_draft(kind, sheet, row, errors, drafts.notes) for row in sheet.rows]
    return drafts


def _csv(file: str, data: bytes, notes: list[str]) -> list[tuple[str, Sheet]]:
    kind = kind_of(file)
    if kind is None:
        notes.append(f"{file}: is none of {', '.join(one.file for one in LISTS)}, and is left out")
        return []
    required = [one.name for one in BY_KIND[kind].columns if one.required]
    return [(kind, read_sheet(file, data, headings(kind), required=required))]


def _yaml(file: str, data: bytes) -> list[tuple[str, Sheet]]:
    """Lists of flat mappings, by kind; values are texts, or lists of texts. Raises BadInput, AllBadInput."""
    try:
        node = yaml.compose(data, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = f"is no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"
        raise wrong(file, mark.line + 1 if mark else None, None, problem, "correct it there") from error
    if node is None:
        return []
    errors: list[BadInput] = []
    found: list[tuple[str, Sheet]] = []
    for key, value in _pairs(file, node, errors):
        kind = kind_of(key.value) if isinstance(key, yaml.ScalarNode) else None
        if kind is None:
            mend = f"write one of: {', '.join(one.kind for one in LISTS)}"
            errors.append(wrong(file, key.start_mark.line + 1, None, "is no list of the directory", mend))
            continue
        names: dict[str, str] = {}
        rows = [_yaml_row(file, kind, one, names, errors) for one in _elements(file, value, errors)]
        found.append((kind, Sheet(file, names, rows, sparse=True)))
    if errors:
        raise AllBadInput(errors)
    return found


def _pairs(file: str, node: Any, errors: list[BadInput]) -> Iterable[tuple[Any, Any]]:
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    errors.append(wrong(file, node.start_mark.line + 1, None, "is no mapping", "write it as « name: value »"))
    return ()


def _elements(file: str, node: Any, errors: list[BadInput]) -> Iterable[Any]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.ScalarNode) or node.value:
        errors.append(wrong(file, node.start_mark.line + 1, None, "is no list", "begin each entry with « - »"))
    return ()


def _yaml_row(file: str, kind: str, node: Any, names: dict[str, str], errors: list[BadInput]) -> Row:
    row = Row(node.start_mark.line + 1, {})
    for key, value in _pairs(file, node, errors):
        line = key.start_mark.line + 1
        column = None
        if isinstance(key, yaml.ScalarNode):
            column = headings(kind).get(plain(key.value))
        if column is None:
            mend = f"write one of: {', '.join(one.name for one in BY_KIND[kind].columns)}"
            errors.append(wrong(file, line, str(key.value)[:40], f"is nothing that {kind} have", mend))
        elif column in row.cells:
            errors.append(wrong(file, line, key.value, "is there twice", "delete one of them"))
        else:
            names.setdefault(column, key.value)
            row.cells[column] = _yaml_cell(file, key.value, value, errors)
    return row


def _yaml_cell(file: str, name: str, node: Any, errors: list[BadInput]) -> str:
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith(":null"):
            return ""
        return str(node.value).strip()
    if isinstance(node, yaml.SequenceNode) and all(isinstance(one, yaml.ScalarNode) for one in node.value):
        return "\n".join(one.value for one in node.value)
    mend = 'write a text, or a list of texts as in [support, "sales:1"]'
    errors.append(wrong(file, node.start_mark.line + 1, name, "is neither a text nor a list of texts", mend))
    return ""


def _draft(kind: str, sheet: Sheet, row: Row, errors: list[BadInput], notes: list[str]) -> Draft:
    draft = Draft({}, sheet, row.number)
    for column in BY_KIND[kind].columns:
        cell = row.cells.get(column.name, "")
        if not cell:
            if column.name in (row.cells if sheet.sparse else sheet.headings):
                draft.values[column.name] = None
            if column.required:
                draft.bad.add(column.name)
                errors.append(draft.wrong(column.name, "is empty", f"write something, as in « {column.example} »"))
            continue
        try:
            draft.values[column.name] = _value(kind, column, cell, draft, notes)
        except csv_cells.Cell as error:
            draft.bad.add(column.name)
            errors.append(draft.wrong(column.name, error.problem, error.mend))
    return draft


def _value(kind: str, column: Column, cell: str, draft: Draft, notes: list[str]) -> Any:
    value = column.read(cell)
    if column.read is csv_cells.telephone:
        value, extension = value
        if extension is not None:
            notes.append(_left_out(draft, column, extension))
            # Whoever sits at an extension does not own the number in front of it.
            if kind == "numbers":
                draft.values["shared"] = True
    elif column.read is csv_cells.telephones:
        notes += [_left_out(draft, column, extension) for _, extension in value if extension is not None]
        value = [number for number, _ in value]
    return value


def _left_out(draft: Draft, column: Column, extension: str) -> str:
    place = f"{draft.sheet.file}, row {draft.row}, column {draft.sheet.heading(column.name)}"
    return f"{place}: extension {extension} is left out; callers are known by whole numbers"


def tables(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[tuple[str, list[Column], list[list[str]]]]:
    """Each list's kind, its columns and its cells; `rows` are the entries' values by column."""
    for one in LISTS:
        columns = [column for column in one.columns if column.name != "secret"]
        written = [[column.write(row.get(column.name)) for column in columns] for row in rows.get(one.kind, ())]
        yield one.kind, columns, written


def as_csv(rows: Mapping[str, Iterable[Mapping[str, Any]]], *, french: bool = False) -> dict[str, bytes]:
    """The files of a folder, by name."""
    return {
        BY_KIND[kind].file: write_sheet([_heading(column, french) for column in columns], written)
        for kind, columns, written in tables(rows)
    }


def _heading(column: Column, french: bool) -> str:
    if french and column.called:
        return column.called[0]
    return column.name


def as_yaml(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> bytes:
    """The same in one file."""
    whole = {
        kind: [{column.name: cell for column, cell in zip(columns, row, strict=True) if cell} for row in written]
        for kind, columns, written in tables(rows)
    }
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(whole, Dumper=dumper, allow_unicode=True, sort_keys=False, width=120).encode()


def template(*, french: bool = False) -> dict[str, bytes]:
    """The files of a folder with the headings and an example."""
    made = {}
    for one in LISTS:
        examples = ({column.name: column.example for column in one.columns}, *one.examples)
        rows = [[example.get(column.name, "") for column in one.columns] for example in examples]
        made[one.file] = write_sheet([_heading(column, french) for column in one.columns], rows)
    return made
