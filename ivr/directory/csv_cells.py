"""What people write in the cells of their lists, as the directory's values, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import phonenumbers

from ivr.lists.sheets import plain
from ivr.numbers.normalise import NotANumber, typed

_SPARE_LIST = re.compile(r"\s*[,;|/\n]\s*")
#: A comma may also stand before an extension, a semicolon before RFC 3966's, and a slash after an area code.
_SPARE_NUMBERS = re.compile(
    r"\s*(?:[|\n]|;(?!\s*(?:ext|phone-context)=)|,(?!\s*(?:poste|p\.|ext|x|#))|(?<=[0-9]{4})/|\s/(?=\s))\s*",
    re.IGNORECASE,
)


class Cell(ValueError):
    """A cell that cannot be used: what is wrong with it, and the mend."""

    def __init__(self, problem: str, mend: str) -> None:
        self.problem, self.mend = problem, mend
        super().__init__(problem)


def text(cell: str) -> str:
    """One line, with single spaces."""
    return " ".join(cell.split())


def lines(cell: str) -> str:
    """An address: its lines, with commas between them."""
    return ", ".join(line for one in cell.splitlines() if (line := text(one).strip(" ,")))


def name(cell: str) -> str:
    """A key, an account number, a SIP name: as it is, without the apostrophe that keeps a spreadsheet from counting."""
    bare = text(cell)
    if bare[:1] == "'" and bare[1:2].isdigit():
        return bare[1:]
    return bare


def items(cell: str) -> list[str]:
    """Several things in one cell, by commas, semicolons, strokes or lines."""
    return [one for one in _SPARE_LIST.split(cell.strip()) if one]


def telephone(cell: str) -> tuple[str, str | None]:
    """A telephone number as it was typed, in ASCII, and its extension (« poste 22 »). Raises Cell for a rounded one."""
    try:
        return typed(cell)
    except NotANumber as error:
        raise Cell(error.problem, error.mend) from None


def choice(cell: str, known: Mapping[str, str]) -> str:
    """One of our words, by what people write for it; what nobody knows stays as it is, to be refused."""
    return known.get(plain(cell), cell)


def choices(cell: str, known: Mapping[str, str]) -> list[str]:
    """Several of our words."""
    return [choice(one, known) for one in items(cell)]


def telephones(cell: str) -> list[tuple[str, str | None]]:
    """Several numbers in one cell, each as `telephone` reads it. Raises Cell."""
    return [telephone(one) for one in _SPARE_NUMBERS.split(cell.strip()) if one]


def count(cell: str) -> int:
    """A small number. Raises Cell."""
    if not re.fullmatch(r"[0-9]{1,6}", cell, re.ASCII):
        raise Cell("is no number", "write digits, as in 2")
    return int(cell)


def weighted(cell: str, of: str, known: Mapping[str, str] | None = None) -> list[dict[str, str | int]]:
    """Names with penalties, as in « support, ventes:2 »; each is {`of`: name, "penalty": penalty}. Raises Cell."""
    found: list[dict[str, str | int]] = []
    for one in items(cell):
        bare, _, penalty = one.partition(":")
        if penalty and not re.fullmatch(r" *[0-9]{1,3} *", penalty, re.ASCII):
            raise Cell(f"has the penalty « {penalty.strip()} »", "write a number after the colon, as in « support:1 »")
        found.append({of: choice(bare.strip(), known or {}), "penalty": int(penalty or 0)})
    return found


def in_list(values: Sequence[str] | None) -> str:
    """Several things in one cell."""
    return ", ".join(values or ())


def written_numbers(numbers: Sequence[str] | None) -> str:
    """Several numbers in one cell."""
    return ", ".join(map(written_number, numbers or ()))


def written_number_or_none(number: str | None) -> str:
    """A number for people, if there is one."""
    if number:
        return written_number(number)
    return ""


def written_number(number: str) -> str:
    """+14185550101 for people, with a space after the code so that no spreadsheet takes it for a number."""
    if len(number) == 12 and number.startswith("+1"):
        return f"+1 {number[2:5]} {number[5:8]}-{number[8:]}"
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def written_weights(values: Sequence[str | Mapping[str, Any]] | None, of: str) -> str:
    """Names with penalties, in one cell."""
    return ", ".join(one if isinstance(one, str) else f"{one[of]}:{one['penalty']}" for one in values or ())


LANGUAGES = {
    **dict.fromkeys(("francais", "french", "f", "fr ca", "fra", "fre"), "fr"),
    **dict.fromkeys(("anglais", "english", "en ca", "a", "e", "eng", "ang"), "en"),
}
TIERS = {**dict.fromkeys(("elite",), "elite"), **dict.fromkeys(("standard", "ordinaire", "normal"), "standard")}
CONTACT_KINDS = {
    **dict.fromkeys(("administrateur", "administratrice", "admin", "administrator"), "administrateur"),
    **dict.fromkeys(("facturation", "billing", "comptabilite"), "facturation"),
    **dict.fromkeys(("utilisateur", "utilisatrice", "user", "usager"), "utilisateur"),
}
PHONE_KINDS = {
    **dict.fromkeys(("customer", "client", "abonne"), "customer"),
    **dict.fromkeys(("technician", "technicien", "technicienne"), "technician"),
    **dict.fromkeys(("department", "departement", "service"), "department"),
}
DIAL_RIGHTS = {
    **dict.fromkeys(("local", "locaux", "locale"), "local"),
    **dict.fromkeys(("toll free", "sans frais"), "toll-free"),
    **dict.fromkeys(("national", "nationaux", "canada", "interurbain", "interurbains"), "national"),
    **dict.fromkeys(("united states", "etats unis", "usa", "us"), "united-states"),
    **dict.fromkeys(("international", "internationaux", "outre mer"), "international"),
}
WARNED_ROLES = {
    **CONTACT_KINDS,
    **dict.fromkeys(("telephonie niveau 3", "niveau 3", "level 3"), "telephonie-niveau-3"),
}
