"""Makes what comes from Asterisk and from callers fit for a database: text that every one takes, and not too long."""

from __future__ import annotations

import math
from typing import Any

#: Longest text kept in one fact, in characters.
_LONGEST = 500


def plain_text(text: str, longest: int = _LONGEST) -> str:
    """Without half characters and NUL (PostgreSQL refuses both), cut to `longest`."""
    if text.isascii() and "\x00" not in text:
        return text[:longest]
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")[:longest]


def plain(value: object) -> Any:
    """A value that JSON knows, in the same spirit; what is not one is kept as its text."""
    if isinstance(value, str):
        return plain_text(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None
    if isinstance(value, dict):
        return {plain_text(str(name), 100): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return plain_text(str(value))
