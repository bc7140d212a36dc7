"""Whom somebody asks for: by numbers, e-mail addresses and names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ivr.errors import BadInput
from ivr.logs import mask
from ivr.numbers.normalise import NotANumber, read_number

#: A shorter name would be in half of all rows.
_SHORTEST_NAME = 4


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One person. Numbers are E.164 digits, addresses in lower case."""

    numbers: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return what may stand for them in a text, whatever else is around it; letters of either case."""
        written = [one for number in self.numbers for one in _ways_to_write(number)]
        return tuple(dict.fromkeys((*written, *self.emails, *self.names)))

    @property
    def masked(self) -> str:
        """For the audit and the log."""
        return " ".join(mask(one) for one in (*self.numbers, *self.emails, *self.names))

    @property
    def fields(self) -> list[str]:
        """By what they are asked for."""
        given = {"numbers": self.numbers, "emails": self.emails, "names": self.names}
        return [name for name, values in given.items() if values]


def wanted(
    *, numbers: Iterable[str] = (), emails: Iterable[str] = (), names: Iterable[str] = (), region: str = "CA"
) -> Wanted:
    """Read what was given. Raises BadInput that names the field."""
    found = Wanted(
        numbers=tuple(_number(one, region) for one in numbers),
        emails=tuple(_email(one) for one in emails),
        names=tuple(_name(one) for one in names),
    )
    if not found.patterns:
        mend = "give a number, an e-mail address or a name"
        raise BadInput(field="numbers", problem="nobody is asked for", mend=mend)
    return found


def _number(text: str, region: str) -> str:
    try:
        return read_number(text, region).e164
    except NotANumber as error:
        raise BadInput(field="numbers", problem=error.problem, mend=error.mend) from None


def _email(text: str) -> str:
    if not re.fullmatch(r"[^\s@]{1,64}@[^\s@]{3,189}", text.strip()):
        raise BadInput(field="emails", problem="this is no e-mail address", mend="write it as julie@clinique.example")
    return text.strip().lower()


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not _SHORTEST_NAME <= len(name) <= 200:
        problem = f"a name has {_SHORTEST_NAME} to 200 characters"
        raise BadInput(field="names", problem=problem, mend="give the whole name")
    return name


def _ways_to_write(number: str) -> Sequence[str]:
    """The digits, and as people in North America write them."""
    if len(number) != 11 or number[0] != "1":
        return (number,)
    area, office, line = number[1:4], number[4:7], number[7:]
    signs = [f"{area}{one}{office}{two}{line}" for one, two in ("--", " -", "  ", "..")]
    # Ten digits are found in eleven too.
    return (number[1:], *signs, f"({area}) {office}-{line}", f"({area}) {office} {line}", f"({area}){office}-{line}")
