"""What differs between two sets of desk files, field by field, for whoever is to take the new ones into force. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ivr.desk.fields import Interval
from ivr.desk.schema import Desk


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of a desk, as it was and as it is; None where there is none. Without a field, the whole desk."""

    desk: str
    field: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        where = f"{self.desk}: {self.field}" if self.field else self.desk
        if self.before is None:
            return f"{where}: added: {self.after}"
        if self.after is None:
            return f"{where}: removed: {self.before}"
        return f"{where}: {self.before} → {self.after}"


def changes(before: Mapping[str, Desk], after: Mapping[str, Desk]) -> list[Change]:
    """Every field that differs, desk by desk, in the order of the desk file."""
    found = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            found.append(Change(desk=name, field="", before=_whole(old), after=_whole(new)))
            continue
        was_said, is_said = dict(_fields(old)), dict(_fields(new))
        for field in dict.fromkeys((*was_said, *is_said)):
            if was_said.get(field) != is_said.get(field):
                one = Change(desk=name, field=field, before=was_said.get(field), after=is_said.get(field))
                found.append(one)
    if not found and list(before) != list(after):
        found.append(Change(desk=next(iter(after)), field="order", before=", ".join(before), after=", ".join(after)))
    return found


def _whole(desk: Desk | None) -> str | None:
    if desk is not None:
        return f"{desk.name}, {', '.join(desk.numbers)}"
    return None


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of a part, by their place in the file."""
    if value is None:
        return
    parts: Iterator[tuple[str, Any]]
    if isinstance(value, BaseModel) and not isinstance(value, Interval):
        parts = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        parts = ((str(name), one) for name, one in value.items())
    elif isinstance(value, Sequence) and any(
        isinstance(one, BaseModel) and not isinstance(one, Interval) for one in value
    ):
        parts = ((_known_by(one, index), one) for index, one in enumerate(value))
    else:
        several = isinstance(value, Sequence) and not isinstance(value, str)
        yield path, (", ".join(str(one) for one in value) or "none") if several else str(value)
        return
    for name, one in parts:
        yield from _fields(one, f"{path}.{name}" if path else name)


def _known_by(one: Any, index: int) -> str:
    """Return what tells an item of a list from the others, wherever it stands: its date or its name."""
    return next(
        (str(getattr(one, name)) for name in ("date", "id", "name") if getattr(one, name, None)), str(index + 1)
    )
