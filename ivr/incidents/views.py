"""Incidents as they are shown: whom one affects, by name."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.directory.snapshot import Book
from ivr.incidents.model import Affected


@dataclass(frozen=True, kw_only=True)
class Names:
    """Whom an incident affects: partners by name, accounts by number, numbers as E.164 digits. All empty: everybody."""

    partners: list[str]
    accounts: list[str]
    numbers: list[str]


def names_of(book: Book, affected: Affected) -> Names:
    """Return whom an incident affects, without those that the directory has no more."""
    return Names(
        partners=[book.partners[one].name for one in affected.partners if one in book.partners],
        accounts=[book.customers[one].account for one in affected.customers if one in book.customers],
        numbers=list(affected.numbers),
    )
