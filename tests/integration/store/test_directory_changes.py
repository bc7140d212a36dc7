"""The book that calls use is renewed from what changed, and is then as if all of it had been read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.directory import changes, editing
from ivr.directory.directory import Directory
from ivr.directory.entries import Kind, read_entry
from ivr.store.engine import Store

AT = datetime(2026, 11, 25, 15, tzinfo=UTC)


async def put(store: Store, kind: Kind, key: str, body: dict[str, Any], provider: str = "main") -> None:
    """Enter it, as any process may."""
    async with store.unit() as unit:
        await editing.put(unit, provider, kind, key, read_entry(kind, body), by="test", at=AT)


async def delete(store: Store, kind: Kind, key: str) -> None:
    """And take it away."""
    async with store.unit() as unit:
        await editing.delete(unit, "main", kind, key, by="test", at=AT)


async def _same(directory: Directory, store: Store) -> None:
    whole = Directory(store)
    await whole.reload()
    assert replace(directory.book, languages={}) == replace(whole.book, languages={})
    assert directory.seq == whole.seq


async def test_every_kind_of_change_is_taken_up(store: Store) -> None:
    """Written, replaced and deleted; and what a phone has of its owner changes with the owner."""
    directory = Directory(store)
    assert await directory.renew()
    assert not await directory.renew()
    await put(store, "partners", "boreal", {"name": "Boréal", "tier": "elite"})
    await put(store, "accounts", "C-9", {"name": "Essai inc.", "language": "fr", "partner": "boreal"})
    contact = {"account": "C-9", "name": "Julie", "kind": "administrateur", "phones": ["+14185550101"]}
    await put(store, "contacts", "julie", contact)
    await put(store, "numbers", "+14185550188", {"account": "C-9"})
    await put(store, "phones", "6900", {"account": "C-9"})
    await put(store, "phones", "7900", {"kind": "technician"})
    assert await directory.renew()
    await _same(directory, store)
    assert directory.identify("14185550188", None).customer is not None
    assert directory.technician("7900") is None

    await put(store, "staff", "nadia", {"name": "Nadia", "phone": "7900", "queues": ["support"]})
    await put(store, "accounts", "C-9", {"name": "Essai ltée", "language": "en", "partner": "boreal"})
    assert await directory.renew()
    await _same(directory, store)
    assert directory.technician("7900") is not None
    phone = directory.endpoint("6900")
    assert phone is not None
    assert (phone.display, phone.language) == ("Essai ltée", "en")

    await put(store, "numbers", "+14185550188", {"account": "C-9"}, provider="main")
    async with store.unit() as unit:
        await editing.renew_secret(unit, "main", "6900", by="test", at=AT)
    assert await directory.renew()
    await _same(directory, store)

    await delete(store, "staff", "nadia")
    await delete(store, "phones", "6900")
    await delete(store, "numbers", "+14185550188")
    assert await directory.renew()
    await _same(directory, store)
    assert directory.endpoint("6900") is None
    assert directory.technician("7900") is None
    assert directory.identify("14185550188", None).customer is None


async def test_too_much_at_once_is_read_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an import; and after a gap in what is known of changes."""
    monkeypatch.setattr(changes, "MOST", 3)
    directory = Directory(store)
    await directory.reload()
    for number in range(5):
        await put(store, "accounts", f"C-{number}", {"name": f"Essai {number}"})
    async with store.reading() as unit:
        assert await changes.since(unit, 0) is None
        assert await changes.since(unit, await changes.last(unit)) == []
    assert await directory.renew()
    await _same(directory, store)
    assert len(directory.book.customers) == 5


async def test_the_languages_of_callers_stay(store: Store) -> None:
    """They are known to this process before the database has them."""
    directory = Directory(store)
    await directory.reload()
    await directory.remember_language("14185550188", "en")
    await put(store, "accounts", "C-9", {"name": "Essai inc."})
    assert await directory.renew()
    await directory.remember_language("14185550199", "en")
    assert directory.identify("14185550188", None).language == "en"
    assert directory.identify("14185550199", None).language == "en"
