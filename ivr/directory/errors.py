"""Why an entry of the directory is not changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ivr.directory.entries import (
    ONE_OF,
    Kind,
)
from ivr.errors import Conflict, NotFound

#: What still uses a thing is named up to here.
MOST_NAMED: Final = 20


class EntryNotFound(NotFound):
    """The directory has no such entry."""


class Changed(Conflict):
    """Somebody changed the entry in the meantime."""


class Exists(Conflict):
    """There is such an entry already."""


class InUse(Conflict):
    """Something still uses the entry."""

    mend = "change or delete first what uses it"

    def __init__(self, kind: Kind, key: str, uses: Iterable[str]) -> None:
        #: As in `phone 6001`.
        self.uses = tuple(uses)
        named = ", ".join(self.uses[:MOST_NAMED])
        more = len(self.uses) - MOST_NAMED
        super().__init__(entry=f"{ONE_OF[kind]} {key}", used_by=named + (f" and {more} more" if more > 0 else ""))


class LastAdministrator(InUse):
    """It is the account's last administrator (OV-20)."""

    mend = "make another contact of the account administrator first"
