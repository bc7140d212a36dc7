"""What a desk file is to say: changed in part, checked whole, and every mistake told by its field. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from pydantic import ValidationError

from ivr.desk.load import problems
from ivr.desk.schema import Desk
from ivr.desk_editing.yaml_edit import rewritten, value_of
from ivr.desk_editing.yaml_positions import Value
from ivr.errors import AllBadInput, BadInput

#: A desk is a few kilobytes; in characters.
MOST_CHARACTERS = 200_000
_DEEPEST = 20

#: What nobody types and nothing says: control characters, and marks that show a text in another order than it has.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


def patched(value: Value, patch: Value) -> Value:
    """A value with another's fields (RFC 7396): null takes one away."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for name, one in patch.items():
        if one is None:
            found.pop(name, None)
        else:
            found[name] = patched(found.get(name), one)
    return found


def with_values(text: str, wanted: Value) -> str:
    """A desk file that says this. Raises BadInput for each field that cannot be, and CannotRewrite."""
    check_values(wanted)
    try:
        return rewritten(text, wanted)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput(
            field="file", problem="the file as it is cannot be read", mend="correct its text first"
        ) from error


def values_in(text: str) -> Value:
    """Return what a file says. Raises BadInput where it says nothing that can be read."""
    try:
        return value_of(text)
    except (yaml.YAMLError, RecursionError) as error:
        mend = "correct its text first"
        raise BadInput(field="file", problem="the file as it is cannot be read", mend=mend) from error


def check_values(wanted: Value) -> None:
    """Raises AllBadInput with every field that a desk cannot have."""
    found = [BadInput(field=field, problem=problem, mend=mend) for field, problem, mend in _unseen(wanted, (), 0)]
    if found:
        raise AllBadInput(found)
    try:
        Desk.model_validate(wanted)
    except ValidationError as error:
        raise AllBadInput(
            [
                BadInput(field=".".join(location), problem=problem, mend=mend)
                for location, problem, mend in problems(error)
            ]
        ) from error


def check_text(text: str) -> None:
    """Whether a whole file may be given so. Raises BadInput."""
    if len(text) > MOST_CHARACTERS:
        problem = f"has {len(text)} characters; a desk file has {MOST_CHARACTERS} at most"
        raise BadInput(field="text", problem=problem, mend="give a desk file")
    if (found := _UNSEEN.search(text.replace("\r\n", "\n"))) is not None:
        line = text.count("\n", 0, found.start()) + 1
        problem = f"line {line}: character U+{ord(found[0]):04X} is not allowed"
        raise BadInput(field="text", problem=problem, mend="remove it")


def _unseen(value: Value, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, str, str]]:
    if depth > _DEEPEST:
        yield ".".join(path[:3]), "is too deep", "take the outer levels away"
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _unseen(name, path, depth + 1)
            yield from _unseen(one, (*path, str(name)), depth + 1)
    elif isinstance(value, (list, tuple)):
        for at, one in enumerate(value):
            yield from _unseen(one, (*path, str(at)), depth + 1)
    elif isinstance(value, str) and (found := _UNSEEN.search(value)) is not None:
        yield ".".join(path) or "file", f"character U+{ord(found[0]):04X} is not allowed", "remove it"


def id_of(text: str) -> str | None:
    """The id of the desk that a file is about, as far as it can be read."""
    try:
        found = value_of(text)
    except (yaml.YAMLError, RecursionError):
        return None
    if isinstance(found, dict):
        return found.get("id")
    return None
