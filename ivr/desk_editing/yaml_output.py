"""Values as YAML text, laid out as desk files are. Pure."""

from __future__ import annotations

import json
import re
import textwrap

import yaml

from ivr.desk_editing.yaml_positions import Plain, Value, written

#: Of a line, in characters.
WIDTH = 120
_STEP = 2

_PLAIN = re.compile(r"[^\W_](?:[\w .,;’'()/+@–—«»!?%*:…\u00a0-]*[\w.,;’')/+@–—«»!?%*…-])?")
_UNSAFE = re.compile(r": |:$| #|[\t\n]")
_IN_FLOW = re.compile(r"[,\[\]{}]|^[?-]|:")
#: Words that other readers of YAML take for something else than a text.
_OTHER = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"}
#: Line breaks and what no reader may meet as it is.
_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def scalar(value: Value, *, like: str | None = None, flow: bool = False, indent: int = 0, column: int = 0) -> str:
    """One value. `like` is the quoting of what it replaces ("" for none); `indent` is its key's, for folded lines.

    `column` is where it begins.
    """
    if not isinstance(value, str):
        return written(value) or "null"
    like = "" if like is None and isinstance(value, Plain) else like
    if like == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    fits = column + len(value) <= WIDTH
    if like != '"' and fits and like not in ("|", ">") and _may_be_plain(value, like == "", flow):
        return value
    if not flow and (like in ("|", ">") or not fits) and _foldable(value):
        pad = " " * (indent + _STEP)
        lines = textwrap.wrap(
            value, WIDTH - len(pad), break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        )
        return ">-\n" + "\n".join(pad + line for line in lines)
    return _quoted(value)


def key(name: str) -> str:
    """The name of a field."""
    if re.fullmatch(r"[a-z][a-z0-9_-]*", name) and name not in _OTHER:
        return name
    return _quoted(name)


def in_flow(value: Value) -> str:
    """A value on one line, within brackets or braces if need be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name)}: {in_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(in_flow(one) for one in value) + "]"
    if isinstance(value, str) and _may_be_plain(value, isinstance(value, Plain), flow=True):
        return value
    return scalar(value, like='"')


def lines(value: Value, indent: int) -> list[str]:
    """The lines of a mapping or a list that is not empty, each key or item at the column `indent`."""
    pad = " " * indent
    if isinstance(value, dict):
        return [line for name, one in value.items() for line in (f"{pad}{entry(name, one, indent)}").split("\n")]
    found: list[str] = []
    for one in value:
        if isinstance(one, (dict, list, tuple)) and one:
            inner = lines(one, indent + _STEP)
            found += [f"{pad}- {inner[0].lstrip(' ')}", *inner[1:]]
        else:
            if _empty(one):
                said = in_flow(one)
            else:
                said = scalar(one, indent=indent, column=indent + _STEP)
            found += f"{pad}- {said}".split("\n")
    return found


def entry(name: str, value: Value, indent: int) -> str:
    """`name: value`, at the column `indent`, which is not written before the first line."""
    named = key(name)
    return f"{named}:{after_colon(value, indent, indent + len(named) + 1)}"


def after_colon(value: Value, indent: int, column: int, *, like: str | None = None) -> str:
    """Return what follows the colon of a key at the column `indent`; the colon ends at `column`."""
    if not isinstance(value, (dict, list, tuple)):
        return " " + scalar(value, like=like, indent=indent, column=column + 1)
    short = in_flow(value)
    plain_list = not isinstance(value, dict) and not any(isinstance(one, (dict, list, tuple)) for one in value)
    if _empty(value) or (plain_list and column + 1 + len(short) <= WIDTH):
        return f" {short}"
    return "\n" + "\n".join(lines(value, indent + _STEP))


def _empty(value: Value) -> bool:
    return isinstance(value, (dict, list, tuple)) and not value


def _may_be_plain(value: str, was_plain: bool, flow: bool) -> bool:
    """Without quotes; `was_plain` when there were none before, as around a number."""
    if not _PLAIN.fullmatch(value) or _UNSAFE.search(value) or (flow and _IN_FLOW.search(value)):
        return False
    if value.lower() in _OTHER:
        return False
    return was_plain or _is_text(value)


def _is_text(value: str) -> bool:
    """Return whether other readers of YAML take it for a text and not for a number or a date."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(value[0], [])
    return not any(pattern.match(value) for _, pattern in resolvers)


def _foldable(value: str) -> bool:
    """Return whether lines that are folded read as the same again."""
    return all(word.strip() for word in value.split(" ")) and _ESCAPED.search(value) is None


def _quoted(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
