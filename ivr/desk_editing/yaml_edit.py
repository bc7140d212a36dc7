"""Writes other values into a desk file and leaves every other character as it is: comments, order, quotes. Pure.

The text is changed where the values differ, one place after the other, until it says what is wanted. A library that
writes the whole document anew would lay out anew what nobody has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from ivr.desk_editing import yaml_output
from ivr.desk_editing.yaml_positions import Node, Value, read, same
from ivr.errors import BadInput

#: More places than a desk file has.
_MOST_EDITS = 3000


class CannotRewrite(BadInput):
    """The file is laid out in a way in which this cannot be written."""

    def __init__(self) -> None:
        super().__init__(
            field="file",
            problem="this cannot be written into the file as it is laid out",
            mend="change the text of the file itself",
        )


@dataclass(frozen=True, kw_only=True)
class _Edit:
    """Have `text` where `start` to `end` is."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a value stands."""

    #: The column of its key or of the dash before it.
    indent: int
    #: Behind a key's colon, and neither in brackets nor behind a dash.
    after_colon: bool
    flow: bool


def value_of(text: str) -> Value:
    """Return what a file says, each value as it is written. Raises yaml.YAMLError."""
    return read(text).value()


def rewritten(text: str, wanted: Value) -> str:
    """The file with these values instead of its own. Raises CannotRewrite, and yaml.YAMLError for what is no YAML."""
    newline = "\r\n" if "\r\n" in text else "\n"
    root = read(text)
    for _ in range(_MOST_EDITS):
        if same(root, wanted):
            return text
        edit = _Rewriting(text, root).edit(root, wanted, _Place(indent=-2, after_colon=False, flow=False))
        if edit is None:
            break
        text = text[: edit.start] + edit.text.replace("\n", newline) + text[edit.end :]
        try:
            root = read(text)
        except yaml.YAMLError as error:
            raise CannotRewrite from error
    raise CannotRewrite


class _Rewriting:
    """The first of the edits that a text needs."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._aliases = [one for one in root.within() if one.kind == "alias"]

    def edit(self, node: Node, wanted: Value, place: _Place) -> _Edit | None:
        if same(node, wanted):
            return None
        # What an alias stands for, or others stand for, may not be changed from within: it is said elsewhere too.
        if node.kind == "map" and isinstance(wanted, dict) and wanted and node.items and not self._shared(node):
            return self._mapping(node, wanted, place)
        if node.kind == "seq" and isinstance(wanted, (list, tuple)) and not self._shared(node):
            if len(node.items) == len(wanted):
                return self._items(node, wanted, place, 0, len(wanted))
            if not node.flow and wanted and node.items:
                return self._sequence(node, wanted, place)
        return self._free(node) or self._replace(node, wanted, place)

    def _shared(self, node: Node) -> bool:
        return any(alias.target is node for alias in self._aliases)

    def _mapping(self, node: Node, wanted: dict[str, Value], place: _Place) -> _Edit | None:
        there = dict(node.entries())
        if node.flow and there.keys() != wanted.keys():
            return self._free(node) or self._replace(node, wanted, place)
        inner = _Place(indent=node.column, after_colon=not node.flow, flow=node.flow)
        for name, one in there.items():
            if name in wanted and (edit := self.edit(one, wanted[name], inner)) is not None:
                return edit
        for at, (name, one) in enumerate(node.entries()):
            if name not in wanted:
                return self._free(one) or self._without(node, node.keys[at], one, wanted, place)
        missing = next((name for name in wanted if name not in there), None)
        if missing is None:
            return None
        line = yaml_output.entry(missing, wanted[missing], node.column)
        return self._line_after(node.end, " " * node.column + line)

    def _without(self, node: Node, key: Node, value: Node, wanted: Value, place: _Place) -> _Edit | None:
        begin = self._line_start(key.start)
        if self._text[begin : key.start].strip(" "):
            return self._replace(node, wanted, place)
        return _Edit(start=begin, end=self._line_end(max(value.end, key.end)), text="")

    def _items(self, node: Node, wanted: Value, place: _Place, begin: int, end: int) -> _Edit | None:
        inner = _Place(indent=node.column, after_colon=False, flow=node.flow)
        for at in range(begin, end):
            if (edit := self.edit(node.items[at], wanted[at], inner)) is not None:
                return edit
        return None

    def _sequence(self, node: Node, wanted: Value, place: _Place) -> _Edit | None:
        items = node.items
        begin = next((at for at, one in enumerate(items[: len(wanted)]) if not same(one, wanted[at])), len(items))
        begin = min(begin, len(wanted))
        most = min(len(items), len(wanted)) - begin
        tail = next((at for at in range(most) if not same(items[-1 - at], wanted[-1 - at])), most)
        if len(items) > len(wanted):
            # What is left over goes, before what follows is compared again.
            gone = items[begin]
            dash = self._dash(gone)
            if dash is None:
                return self._free(node) or self._replace(node, wanted, place)
            return self._free(gone) or _Edit(start=dash, end=self._line_end(gone.end), text="")
        new = wanted[len(items) - tail]
        added = "\n".join(yaml_output.lines([new], node.column))
        if tail < len(items):
            return self._line_after(items[len(items) - tail - 1].end, added)
        dash = self._dash(items[0])
        if dash is None:
            return self._free(node) or self._replace(node, wanted, place)
        return _Edit(start=dash, end=dash, text=f"{added}\n")

    def _dash(self, item: Node) -> int | None:
        """The beginning of the line with an item's dash, where nothing else stands before it."""
        at = len(self._text[: item.start].rstrip()) - 1
        begin = self._line_start(at)
        if at >= 0 and self._text[at] == "-" and not self._text[begin:at].strip(" "):
            return begin
        return None

    def _free(self, node: Node) -> _Edit | None:
        """Have what is said within a part by a name, and elsewhere by an alias, be said at the first alias instead."""
        inside = {id(one) for one in node.within()}
        for alias in self._aliases:
            target = alias.target
            if target is not None and id(target) in inside and id(alias) not in inside:
                return _Edit(start=alias.start, end=alias.end, text=self._moved(target, alias))
        return None

    def _moved(self, target: Node, alias: Node) -> str:
        as_it_is = self._text[target.start : target.end]
        alone = not any(one.anchored for one in target.within() if one is not target)
        if alone and "\n" not in as_it_is and (target.flow or target.style in ("'", '"')):
            return as_it_is
        return f"&{self._text[alias.start + 1 : alias.end]} {yaml_output.in_flow(target.value())}"

    def _replace(self, node: Node, wanted: Value, place: _Place) -> _Edit:
        if place.flow:
            return self._put(node, yaml_output.in_flow(wanted))
        before = self._text[: node.start].rstrip(" \r\n")
        if place.after_colon and before.endswith(":"):
            column = len(before) - self._line_start(len(before))
            text = f" {yaml_output.in_flow(wanted)}"
            if not (node.flow and node.items and column + len(text) <= yaml_output.WIDTH):
                like = None
                if node.kind == "scalar" and not node.anchored:
                    like = node.style
                text = yaml_output.after_colon(wanted, place.indent, column, like=like)
            return self._after_colon(node, len(before), text)
        own_line = not self._text[self._line_start(node.start) : node.start].strip(" -")
        collection = isinstance(wanted, (dict, list, tuple)) and bool(wanted)
        if collection and own_line and not node.flow and not self._rest(node.end):
            return self._put(node, "\n".join(yaml_output.lines(wanted, node.column)).lstrip(" "))
        return self._put(node, yaml_output.in_flow(wanted))

    def _after_colon(self, node: Node, start: int, text: str) -> _Edit:
        """`text` behind a colon. A comment beside what it replaces stays on the first line."""
        end, head, rest = max(node.end, start), text, ""
        if "\n" in text:
            head, rest = text.split("\n", 1)
            beside = self._rest(end)
            end += len(beside)
            if node.style in ("|", ">"):
                beside = self._text[node.start : node.end].split("\n", 1)[0][1:].lstrip("+-123456789")
            head += beside.rstrip()
            rest = f"\n{rest}"
        return _Edit(start=start, end=end, text=head + rest)

    def _rest(self, at: int) -> str:
        """A comment on the rest of the line."""
        found = self._text[at : self._line_end(at)].rstrip("\r\n")
        if found.strip():
            return found
        return ""

    def _put(self, node: Node, text: str) -> _Edit:
        if node.end > node.start or self._text[node.start - 1 : node.start].isspace():
            glue = ""
        else:
            glue = " "
        return _Edit(start=node.start, end=node.end, text=glue + text)

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """The beginning of the next line."""
        found = self._text.find("\n", at)
        if found < 0:
            return len(self._text)
        return found + 1

    def _line_after(self, at: int, lines: str) -> _Edit:
        """`lines` below the line in which a part ends."""
        below = self._line_end(at)
        glue = "" if self._text[below - 1 : below] == "\n" else "\n"
        return _Edit(start=below, end=below, text=f"{glue}{lines}\n")
