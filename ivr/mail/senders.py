"""Who wrote an e-mail, from headers as mail programs write them. Pure."""

from __future__ import annotations

import re
from typing import Final

from ivr.mail.charsets import decoded, one_line

_SIGN: Final = r"[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]"
_ADDRESS: Final = rf"{_SIGN}{{1,64}}@{_SIGN}{{1,189}}"
_ONE: Final = re.compile(_ADDRESS)
#: Within a text; not the end of a longer word.
_BARE: Final = re.compile(rf"(?<!{_SIGN}){_ADDRESS}")
_ANGLE: Final = re.compile(r"<\s*(?:mailto:)?([^<>\"]{0,300})>")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMMENT: Final = re.compile(r"\([^()]*\)")
#: Characters of a header that are looked at.
_LONGEST: Final = 4_000


def one_address(values: list[str]) -> tuple[str, str] | None:
    """The one address of a header, in lower case, and the name beside it; None when there is none, or several.

    One address in angle brackets is enough, whatever stands before it (RFC 5322 section 3.4 would have it quoted).
    """
    found = {one for value in values if (one := _one(value[:_LONGEST])) is not None}
    if len(values) > 1 and len({address for address, _ in found}) == 1 and len(found) <= len(values):
        if all(_one(value[:_LONGEST]) for value in values):
            return max(found, key=lambda one: len(one[1]))
        return None
    if len(values) == 1 and found:
        return next(iter(found))
    return None


def _one(value: str) -> tuple[str, str] | None:
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), value)
    angles = list(_ANGLE.finditer(bare))
    addresses = {one[1].strip().rstrip(".").lower() for one in angles}
    if angles:
        address = next(iter(addresses))
        if len(addresses) != 1 or not _ONE.fullmatch(address):
            return None
        # An address that stands by itself between commas is another sender.
        others = {other.strip().lower() for other in _ANGLE.sub(" ", _COMMENT.sub(" ", bare)).split(",")}
        if any(_ONE.fullmatch(other) and other != address for other in others) and len(others) > 1:
            return None
        name = _name(value[: angles[0].start()] or value[angles[-1].end() :])
        return address, "" if name.lower() == address else name
    outside = _COMMENT.sub(" ", bare)
    addresses = {one[0].strip("'.").lower() for one in _BARE.finditer(outside)}
    if len(addresses) != 1:
        return None
    address = next(iter(addresses))
    comment = _COMMENT.search(bare)
    if comment:
        name = value[comment.start() + 1 : comment.end() - 1]
    else:
        name = value.replace(address, " ")
    if _ONE.fullmatch(address):
        return (address, _name(name))
    return None


def _name(text: str) -> str:
    text = text.strip()
    # Quotation marks go before encoded words are read, which may hold some of their own.
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return one_line(decoded(text)).strip(" ,;'\"<>")[:200]


def addresses(values: list[str], most: int) -> tuple[str, ...]:
    """Every address of headers that may name several, in lower case, each once."""
    found: dict[str, None] = {}
    for value in values:
        for one in _BARE.finditer(_QUOTED.sub(" ", value)):
            found.setdefault(one[0].lower(), None)
            if len(found) >= most:
                return tuple(found)
    return tuple(found)
