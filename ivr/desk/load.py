"""Reads desk files. Every error names the file, the line, the field and the mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ivr.desk.schema import Desk
from ivr.errors import OmnivigilError

BUILT_IN = Path(__file__).parent / "desks"


class DeskError(OmnivigilError):
    """A desk file cannot be used."""

    def __init__(self, *, file: Path, line: int, field: str, problem: str, mend: str) -> None:
        self.file, self.line, self.field, self.problem, self.mend = file, line, field, problem, mend
        super().__init__(file=f"{file}:{line}", field=field, problem=problem, mend=mend)


class Desks(Mapping[str, Desk]):
    """Every desk of this line, by its id."""

    def __init__(self, desks: list[Desk]) -> None:
        self._by_id = {desk.id: desk for desk in desks}

    def __getitem__(self, desk_id: str) -> Desk:
        return self._by_id[desk_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def by_number(self, dialled: str) -> Desk | None:
        """The desk that answers this number, however it was dialled, or this service code."""
        digits = dialled.removeprefix("+")
        for desk in self.values():
            if digits in desk.dialled or digits in desk.service_codes:
                return desk
        return None


def load_desks(folder: Path = BUILT_IN) -> Desks:
    """Every `*.yaml` of a folder. Raises DeskError."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DeskError(file=folder, line=1, field="", problem="no desk file", mend="put a NAME.yaml there")
    loaded = [(file, load_desk(file)) for file in files]
    # The main desk is the one with service codes for phones; it comes first, whatever the files are called.
    loaded.sort(key=lambda pair: (not pair[1].service_codes, pair[1].id))
    owners: dict[str, Path] = {}
    for file, desk in loaded:
        claims = [f"id {desk.id}", *(f"number {n}" for n in desk.dialled), *(f"queue {q}" for q in desk.queues)]
        claims += [f"service code {code}" for code in desk.service_codes]
        for claim in claims:
            other = owners.setdefault(claim, file)
            if other != file:
                mend = f"change it here or in {other.name}"
                field = claim.split()[0]
                raise DeskError(file=file, line=1, field=field, problem=f"{claim} is another desk's", mend=mend)
    return Desks([desk for _, desk in loaded])


def load_desk(file: Path) -> Desk:
    """One desk file. Raises DeskError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        mend = "save it as UTF-8 where it can be read"
        raise DeskError(file=file, line=1, field="", problem=str(error), mend=mend) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_duplicates(file, node)
        values = yaml.load(text, Loader=_StringKeys)  # noqa: S506 - a SafeLoader with fewer types
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = str(error.problem or error.context)
        raise DeskError(file=file, line=line, field="", problem=problem, mend="correct the YAML there") from error
    except yaml.YAMLError as error:
        raise DeskError(file=file, line=1, field="", problem=str(error), mend="correct the YAML") from error
    try:
        desk = Desk.model_validate(values)
    except ValidationError as error:
        raise _explain(file, node, error) from error
    for name in desk.ical:
        if not (file.parent / name).is_file():
            line = _line(node, ("ical",))
            raise DeskError(file=file, line=line, field="ical", problem=f"there is no {name}", mend="correct the name")
    return desk


class _StringKeys(yaml.SafeLoader):
    """Digits and times stay as they are written: 611 is a code and 08:00 no number."""


_StringKeys.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refuse_duplicates(file: Path, node: yaml.Node | None, field: str = "") -> None:
    """YAML would silently keep the last of two like keys."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = f"{field}.{key.value}".lstrip(".")
            if key.value in seen:
                line = key.start_mark.line + 1
                raise DeskError(file=file, line=line, field=name, problem="given twice", mend="keep one of them")
            seen.add(key.value)
            _refuse_duplicates(file, value, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_duplicates(file, value, f"{field}.{index}")


def _explain(file: Path, node: yaml.Node | None, error: ValidationError) -> DeskError:
    first: Any = error.errors()[0]
    location = tuple(str(part) for part in first["loc"] if part != "[key]")
    problem = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "value_error" and not location and ": " in problem:
        # A rule over several fields names its field itself.
        name, _, problem = problem.partition(": ")
        location = tuple(name.split("."))
        problem = problem.split("; ")[0]
    field = ".".join(location)
    mends = {"extra_forbidden": "remove it or correct its name", "missing": "add it"}
    mend = mends.get(first["type"], "correct the value")
    return DeskError(file=file, line=_line(node, location), field=field, problem=problem, mend=mend)


def _line(node: yaml.Node | None, location: tuple[str, ...]) -> int:
    """The line of the deepest part of `location` that the file has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    found, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            found = node.value[int(part)]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line
