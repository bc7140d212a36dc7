"""Holds the book that calls use now, and remembers callers' languages."""

from __future__ import annotations

from dataclasses import replace

import structlog

from ivr.directory import changes, store
from ivr.directory.model import Endpoint, Identity, Technician
from ivr.directory.snapshot import Book
from ivr.errors import Unavailable
from ivr.store.engine import Store

log = structlog.get_logger()


class Directory:
    """The directory: read in memory, renewed from the database by `reload`."""

    def __init__(self, database: Store) -> None:
        self._store = database
        self._languages: dict[str, str] = {}
        self._unsaved: dict[str, str] = {}
        self.book = Book()
        #: The latest change that the book has; None before it was read.
        self.seq: int | None = None

    async def reload(self) -> Book:
        """Read all of it from the database. Raises StoreUnavailable; the book in use then stays."""
        async with self._store.reading() as unit:
            # First: what changes while the rest is read is taken up by the next `renew`.
            seq = await changes.last(unit)
            book = await store.load_book(unit)
        self._languages = {**book.languages, **self._unsaved}
        self.book, self.seq = replace(book, languages=self._languages), seq
        return self.book

    async def renew(self) -> bool:
        """Take up what was changed in the database by whatever process; whether anything was.

        Raises StoreUnavailable; the book in use then stays.
        """
        if self.seq is None:
            await self.reload()
            return True
        async with self._store.reading() as unit:
            found = await changes.since(unit, self.seq)
            if found == []:
                return False
            book = None
            if found is not None:
                book = await changes.after(unit, self.book, found)
        if book is None or found is None:
            await self.reload()
            return True
        # Callers' languages are ours meanwhile.
        self.book, self.seq = replace(book, languages=self._languages), found[-1].seq
        return True

    async def untold(self, after: int, until: int) -> list[changes.Import]:
        """Return what was written after one change and until another without telling. Raises StoreUnavailable."""
        async with self._store.reading() as unit:
            return await changes.untold(unit, after, until)

    def identify(self, number: str | None, endpoint: str | None, provider: str | None = None) -> Identity:
        """As Book.identify."""
        return self.book.identify(number, endpoint, provider)

    def endpoint(self, name: str) -> Endpoint | None:
        """As Book.endpoint."""
        return self.book.endpoint(name)

    def technician(self, endpoint: str) -> Technician | None:
        """As Book.technician."""
        return self.book.technician(endpoint)

    def penalty(self, queue: str, endpoint: str) -> int:
        """Return a technician's penalty in a queue: those with a lower one are rung first; 0 for anybody else."""
        known = self.technician(endpoint)
        if known is not None:
            return known.penalties.get(queue, 0)
        return 0

    def outside_of_account(self, account: str) -> str | None:
        """As Book.outside_of_account."""
        return self.book.outside_of_account(account)

    async def remember_language(self, number: str, language: str) -> None:
        """The caller from this number chose a language (OV-4): known to the next call at once, and kept.

        When the database is away it is kept with the next one.
        """
        if self._languages.get(number) == language:
            return
        self._languages[number] = language
        self._unsaved[number] = language
        saving = dict(self._unsaved)
        try:
            async with self._store.unit() as unit:
                await store.put_languages(unit, saving)
        except Unavailable as error:
            log.warning("caller's language not saved; retrying", waiting=len(saving), error=str(error))
            return
        for saved, chosen in saving.items():
            if self._unsaved.get(saved) == chosen:
                del self._unsaved[saved]


class OneProviders(Directory):
    """One provider's part of a directory, as it is now; only to be looked into."""

    def __init__(self, whole: Directory, provider: str) -> None:
        self._whole, self._provider = whole, provider
        self._of: Book | None = None
        self._part = Book()

    @property
    def book(self) -> Book:  # type: ignore[override]
        """The provider's entries of the book in use."""
        if self._of is not self._whole.book:
            self._of = self._whole.book
            self._part = self._of.only(self._provider)
        return self._part

    def identify(self, number: str | None, endpoint: str | None, provider: str | None = None) -> Identity:
        """As Book.identify, of this provider's."""
        return self.book.identify(number, endpoint, provider or self._provider)
