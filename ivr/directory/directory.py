"""Holds the book that calls use now, and remembers callers' languages."""

from __future__ import annotations

from dataclasses import replace

import structlog

from ivr.directory import store
from ivr.directory.book import Book
from ivr.directory.people import Endpoint, Identity, Technician
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

    async def reload(self) -> Book:
        """Take up what was changed in the database. Raises StoreUnavailable; the book in use then stays."""
        async with self._store.reading() as unit:
            book = await store.load_book(unit)
        self._languages = {**book.languages, **self._unsaved}
        self.book = replace(book, languages=self._languages)
        return self.book

    def identify(self, number: str | None, endpoint: str | None, provider: str | None = None) -> Identity:
        """As Book.identify."""
        return self.book.identify(number, endpoint, provider)

    def endpoint(self, name: str) -> Endpoint | None:
        """As Book.endpoint."""
        return self.book.endpoint(name)

    def technician(self, endpoint: str) -> Technician | None:
        """As Book.technician."""
        return self.book.technician(endpoint)

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
            log.warning("caller's language not saved yet", waiting=len(saving), error=str(error))
            return
        for saved, chosen in saving.items():
            if self._unsaved.get(saved) == chosen:
                del self._unsaved[saved]
