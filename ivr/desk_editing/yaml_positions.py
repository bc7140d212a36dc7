"""Where each part of a YAML text stands, to the character: for changing one part and nothing else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

#: What a desk file holds, and what it is to hold; numbers and booleans are written without quotes.
Value = Any

_NULL = re.compile(r"(~|null|Null|NULL|)")


class Plain(str):
    """A scalar that stands without quotes, and is written so again."""

    __slots__ = ()


@dataclass(eq=False, kw_only=True)
class Node:
    """One part: from `start` up to but not including `end`, without the blank lines and comments that follow it."""

    kind: Literal["scalar", "map", "seq", "alias"]
    start: int
    end: int
    #: Of the first character, counted from 0.
    column: int
    #: Of a scalar: how it is quoted, "" for not at all; of others whether it is within brackets or braces.
    style: str = ""
    flow: bool = False
    text: str | None = None
    anchored: bool = False
    target: Node | None = None
    keys: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    @property
    def meant(self) -> Node:
        """Return what an alias stands for; any other part itself."""
        if self.target is not None:
            return self.target.meant
        return self

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The keys of a mapping and their values."""
        yield from zip((str(key.meant.text) for key in self.keys), self.items, strict=True)

    def within(self) -> Iterator[Node]:
        """This part and all parts of it, as they stand in the file."""
        yield self
        for one in (*self.keys, *self.items):
            yield from one.within()

    def value(self) -> Value:
        """Return what it says. Everything is as it is written: 611 is a text, as `ivr.desk.load` reads it."""
        found = self.meant
        if found.kind == "map":
            return {name: one.value() for name, one in found.entries()}
        if found.kind == "seq":
            return [one.value() for one in found.items]
        if found.text is not None and not found.style:
            return Plain(found.text)
        return found.text


def written(value: Value) -> str | None:
    """A scalar as it stands in the file, without quotes."""
    if isinstance(value, bool):
        if value:
            return "true"
        return "false"
    if value is None:
        return None
    return str(value)


def same(node: Node, wanted: Value) -> bool:
    """Return whether a part says this already."""
    found = node.meant
    if isinstance(wanted, dict):
        if found.kind != "map" or len(found.items) != len(wanted):
            return False
        return all(name in wanted and same(one, wanted[name]) for name, one in found.entries())
    if isinstance(wanted, (list, tuple)):
        if found.kind != "seq" or len(found.items) != len(wanted):
            return False
        return all(same(one, other) for one, other in zip(found.items, wanted, strict=True))
    return found.kind == "scalar" and found.text == written(wanted)


def read(text: str) -> Node:
    """The parts of a text with one document. Raises yaml.YAMLError."""
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    known: dict[str, Node] = {}
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _part(event, events, known, text)
    raise yaml.YAMLError("holds no document")


def _mark(mark: Any) -> Any:
    if mark is None:
        raise yaml.YAMLError("does not say where its parts are")
    return mark


def _part(event: yaml.Event, events: Iterator[yaml.Event], known: dict[str, Node], text: str) -> Node:
    begin = _mark(event.start_mark)
    start, column, end = begin.index, begin.column, _mark(event.end_mark).index
    if isinstance(event, yaml.AliasEvent):
        target = known.get(str(event.anchor))
        if target is None:
            raise yaml.YAMLError(f"nothing is called &{event.anchor}")
        return Node(kind="alias", start=start, end=end, column=column, target=target)
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or ""
        plain = not style and event.implicit[0]
        said = None if plain and _NULL.fullmatch(event.value) else event.value
        node = Node(kind="scalar", start=start, end=end, column=column, style=style, text=said)
        if style in ("|", ">"):
            node.end = start + len(text[start : node.end].rstrip(" \r\n"))
    elif isinstance(event, yaml.MappingStartEvent):
        node = Node(kind="map", start=start, end=start, column=column, flow=bool(event.flow_style))
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            node.keys.append(_part(inner, events, known, text))
            node.items.append(_part(next(events), events, known, text))
        node.end = _mark(inner.end_mark).index if node.flow else max(node.items[-1].end, node.keys[-1].end)
        node.column = column if node.flow else node.keys[0].column
    elif isinstance(event, yaml.SequenceStartEvent):
        node = Node(kind="seq", start=start, end=start, column=column, flow=bool(event.flow_style))
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            node.items.append(_part(inner, events, known, text))
        node.end = _mark(inner.end_mark).index if node.flow else node.items[-1].end
        if not node.flow:
            # Of the dashes: a name may stand before them.
            dash = text.rindex("-", 0, max(node.items[0].start, 1))
            node.column = dash - (text.rfind("\n", 0, dash) + 1)
    else:
        raise yaml.YAMLError(f"holds {type(event).__name__}")
    if event.anchor is not None:
        node.anchored = True
        known[event.anchor] = node
    return node
