"""Reads desk files. Every error names the file, the line, the field and the mend."""

from __future__ import annotations

import difflib
import re
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ivr.desk import schema
from ivr.desk.fields import MENDS, Incoherent
from ivr.desk.schema import Desk
from ivr.errors import OmnivigilError

BUILT_IN = Path(__file__).parent / "desks"

#: A desk is a few kilobytes; a larger file is something else.
_MOST_BYTES = 1 << 20
#: Parts within parts; a desk has five.
_DEEPEST = 20

_FIELDS = sorted(
    {name for part in vars(schema).values() if isinstance(part, type) for name in getattr(part, "model_fields", ())}
)


class DeskError(OmnivigilError):
    """A desk file cannot be used."""

    def __init__(self, *, file: Path, line: int, field: str, problem: str, mend: str) -> None:
        self.file, self.line, self.field, self.problem, self.mend = file, line, field, problem, mend
        super().__init__(file=f"{file}:{line}", field=field, problem=problem, mend=mend)


class Desks(Mapping[str, Desk]):
    """Every desk of this line, by its id. Whoever holds this sees others once they are in force (`take`)."""

    def __init__(self, desks: list[Desk]) -> None:
        self._by_id = {desk.id: desk for desk in desks}
        self._by_number = {number: desk for desk in desks for number in (*desk.dialled, *desk.service_codes)}

    def __getitem__(self, desk_id: str) -> Desk:
        return self._by_id[desk_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    # What is gone through while others are taken is gone through to its end.

    def items(self) -> ItemsView[str, Desk]:
        return self._by_id.items()

    def values(self) -> ValuesView[Desk]:
        return self._by_id.values()

    @property
    def main(self) -> Desk:
        """The main desk."""
        return main_of(self)

    def take(self, others: Desks) -> None:
        """Be the same desks as these from now on."""
        self._by_id, self._by_number = others._by_id, others._by_number

    def as_now(self) -> Desks:
        """These desks, whatever is taken later."""
        return Desks(list(self._by_id.values()))

    def by_number(self, dialled: str) -> Desk | None:
        """The desk that answers this number or service code; +, spaces and punctuation of numbers do not matter."""
        return self._by_number.get(re.sub(r"[+\s().-]", "", dialled))


def main_of(desks: Mapping[str, Desk]) -> Desk:
    """Return the main desk of a line, or of one provider: the first. What the line has once follows it."""
    return next(iter(desks.values()))


def load_desks(folder: Path = BUILT_IN) -> Desks:
    """Every `*.yaml` of a folder. Raises DeskError."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DeskError(file=folder, line=1, field="", problem="no desk file", mend="put a NAME.yaml there")
    loaded = [(file, *_load(file)) for file in files]
    # The main desk comes first, whatever the files are called; where none says so, it is the one with service codes.
    loaded.sort(key=lambda one: (not one[1].main, not one[1].service_codes, one[1].id))
    for file, _, node in [one for one in loaded if one[1].main][1:]:
        mend = f"take it out here, or out of {loaded[0][0].name}"
        raise DeskError(
            file=file, line=_line(node, ("main",)), field="main", problem="another desk is the main one", mend=mend
        )
    owners: dict[tuple[str, str], Path] = {}
    for file, desk, node in loaded:
        for field, value in _claims(desk):
            other = owners.setdefault((_ONE_SPACE.get(field, field), value), file)
            if other != file:
                line = _line(node, (field, value))
                mend = f"change it here or in {other.name}"
                raise DeskError(file=file, line=line, field=field, problem=f"{value} is another desk's", mend=mend)
    return Desks([desk for _, desk, _ in loaded])


#: Fields whose values may not be alike among desks either: whatever is dialled has one meaning.
_ONE_SPACE = {"aliases": "numbers", "service_codes": "numbers"}


def _claims(desk: Desk) -> Iterator[tuple[str, str]]:
    """Return what only one desk may have: (field, value)."""
    yield "id", desk.id
    for field, values in (
        ("numbers", desk.numbers),
        ("aliases", desk.aliases),
        ("service_codes", desk.service_codes),
        ("queues", desk.queues),
    ):
        yield from ((field, value) for value in values)


def load_desk(file: Path) -> Desk:
    """One desk file. Raises DeskError."""
    return _load(file)[0]


def _load(file: Path) -> tuple[Desk, yaml.Node]:
    text = _text(file)
    try:
        loader = _AsWritten(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise DeskError(file=file, line=1, field="", problem="holds no desk", mend="write it as field: value")
        _refuse_confusing(file, node)
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise DeskError(file=file, line=line, field="", problem=problem, mend="correct the YAML there") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"character U+{error.character:04X} is not allowed"
        raise DeskError(file=file, line=line, field="", problem=problem, mend="remove it") from error
    except RecursionError as error:
        raise DeskError(
            file=file, line=1, field="", problem="is too deep", mend="take the outer levels away"
        ) from error
    try:
        desk = Desk.model_validate(values)
    except ValidationError as error:
        raise _explain(file, node, error) from error
    for index, name in enumerate(desk.ical):
        if not (file.parent / name).is_file():
            line = _line(node, ("ical", str(index)))
            raise DeskError(file=file, line=line, field="ical", problem=f"there is no {name}", mend="correct the name")
    return desk, node


def _text(file: Path) -> str:
    mend = "save it as UTF-8 where it can be read"
    try:
        content = file.read_bytes()
        if len(content) > _MOST_BYTES:
            raise DeskError(file=file, line=1, field="", problem="is larger than a desk", mend="give a desk file")
        return content.decode("utf-8")
    except OSError as error:
        raise DeskError(file=file, line=1, field="", problem=error.strerror or str(error), mend=mend) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DeskError(file=file, line=line, field="", problem="is not UTF-8", mend=mend) from error


class _AsWritten(yaml.SafeLoader):
    """Everything stays as it is written: 611 is a code, 08:00 no number, and `yes` a word that may be spoken."""


_AsWritten.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refuse_confusing(file: Path, root: yaml.Node) -> None:
    """Refuse what YAML allows and a desk cannot mean: keys given twice (the last would win), keys that are lists,
    and parts that hold themselves. Anchors are followed once, so they cannot multiply.
    """

    def walk(node: yaml.Node, field: str, above: tuple[yaml.Node, ...]) -> None:
        def refuse(at: yaml.Node, name: str, problem: str, mend: str) -> DeskError:
            return DeskError(file=file, line=at.start_mark.line + 1, field=name, problem=problem, mend=mend)

        if node in above:
            raise refuse(node, field, "holds itself", "write it out")
        if len(above) > _DEEPEST:
            raise refuse(node, field, "is too deep", "take the outer levels away")
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise refuse(key, field, "a key is not a word or number", "put it between quotes")
                name = f"{field}.{key.value}".lstrip(".")
                if key.value in names:
                    raise refuse(key, name, "given twice", "keep one of them")
                names.add(key.value)
                walk(value, name, (*above, node))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, f"{field}.{index}", (*above, node))

    seen: set[int] = set()
    walk(root, "", ())


def problems(error: ValidationError) -> Iterator[tuple[list[str], str, str]]:
    """Return what is wrong with a desk's values: where, how, and what to do; what explains the rest comes first."""
    # A misspelt field is both unknown and missing; the first of these helps more.
    for one in sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden"):
        yield _told(dict(one))


def _told(one: dict[str, Any]) -> tuple[list[str], str, str]:
    location = [str(part) for part in one["loc"] if part != "[key]"]
    problem = str(one["msg"])
    mend = {"missing": "add it", "extra_forbidden": "remove it"}.get(one["type"], "correct the value")
    broken = one.get("ctx", {}).get("error")
    if isinstance(broken, Incoherent):
        location += [part for part in broken.field.split(".") if part]
        problem, mend = broken.problem, broken.mend
    elif one["type"] == "string_pattern_mismatch":
        problem, mend = f"{str(one['input'])[:40]!r} does not fit", MENDS[one["ctx"]["pattern"]]
    elif one["type"] == "extra_forbidden":
        problem = "there is no such field"
        if near := difflib.get_close_matches(location[-1], _FIELDS, n=1):
            mend = f"remove it, or did you mean {near[0]}?"
    return location, problem, mend


def _explain(file: Path, node: yaml.Node, error: ValidationError) -> DeskError:
    location, problem, mend = next(problems(error))
    return DeskError(file=file, line=_line(node, location), field=".".join(location), problem=problem, mend=mend)


def _line(node: yaml.Node, location: Sequence[str]) -> int:
    """The line of the deepest part of `location` that the file has; an item of a list is found by its value too."""
    line = node.start_mark.line + 1
    for part in location:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    found, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            if part.isdigit() and int(part) < len(node.value):
                found = node.value[int(part)]
            else:
                found = next((item for item in node.value if item.value == part), None)
            if found is not None:
                line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line
