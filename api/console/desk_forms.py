"""Forms made from the schema of desk files: what stands in them, and what was typed as a desk file has it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ivr.desk.fields import Interval
from ivr.desk.schema import Desk
from ivr.desk_editing.yaml_positions import Value
from ivr.errors import AllBadInput, BadInput

#: What each page changes: fields of the desk.
PARTS: Mapping[str, tuple[str, ...]] = {
    "hours": ("hours", "holidays", "exceptions", "ical"),
    "menu": ("menu", "service_codes", "departments"),
    "texts": ("texts",),
    "queues": ("queues",),
    "rota": ("oncall",),
}

#: Empty rows below those of a table of keys.
_BLANK_ROWS = 2
#: Longer texts have room for several lines.
_ONE_LINE = 100
_ABSENT = object()


@dataclass(kw_only=True)
class Box:
    """A field, or a group of them."""

    kind: Literal["text", "number", "area", "choice", "group", "parts", "rows"]
    #: In the posted form.
    name: str
    #: In the desk file.
    path: tuple[str, ...]
    value: str = ""
    placeholder: str = ""
    choices: Sequence[str] = ()
    boxes: list[Box] = field(default_factory=list)
    #: Of an optional group: whether it is there.
    there: bool | None = None
    #: Of one of several: its key, which a new one does not have yet.
    key: str | None = None
    new: bool = False
    keyed: bool = False
    problem: str = ""

    @property
    def label(self) -> str:
        """The word for it: the field's own name."""
        return self.path[-1]


@dataclass(frozen=True, kw_only=True)
class Around:
    """What forms offer to choose from."""

    languages: Sequence[str]
    departments: Sequence[str]

    def choices(self, path: tuple[str, ...]) -> Sequence[str]:
        if path == ("menu", "operator") or path[:2] == ("menu", "keys") or path[0] == "service_codes":
            return self.departments
        if path[:2] == ("menu", "languages"):
            return self.languages
        return ()


def around(values: Value) -> Around:
    """Return what a desk's file offers."""
    found = values if isinstance(values, dict) else {}
    languages, departments = found.get("languages"), found.get("departments")
    return Around(
        languages=[str(one) for one in languages] if isinstance(languages, list) else ["fr"],
        departments=list(departments) if isinstance(departments, dict) else [],
    )


def boxes_of(part: str, values: Value, offered: Around) -> list[Box]:
    """The fields of a page, with what the desk file says."""
    return [
        _box(Desk.model_fields[name].annotation, _get(values, name), (name,), name, offered) for name in PARTS[part]
    ]


def typed(part: str, form: Mapping[str, str], values: Value, offered: Around) -> dict[str, Value]:
    """The desk's values with those that were typed; what a page has no field for stays."""
    made = dict(values) if isinstance(values, dict) else {}
    for name in PARTS[part]:
        found = _read(Desk.model_fields[name].annotation, form, made.get(name), (name,), name, offered)
        if found is not _ABSENT:
            made[name] = found
        else:
            made.pop(name, None)
    return made


def show_problems(boxes: Sequence[Box], error: BadInput) -> None:
    """Put each problem beside the field that it is about, or the group that the field would be in."""
    for one in error.errors if isinstance(error, AllBadInput) else (error,):
        where = tuple(one.field.split("."))
        near = max(_all(boxes), key=lambda box: _near(box.path, where), default=None)
        if near is not None and _near(near.path, where) > 0 and not near.problem:
            near.problem = f"{one.problem}\n{one.mend}"


def _near(path: tuple[str, ...], where: tuple[str, ...]) -> int:
    if where[: len(path)] == path:
        return len(path)
    return 0


def _all(boxes: Sequence[Box]) -> list[Box]:
    return [found for box in boxes for found in (box, *_all(box.boxes))]


def _box(annotation: Any, value: Value, path: tuple[str, ...], name: str, offered: Around) -> Box:
    kind, inner, optional = _kind(annotation)
    if kind == "model":
        inner_of = cast("type[BaseModel]", inner).model_fields
        boxes = [
            _with_default(_box(one.annotation, _get(value, part), (*path, part), f"{name}/{part}", offered), one)
            for part, one in inner_of.items()
        ]
        return Box(kind="group", name=name, path=path, boxes=boxes, there=value is not None if optional else None)
    if kind == "spoken":
        boxes = [
            Box(
                kind="area" if get_origin(get_args(inner)[1]) is Annotated and _long(inner) else "text",
                name=f"{name}/{language}",
                path=(*path, language),
                value=_text(_get(value, language)),
            )
            for language in offered.languages
        ]
        return Box(kind="group", name=name, path=path, boxes=boxes, there=value is not None if optional else None)
    if kind in ("parts", "rows"):
        one_of = get_args(inner)[1] if kind == "parts" else get_args(inner)[0]
        entries = _entries(value)
        boxes = []
        scalar = _kind(one_of)[0] == "scalar"
        for at in range(len(entries) + (_BLANK_ROWS if scalar else 1)):
            key, there = entries[at] if at < len(entries) else (None, None)
            box = _box(one_of, there, (*path, key if key is not None else ""), f"{name}/@{at}", offered)
            box.keyed, box.new = kind == "parts", at >= len(entries)
            box.key = key if box.keyed else None
            boxes.append(box)
        return Box(kind="parts" if kind == "parts" else "rows", name=name, path=path, boxes=boxes)
    if kind == "list":
        if isinstance(value, (list, tuple)):
            joined = ", ".join(_text(one) for one in value)
        else:
            joined = _text(value)
        return Box(kind="text", name=name, path=path, value=joined)
    choices = offered.choices(path) or (get_args(inner) if get_origin(inner) is Literal else ())
    shown: Literal["choice", "number", "text"] = "text"
    if choices:
        shown = "choice"
    elif inner in (int, float):
        shown = "number"
    return Box(kind=shown, name=name, path=path, value=_text(value), choices=[str(one) for one in choices])


def _with_default(box: Box, found: Any) -> Box:
    default = found.default
    if default not in (None, PydanticUndefined, ()) and not isinstance(default, (BaseModel, dict)):
        if isinstance(default, tuple):
            box.placeholder = ", ".join(map(str, default))
        else:
            box.placeholder = str(default)
    return box


def _read(
    annotation: Any, form: Mapping[str, str], before: Value, path: tuple[str, ...], name: str, offered: Around
) -> Any:
    kind, inner, optional = _kind(annotation)
    if optional and kind in ("model", "spoken") and f"{name}/#there" not in form:
        return _ABSENT
    match kind:
        case "model":
            return _read_model(inner, form, before, path, name, offered)
        case "spoken":
            return _read_spoken(form, before, name, offered)
        case "parts":
            return _read_parts(get_args(inner)[1], form, before, path, name, offered)
        case "rows":
            return _read_rows(get_args(inner)[0], form, before, path, name, offered)
        case "list":
            items = [one.strip() for one in form.get(name, "").replace("\n", ",").split(",") if one.strip()]
            if items or isinstance(before, list):
                return items
            return _ABSENT
    text = _typed_text(form.get(name, ""), before)
    if not text:
        return _ABSENT
    if inner in (int, float) and text.isdecimal() and len(text) < 10:
        return int(text)
    return text


def _read_model(
    model: type[BaseModel], form: Mapping[str, str], before: Value, path: tuple[str, ...], name: str, offered: Around
) -> dict[str, Any]:
    made = dict(before) if isinstance(before, dict) else {}
    for part, one in model.model_fields.items():
        found = _read(one.annotation, form, made.get(part), (*path, part), f"{name}/{part}", offered)
        if found is _ABSENT:
            made.pop(part, None)
        else:
            made[part] = found
    return made


def _read_spoken(form: Mapping[str, str], before: Value, name: str, offered: Around) -> dict[str, Any]:
    made = dict(before) if isinstance(before, dict) else {}
    for language in offered.languages:
        text = _typed_text(form.get(f"{name}/{language}", ""), made.get(language))
        made.pop(language, None)
        if text:
            made[language] = text
    return made


def _read_parts(
    one_of: Any, form: Mapping[str, str], before: Value, path: tuple[str, ...], name: str, offered: Around
) -> Any:
    made = {}
    known = _entries(before)
    for at in range(len(known) + max(_BLANK_ROWS, 1)):
        key = form.get(f"{name}/@{at}/#key", "").strip()
        if not key or f"{name}/@{at}/#gone" in form:
            continue
        there = known[at][1] if at < len(known) else None
        found = _read(one_of, form, there, (*path, key), f"{name}/@{at}", offered)
        if found is not _ABSENT:
            made[key] = found
    if made or isinstance(before, dict):
        return made
    return _ABSENT


def _read_rows(
    one_of: Any, form: Mapping[str, str], before: Value, path: tuple[str, ...], name: str, offered: Around
) -> Any:
    rows = []
    known = _entries(before)
    for at in range(len(known) + 1):
        there = known[at][1] if at < len(known) else None
        found = _read(one_of, form, there, (*path, str(at)), f"{name}/@{at}", offered)
        if f"{name}/@{at}/#gone" not in form and (at < len(known) or any(found.values())):
            rows.append(found)
    if rows or isinstance(before, list):
        return rows
    return _ABSENT


def _typed_text(text: str, before: Value) -> str:
    """Return what was typed.

    What was there when only spaces and line breaks differ, which browsers write in their own way.
    """
    if isinstance(before, str) and before.split() == text.split():
        return before
    return text.replace("\r\n", "\n").strip()


def _kind(annotation: Any) -> tuple[str, Any, bool]:
    """Return what a field is, its type without what is around it, and whether there may be none."""
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            optional = optional or type(None) in get_args(annotation)
            annotation = next(one for one in get_args(annotation) if one is not type(None))
        else:
            break
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Interval:
        return "model", annotation, optional
    if origin is dict:
        return ("spoken" if _is_language(get_args(annotation)[0]) else "parts"), annotation, optional
    if origin is tuple:
        return ("rows" if _kind(get_args(annotation)[0])[0] == "model" else "list"), annotation, optional
    return "scalar", annotation, optional


def _is_language(annotation: Any) -> bool:
    return any(getattr(one, "pattern", None) == "^(fr|en)$" for one in getattr(annotation, "__metadata__", ()))


def _long(annotation: Any) -> bool:
    metadata = getattr(get_args(annotation)[1], "__metadata__", ())
    return any((getattr(one, "max_length", None) or 0) > _ONE_LINE for one in metadata)


def _entries(value: Value) -> list[tuple[str, Value]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return [(str(at), one) for at, one in enumerate(value)]
    return []


def _get(value: Value, name: str) -> Value:
    if isinstance(value, dict):
        return value.get(name)
    return None


def _text(value: Value) -> str:
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value)
