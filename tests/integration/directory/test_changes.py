"""The book that calls use is renewed from what changed, and is then as if all of it had been read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ivr.desk.load import load_desks
from ivr.directory import bulk_import, changes, files, import_diff, service
from ivr.directory.desk_references import known_of
from ivr.directory.entries import Kind, read_entry
from ivr.directory.live_update import TakingUp
from ivr.directory.lookup import Directory
from ivr.errors import Unavailable
from ivr.events import EventBus, Listener
from ivr.lists.sheets import write_sheet
from ivr.store.engine import Store

AT = datetime(2026, 11, 25, 15, tzinfo=UTC)


async def put(store: Store, kind: Kind, key: str, body: dict[str, Any], provider: str = "main") -> None:
    """Enter it, as any process may."""
    async with store.unit() as unit:
        await service.put(unit, provider, kind, key, read_entry(kind, body), by="test", at=AT)


async def delete(store: Store, kind: Kind, key: str) -> None:
    """And take it away."""
    async with store.unit() as unit:
        await service.delete(unit, "main", kind, key, by="test", at=AT)


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
        await service.renew_secret(unit, "main", "6900", by="test", at=AT)
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


@contextlib.asynccontextmanager
async def _followed(store: Store, tmp_path: Path) -> AsyncIterator[tuple[Directory, Listener]]:
    """A service that follows what changes; Asterisk's half of it is not looked at here."""
    directory, bus = Directory(store), EventBus()
    await directory.reload()
    nobody: Any = None
    taking_up = TakingUp(
        directory, configure=nobody, etc=tmp_path, cli=nobody, unregister=nobody, members=nobody, queues=nobody, bus=bus
    )
    with bus.listen() as listener:
        task = asyncio.create_task(taking_up.follow())
        try:
            yield directory, listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _import(store: Store, lists: dict[str, list[list[str]]]) -> None:
    """Lists that another process enters."""
    known = known_of(load_desks().values(), "main")
    drafts = files.read({name: write_sheet(rows[0], rows[1:]) for name, rows in lists.items()})
    async with store.reading() as unit:
        there = await bulk_import.look(unit, "main")
    made = import_diff.plan(there, drafts, provider="main", known=known, prune=False)
    await bulk_import.carry_out(store, made, by="ops", at=AT, source="test")


@pytest.mark.parametrize("kept", [service.KEPT_CHANGES, 2])
async def test_an_import_of_another_process_is_told_once_and_by_counts(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """However many rows it has; and what was told by whoever did it is not told again."""
    monkeypatch.setattr(service, "KEPT_CHANGES", kept)
    async with _followed(store, tmp_path) as (directory, listener), asyncio.timeout(60):
        accounts = [["compte", "nom"], *([f"C-{n}", f"Essai {n}"] for n in range(3))]
        await _import(store, {"accounts.csv": accounts, "phones.csv": [["poste", "compte"], ["6900", "C-1"]]})
        first = await anext(listener)
        counts = {"accounts": 3, "phones": 1}
        assert (first.kind, first.at) == ("directory.changed", AT)
        assert first.data == {"provider": "main", "what": "import", "counts": counts, "by": "ops"}
        assert directory.endpoint("6900") is not None
        async with store.unit() as unit:
            entry, bus = read_entry("accounts", {"name": "Autre"}), EventBus()
            await service.put(unit, "main", "accounts", "C-0", entry, by="api", at=AT, bus=bus)
        await _import(store, {"accounts.csv": [["compte", "nom"], ["C-9", "Neuf"]]})
        second = await anext(listener)
        assert second.data == {"provider": "main", "what": "import", "counts": {"accounts": 1}, "by": "ops"}
        assert listener.more() == []


async def test_a_database_that_goes_away_after_the_commit_keeps_nothing_from_calls(
    store: Store, database_away: Callable[[], contextlib.AbstractContextManager[None]], tmp_path: Path
) -> None:
    """What was committed is taken up, and told of, once the database is back; until then calls have what they had.

    SQLite can only be away for writers: there nothing is waited for.
    """
    async with _followed(store, tmp_path) as (directory, listener), asyncio.timeout(90):
        tried, renew = asyncio.Event(), directory.renew

        async def watched() -> bool:
            try:
                return await renew()
            except Unavailable:
                tried.set()
                raise

        directory.renew = watched  # type: ignore[method-assign]
        before = directory.book
        async with store.reading() as unit:
            unreadable = unit.dialect == "postgresql"
        async with _stopped(directory):
            await _import(store, {"accounts.csv": [["compte", "nom"], ["C-9", "Essai"]]})
            outage = database_away()
            outage.__enter__()
        try:
            if unreadable:
                await tried.wait()
                assert directory.book is before
        finally:
            outage.__exit__(None, None, None)
        assert (await anext(listener)).data["counts"] == {"accounts": 1}
        assert [one.name for one in directory.book.customers.values()] == ["Essai"]


@contextlib.asynccontextmanager
async def _stopped(directory: Directory) -> AsyncIterator[None]:
    """Nothing is renewed meanwhile."""
    renew, hold = directory.renew, asyncio.Event()

    async def held() -> bool:
        await hold.wait()
        return await renew()

    directory.renew = held  # type: ignore[method-assign]
    yield
    directory.renew = renew  # type: ignore[method-assign]
    hold.set()
